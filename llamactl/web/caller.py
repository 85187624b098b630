"""Who asks, as the door says, and what they may ask of the daemon."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from llamactl.core.access import Caller, Needed
from llamactl.core.errors import Forbidden
from llamactl.rpc.calls import (
    AddModel,
    AddModels,
    Ask,
    Call,
    CloneModel,
    ListModels,
    ListRequests,
    ModelRow,
    ReadLogs,
    RenameModel,
)

HEADER = "X-Llamactl-Caller"
"""Put there by the door, which takes it out of what clients send: the JSON of a `Caller`, in base64."""

ANYBODY = Caller(scope="observe")
"""Who has not come through the door: the socket is the owner's."""

_decode = msgspec.json.Decoder(Caller).decode


def caller_of(request: web.Request) -> Caller:
    told = request.headers.get(HEADER)
    return ANYBODY if told is None else _decode(b64decode(told))


async def permit(caller: Caller, call: Call[Any], ask: Ask) -> None:
    """Raises `Forbidden` for who may not ask that. Who is limited to some models may call them by their aliases."""
    demand(caller, call, await _aliases(ask) if caller.models is not None and _about(call) else {})


def demand(caller: Caller, call: Call[Any], aliases: Mapping[str, str] | None = None) -> None:
    """The same for a call that names no model, or one by its own name."""
    demand_scope(caller, call.scope, call.method)
    if caller.models is None:
        return
    asked = _about(call)
    foreign = [name for name in asked if not caller.uses((aliases or {}).get(name, name))]
    if foreign or not asked:
        about = f"the model {foreign[0]}" if foreign else "other models, too"
        raise Forbidden(
            f"{call.method} is about {about}, and the key is for {', '.join(caller.models) or 'none'}",
            "llamactl keys ls, with a key for all models",
        )


def _about(call: Call[Any]) -> tuple[str, ...]:
    """The models that it is about, and nothing else but them. Empty: whoever is limited may not ask it."""
    if isinstance(call, ReadLogs):
        return call.models
    if isinstance(call, ListRequests):
        return (call.model,) if call.model else ()
    kind = call.method.partition(".")[0]
    if kind not in ("models", "instances") or isinstance(call, AddModel | AddModels | CloneModel | RenameModel):
        return ()
    name = getattr(call, "name", "")
    return (name,) if name else tuple(getattr(call, "names", ()))


async def _aliases(ask: Ask) -> dict[str, str]:
    rows: list[ModelRow] = await ask(ListModels())
    return {alias: row.name for row in rows for alias in row.aliases}


def demand_scope(caller: Caller, scope: Needed, what: str) -> None:
    """Raises `Forbidden` for who has not got that."""
    if not caller.may(scope):
        raise Forbidden(f"{what} takes a key with the scope {scope}", f"llamactl keys create NAME --scope {scope}")
