"""Every question that can be put to the daemon, with the type of its answer.

One class per call; its fields are the parameters, its type argument is the answer. Sizes are bytes,
durations and ages seconds, times seconds since the epoch; what is not known is None.
"""

from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from llamactl.core.errors import Problem
from llamactl.core.events import Numbered
from llamactl.core.model import ScanReport, Setting

A = TypeVar("A")


class Call(msgspec.Struct, Generic[A], frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A question whose answer is an `A`. `method` is its name on the wire."""

    method: ClassVar[str]

    @classmethod
    def answer_type(cls) -> Any:
        return cls.__orig_bases__[0].__args__[0]  # type: ignore[attr-defined]  # what Generic keeps


# --- answers -------------------------------------------------------------------------------------------


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """A model of the catalogue and what it does at this moment."""

    name: str
    path: str
    size: int
    aliases: tuple[str, ...] = ()
    state: str = "stopped"


class SettingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that counts for a model, and where it comes from: `model`, `configuration` …

    `value` is None for a secret, which is shown to nobody.
    """

    name: str
    group: str
    value: Setting | None
    origin: str
    unit: str = ""


class ModelDetail(msgspec.Struct, frozen=True, kw_only=True):
    """All that is to be said of a model. `settings` are those that count, in the order of the table."""

    name: str
    path: str
    size: int
    aliases: tuple[str, ...]
    state: str
    settings: list[SettingRow]


class InstanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A model as something that runs or does not.

    `state` is a phase of `core.instance`. `age` is the time in this state, `load_seconds` what the last
    start took, `memory` what is reserved for it per device, `ttl` the idleness left to it, `problem` why
    it failed.
    """

    name: str
    state: str
    pid: int | None = None
    age: float | None = None
    load_seconds: float | None = None
    memory: dict[str, int] = {}
    leases: int = 0
    waiting: int = 0
    pinned: bool = False
    ttl: float | None = None
    requests: int = 0
    problem: Problem | None = None


class ServiceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the daemon: `starting`, `up`, `restarting`, `down`; `reason` says why it is not up."""

    name: str
    state: str
    age: float
    restarts: int = 0
    reason: str = ""


class EngineRow(msgspec.Struct, frozen=True, kw_only=True):
    """The llama-server that models are run with; `problem` if there is none that can be used."""

    path: str = ""
    version: str = ""
    origin: str = ""
    problem: Problem | None = None


class DaemonStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`http` lists the addresses of the front door as URLs, `last_event` is the newest event's number."""

    version: str
    pid: int
    uptime: float
    http: list[str]
    config: str
    data: str
    log: str
    models: int
    services: list[ServiceRow]
    last_event: int


class Announcement(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a starting daemon tells who started it, as one JSON line through a pipe: it is up, or why not."""

    pid: int
    problem: Problem | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The present, as of event number `last_event`; every later event follows."""

    last_event: int
    instances: list[InstanceRow]


class Lost(msgspec.Struct, frozen=True):
    """So many events were dropped for this watcher, who was too slow."""

    lost: int


# --- questions -----------------------------------------------------------------------------------------


class Status(Call[DaemonStatus], frozen=True):
    """How the daemon is."""

    method = "daemon.status"


class Shutdown(Call[None], frozen=True):
    """Stop everything and end; answered before it happens."""

    method = "daemon.stop"


class Engine(Call[EngineRow], frozen=True):
    """Which llama-server models are run with, tried out if it has not been yet."""

    method = "engine.show"


class ListModels(Call[list[ModelRow]], frozen=True):
    """The catalogue, by name."""

    method = "models.list"


class AddModel(Call[ModelRow], frozen=True):
    """Put a GGUF file into the catalogue; the same file twice is the same model. `path` is absolute."""

    method = "models.add"
    path: str
    name: str | None = None


class RemoveModel(Call[None], frozen=True):
    """Take a stopped model out of the catalogue; its file stays."""

    method = "models.remove"
    name: str


class ShowModel(Call[ModelDetail], frozen=True):
    """A model with its settings and where each comes from."""

    method = "models.show"
    name: str


class SetModel(Call[ModelRow], frozen=True):
    """Change settings of a model, all or none of them; they count from its next start.

    A name in both is refused. Values may be texts, as they are typed. Refused as well is what the
    llama-server that is here now does not have.
    """

    method = "models.set"
    name: str
    set: dict[str, Setting] = {}
    unset: tuple[str, ...] = ()


class RenameModel(Call[ModelRow], frozen=True):
    """Another name for a stopped model."""

    method = "models.rename"
    name: str
    to: str


class CloneModel(Call[ModelRow], frozen=True):
    """A second model with the same file and settings."""

    method = "models.clone"
    name: str
    to: str


class ModelCommand(Call[str], frozen=True):
    """The command line that a model would be started with, for a shell; secrets are `***`."""

    method = "models.command"
    name: str


class ScanModels(Call[ScanReport], frozen=True):
    """Look for GGUF files below these directories (absolute), or below the configured ones."""

    method = "models.scan"
    directories: tuple[str, ...] = ()


class ListInstances(Call[list[InstanceRow]], frozen=True):
    """What runs, is about to, or failed; with `all` every model of the catalogue."""

    method = "instances.list"
    all: bool = False


class StartModel(Call[InstanceRow], frozen=True):
    """Load a model; the answer comes when it is ready, or at once without `wait`."""

    method = "instances.start"
    name: str
    wait: bool = True


class StopModel(Call[InstanceRow], frozen=True):
    """Stop a model; requests under way get `drain` seconds (None: as configured)."""

    method = "instances.stop"
    name: str
    drain: float | None = None


class Watch(Call[Snapshot], frozen=True):
    """The present, then every event as a notification `event` with a `Numbered` or a `Lost`."""

    method = "watch"


Notice = Numbered | Lost


def _leaves(root: type[Call[Any]]) -> list[type[Call[Any]]]:
    return [leaf for child in root.__subclasses__() for leaf in (_leaves(child) or [child])]


CALLS: dict[str, type[Call[Any]]] = {call.method: call for call in _leaves(Call) if hasattr(call, "method")}
