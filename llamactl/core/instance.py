"""One llama-server: its phases and the moves between them.

    Stopped ──Wanted──▶ Starting ──Spawned──▶ Loading ──Answered──▶ Ready
       ▲                   │ │                  │ │                 │ │
       └──Gone── Stopping ◀┴─┼────Unwanted──────┴─┼─────────────────┘ │
         Failed, Backoff ◀───┴──────Gone──────────┴───────────────────┘

Which of the two it is, the `Gone` says: in `Backoff` it waits to be started again. Both are left like `Stopped`, by
`Wanted`; and `Backoff` for `Stopped`, by `Unwanted`. `Adopted` leads from `Stopped` to where a llama-server is that an
earlier daemon left running. Every other move is illegal and raises: it means that two
parts of the daemon disagree about what runs.

Times are seconds on the daemon's monotonic clock; who shows them shows their distance from now.
"""

import msgspec

from llamactl.core.errors import Problem
from llamactl.core.exits import Kind


class Exit(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a process ended: its exit code or the signal that ended it, and the last lines it wrote.

    `reason` says the same in words; it is taken from the lines where they tell. `kind` is the class of such
    endings, `log` the file that holds all it wrote.
    """

    reason: str
    code: int | None = None
    signal: int | None = None
    lines: tuple[str, ...] = ()
    kind: Kind = "other"
    log: str = ""


class Stopped(msgspec.Struct, frozen=True, tag="stopped"):
    """No process. `exit` is how the last one ended, if there was one, `why` the reason it was not wanted."""

    since: float = 0.0
    exit: Exit | None = None
    why: str = ""


class Starting(msgspec.Struct, frozen=True, tag="starting"):
    """Decided, its memory is reserved; the process is being spawned."""

    since: float


class Loading(msgspec.Struct, frozen=True, tag="loading"):
    """The process runs and does not serve yet. `since` is when it was decided to start it."""

    since: float
    pid: int


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """It serves. `took` is seconds from the decision to start it until it answered."""

    since: float
    pid: int
    took: float


class Stopping(msgspec.Struct, frozen=True, tag="stopping"):
    """It is being put down; its memory counts until it is gone. `why` is for people."""

    since: float
    pid: int | None
    why: str


class Backoff(msgspec.Struct, frozen=True, tag="backoff"):
    """It ended though it was wanted, and is started again at `until`; until then it has no process and no memory."""

    since: float
    until: float
    problem: Problem
    exit: Exit | None = None


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """It ended though it was wanted, and is not started again by itself. No request starts it before `until`."""

    since: float
    problem: Problem
    exit: Exit | None = None
    until: float = 0.0


Phase = Stopped | Starting | Loading | Ready | Stopping | Backoff | Failed
Alive = Starting | Loading | Ready | Stopping


def state(phase: Phase) -> str:
    """The phase as one word: `stopped`, `starting`, `loading`, `ready`, `stopping`, `backoff` or `failed`."""
    return type(phase).__name__.lower()


def pid_of(phase: Phase) -> int | None:
    return phase.pid if isinstance(phase, Loading | Ready | Stopping) else None


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said of a model as something that runs or does not, at one moment.

    `need` is bytes per device reserved for it, `ttl` the seconds of idleness it has left (None: no end
    set, or not idle), `requests` how many leases were ever granted to it since the daemon started, `restarts`
    how often it was started again after it had died. `wedged`: since when nothing moves in it though it has requests
    (None: it works). Of those who wait: `position` is 1 if theirs is the next model to be started, 0 if it loads, and
    `eta` the seconds it will take by what loads took before. `loaded` is the part of its file that one which loads
    has read, 0 to 1 (None: that is not known).
    """

    model: str
    phase: Phase
    leases: int = 0
    waiting: int = 0
    position: int | None = None
    eta: float | None = None
    pinned: bool = False
    need: dict[str, int] = {}
    ttl: float | None = None
    requests: int = 0
    restarts: int = 0
    wedged: float | None = None
    loaded: float | None = None


class Wanted(msgspec.Struct, frozen=True):
    at: float


class Spawned(msgspec.Struct, frozen=True):
    at: float
    pid: int


class Answered(msgspec.Struct, frozen=True):
    at: float


class Unwanted(msgspec.Struct, frozen=True):
    at: float
    why: str


class Gone(msgspec.Struct, frozen=True):
    """The process is no more, or never came to be. `problem` says why, where it was still wanted.

    Then `again` is when it is to be started again, or else `until` how long no request may start it.
    """

    at: float
    problem: Problem
    exit: Exit | None = None
    again: float | None = None
    until: float = 0.0


class Adopted(msgspec.Struct, frozen=True):
    """An earlier daemon left it running, and it is in this phase."""

    phase: Loading | Ready | Stopping


Move = Wanted | Spawned | Answered | Unwanted | Gone | Adopted


class IllegalMove(Exception):
    """A bug in llamactl: this phase knows no such move."""


def advance(phase: Phase, move: Move) -> Phase:
    """The phase after `move`; raises `IllegalMove` where the picture above has no arrow."""
    match phase, move:
        case ((Stopped() | Backoff() | Failed()), Wanted(at)):
            return Starting(at)
        case Stopped(), Adopted(now):
            return now
        case Starting(since), Spawned(_, pid):
            return Loading(since, pid)
        case Loading(since, pid), Answered(at):
            return Ready(at, pid, at - since)
        case Starting(), Unwanted(at, why):
            return Stopping(at, None, why)
        case ((Loading() | Ready()), Unwanted(at, why)):
            return Stopping(at, phase.pid, why)
        case Backoff(_, _, _, exit), Unwanted(at, why):
            return Stopped(at, exit, why)
        case Stopping(_, _, why), Gone(at, _, exit):
            return Stopped(at, exit, why)
        case ((Starting() | Loading() | Ready()), Gone(at, problem, exit, float(again))):
            return Backoff(at, again, problem, exit)
        case ((Starting() | Loading() | Ready()), Gone(at, problem, exit, _, until)):
            return Failed(at, problem, exit, until)
    raise IllegalMove(f"{type(move).__name__} in {type(phase).__name__}")
