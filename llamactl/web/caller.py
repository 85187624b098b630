"""Who asks, as the door says, and what they may ask of the daemon."""

from fnmatch import fnmatchcase
from typing import Any, Protocol

from aiohttp import web

from llamactl.core.errors import Forbidden
from llamactl.rpc import calls
from llamactl.rpc.calls import Call


class Caller(Protocol):
    """`models` are globs, None for all."""

    @property
    def models(self) -> tuple[str, ...] | None: ...

    def may(self, scope: Any) -> bool: ...


class _Anybody:
    """On loopback, without keys."""

    models = None

    def may(self, scope: str) -> bool:
        return scope in ("", "infer", "observe")


ANYBODY = _Anybody()

LOOKS: frozenset[type[Call[Any]]] = frozenset(
    (
        *(calls.Status, calls.Engine, calls.ListInstances, calls.PlanStart, calls.WaitModel, calls.WhyModel),
        *(calls.ListModels, calls.ShowModel, calls.ModelCommand, calls.VerifyModel, calls.ListDevices, calls.FitModel),
        *(calls.ListPresets, calls.ShowPreset, calls.ShowDefaults, calls.ListTemplates, calls.ListWorkers),
        *(calls.ListEvents, calls.Watch),
    )
)
"""These change nothing."""


CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)
"""In the request, where the door has said who it is."""


def caller_of(request: web.Request) -> Caller:
    caller: Caller = request.get(CALLER, ANYBODY)
    return caller


def scope_of(call: type[Call[Any]]) -> str:
    """What is to be had for a call: `observe` to look, `admin` for keys, `control` for the rest."""
    if call in LOOKS:
        return "observe"
    return "admin" if call.method.startswith("keys.") else "control"


def demand(caller: Caller, call: Call[Any]) -> None:
    """Raises `Forbidden` for who may not ask that."""
    scope = scope_of(type(call))
    demand_scope(caller, scope, call.method)
    name = getattr(call, "name", None)
    if caller.models is not None and (name is None or not allowed(caller, str(name))):
        about = "other models, too" if name is None else f"the model {name}"
        raise Forbidden(f"{call.method} is about {about}, and the key is for {', '.join(caller.models) or 'none'}")


def demand_scope(caller: Caller, scope: str, what: str) -> None:
    """Raises `Forbidden` for who has not got that."""
    if not caller.may(scope):
        raise Forbidden(f"{what} takes a key with the scope {scope}", f"llamactl keys create NAME --scope {scope}")


def allowed(caller: Caller, model: str) -> bool:
    return matches(caller.models, model)


def matches(globs: tuple[str, ...] | None, model: str) -> bool:
    return globs is None or any(fnmatchcase(model, glob) for glob in globs)
