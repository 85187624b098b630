import msgspec
import pytest

from llamactl.core.errors import Problem
from llamactl.core.instance import (
    Alive,
    Answered,
    Backoff,
    Exit,
    Failed,
    Gone,
    IllegalMove,
    Instance,
    Loading,
    Move,
    Phase,
    Ready,
    Spawned,
    Starting,
    Stopped,
    Stopping,
    Unwanted,
    Wanted,
    advance,
    pid_of,
    state,
)

PROBLEM = Problem("load_failed", "no such file")
EXIT = Exit("killed by signal 9", signal=9, lines=("last words",))
EARLIER = Exit("ended by itself", code=0)

STOPPED = Stopped(1.0, EARLIER)
STARTING = Starting(1.0)
LOADING = Loading(1.0, 42)
READY = Ready(3.0, 42, 2.0)
STOPPING = Stopping(4.0, 42, "idle")
UNSPAWNED = Stopping(4.0, None, "idle")
BACKOFF = Backoff(4.0, 8.0, PROBLEM, EARLIER)
FAILED = Failed(4.0, PROBLEM, EARLIER, 600.0)

WANTED = Wanted(9.0)
SPAWNED = Spawned(9.0, 77)
ANSWERED = Answered(9.0)
UNWANTED = Unwanted(9.0, "evicted for b")
GONE = Gone(9.0, PROBLEM, EXIT, until=99.0)
AGAIN = Gone(9.0, PROBLEM, EXIT, again=10.0)

NONE = None
BROKE = Failed(9.0, PROBLEM, EXIT, 99.0)
PAUSES = Backoff(9.0, 10.0, PROBLEM, EXIT)
ENDED = Stopped(9.0, EXIT, "idle")

MOVES: tuple[Move, ...] = (WANTED, SPAWNED, ANSWERED, UNWANTED, GONE, AGAIN)
MATRIX: dict[Phase, tuple[Phase | None, ...]] = {
    #          WANTED  SPAWNED  ANSWERED  UNWANTED  GONE  AGAIN
    STOPPED:   (Starting(9.0), NONE,  NONE,  NONE,  NONE, NONE),
    STARTING:  (NONE,  Loading(1.0, 77), NONE,  Stopping(9.0, None, UNWANTED.why),  BROKE,   PAUSES),
    LOADING:   (NONE,  NONE,  Ready(9.0, 42, 8.0), Stopping(9.0, 42, UNWANTED.why),    BROKE,   PAUSES),
    READY:     (NONE,  NONE,  NONE,  Stopping(9.0, 42, UNWANTED.why),    BROKE,   PAUSES),
    STOPPING:  (NONE,  NONE,  NONE,  NONE,                            ENDED,   ENDED),
    UNSPAWNED: (NONE,  NONE,  NONE,  NONE,                            ENDED,   ENDED),
    BACKOFF:   (Starting(9.0), NONE,  NONE,  Stopped(9.0, EARLIER, UNWANTED.why), NONE, NONE),
    FAILED:    (Starting(9.0), NONE,  NONE,  NONE,  NONE, NONE),
}  # fmt: skip


@pytest.mark.parametrize(
    ("phase", "move", "after"),
    [(phase, move, after) for phase, row in MATRIX.items() for move, after in zip(MOVES, row, strict=True)],
)
def test_the_whole_transition_matrix(phase: Phase, move: Move, after: Phase | None) -> None:
    if after is None:
        with pytest.raises(IllegalMove, match=f"{type(move).__name__} in {type(phase).__name__}"):
            advance(phase, move)
    else:
        assert advance(phase, move) == after


def test_the_matrix_is_whole() -> None:
    assert {type(phase) for phase in MATRIX} == set(Phase.__args__)
    assert {type(move) for move in MOVES} == set(Move.__args__)


def test_a_phase_as_one_word_its_pid_and_whether_there_is_a_process() -> None:
    told = {phase: (state(phase), pid_of(phase), isinstance(phase, Alive)) for phase in MATRIX}
    assert told == {
        STOPPED: ("stopped", None, False),
        STARTING: ("starting", None, True),
        LOADING: ("loading", 42, True),
        READY: ("ready", 42, True),
        STOPPING: ("stopping", 42, True),
        UNSPAWNED: ("stopping", None, True),
        BACKOFF: ("backoff", None, False),
        FAILED: ("failed", None, False),
    }


@pytest.mark.parametrize("phase", MATRIX)
def test_an_instance_crosses_a_boundary_unchanged(phase: Phase) -> None:
    instance = Instance(
        model="a",
        phase=phase,
        leases=2,
        waiting=1,
        pinned=True,
        need={"host": 3},
        ttl=1.5,
        requests=9,
        restarts=2,
        wedged=1.0,
    )
    assert msgspec.json.decode(msgspec.json.encode(instance), type=Instance) == instance
