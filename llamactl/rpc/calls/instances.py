"""What runs, and what happens."""

from typing import Literal

import msgspec

from llamactl.core.errors import Problem
from llamactl.core.exits import Kind
from llamactl.rpc.calls.call import Call


class InstanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A model as something that runs or does not.

    `state` is a phase of `core.instance`. `age` is the time in this state, `load_seconds` what the last start took,
    `memory` what is reserved for it per device, `ttl` the idleness left to it, `problem` why it failed. Of those who
    wait: `position` is 1 if theirs is the next model to be started, 0 if it loads, `eta` the time it will take by
    what loads took before. `loaded` is the part of its file that has been read, 0 to 1, of one that loads.
    `sleeping`: it has given its memory back by itself, until it is asked something. `context` is what each of its
    `slots` can take, in tokens, `rate` tokens a second. `restarts` counts how often it was started again after it had
    died, `next_try` is the time until that happens next; `wedged` for how long nothing has moved in it though it has
    requests. `outdated` names what would be another if it were started now: `settings`, `llama-server`.
    """

    name: str
    aliases: tuple[str, ...] = ()
    state: str
    pid: int | None = None
    age: float | None = None
    load_seconds: float | None = None
    memory: dict[str, int] = {}
    leases: int = 0
    waiting: int = 0
    position: int | None = None
    eta: float | None = None
    loaded: float | None = None
    pinned: bool = False
    sleeping: bool = False
    ttl: float | None = None
    context: int | None = None
    slots: int | None = None
    rate: float | None = None
    requests: int = 0
    restarts: int = 0
    next_try: float | None = None
    wedged: float | None = None
    outdated: tuple[str, ...] = ()
    problem: Problem | None = None


class ExitRow(msgspec.Struct, frozen=True, kw_only=True):
    """How one llama-server ended, that was in this `state`; `kind` is one of `core.exits`.

    `why` is what it was stopped for, if it was; `pause` the time until it was started again.
    """

    at: float
    state: str
    kind: Kind
    reason: str
    code: int | None = None
    signal: int | None = None
    why: str = ""
    pause: float | None = None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a model is as it is: how its llama-servers ended, the newest first, and what the last to fail wrote.

    `lines` are the last ones in the file `log`: of the last that ended other than by being told to, else of the last.
    """

    instance: InstanceRow
    decision: str = ""
    exits: list[ExitRow] = []
    log: str = ""
    lines: list[str] = []


class ListInstances(Call[list[InstanceRow]], frozen=True):
    """What runs, is about to, or failed; with `all` every model of the catalogue."""

    method = "instances.list"
    scope = "observe"
    all: bool = False


class StartModel(Call[InstanceRow], frozen=True):
    """Load a model; the answer comes when it is ready, or at once without `wait`.

    `ttl`: seconds of idleness after which it is stopped, for this run instead of what is set; -1: never.
    """

    method = "instances.start"
    repeatable = True
    name: str
    wait: bool = True
    ttl: float | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a start would come to: bytes per device needed and free, and the models to be stopped for it.

    `problem` says why it could not be started at all.
    """

    name: str
    state: str
    need: dict[str, int]
    free: dict[str, int]
    evicts: list[str] = []
    problem: Problem | None = None


class PlanStart(Call[Plan], frozen=True):
    """What a start of the model would come to, without doing anything."""

    method = "instances.plan"
    scope = "observe"
    name: str


class RestartModel(Call[InstanceRow], frozen=True):
    """Stop a model, and load it again; the answer comes when it is ready, or at once without `wait`."""

    method = "instances.restart"
    repeatable = True
    name: str
    drain: float | None = None
    wait: bool = True


class PinModel(Call[InstanceRow], frozen=True):
    """Never evict the model once it is loaded; kept like a setting, over restarts of the daemon too."""

    method = "instances.pin"
    name: str


class UnpinModel(Call[InstanceRow], frozen=True):
    """It may be evicted again."""

    method = "instances.unpin"
    name: str


class WaitModel(Call[InstanceRow], frozen=True):
    """Answered once the model is in that state; `idle` is ready with nothing to do.

    Raises `TimedOut`, and `NotRunning` for one that has failed: it would come to no other state by itself.
    """

    method = "instances.wait"
    scope = "observe"
    repeatable = True
    name: str
    state: Literal["ready", "stopped", "failed", "idle"] = "ready"
    timeout: float = 600.0

    def later(self, seconds: float) -> "WaitModel":
        return msgspec.structs.replace(self, timeout=max(0.0, self.timeout - seconds))


class StopModel(Call[InstanceRow], frozen=True):
    """Stop a model; requests under way get `drain` seconds (None: as configured).

    The answer comes when it is gone, or at once without `wait`.
    """

    method = "instances.stop"
    repeatable = True
    name: str
    drain: float | None = None
    wait: bool = True

    def later(self, seconds: float) -> "StopModel":
        return self if self.drain is None else msgspec.structs.replace(self, drain=max(0.0, self.drain - seconds))


class WhyModel(Call[Explanation], frozen=True):
    """Why a model is in the state it is in."""

    method = "instances.why"
    scope = "observe"
    name: str
