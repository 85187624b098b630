"""One llama-server from wanted to not wanted."""

from itertools import pairwise
from math import inf

import anyio
import pytest

from llamactl.core.errors import Problem
from llamactl.core.instance import Answered, Exit, Gone, Move, Spawned
from llamactl.core.model import Model
from llamactl.supervisor.runner import live
from tests.supervisor.fakes import CRASHED, KILLED, OBEYED, Engine, FakeServer, Habits, now
from tests.supervisor.stage import A

pytestmark = pytest.mark.anyio


class Life:
    """What was told of one life, and its server; it begins at 0."""

    def __init__(self) -> None:
        self.moves: list[Move] = []
        self.servers: list[FakeServer] = []
        self.began = now()

    async def live(self, habits: Habits, *, load_timeout: float = 60.0, ended_after: float = inf) -> "Life":
        """To its end, or until somebody ends it."""
        engine = Engine(a=habits)
        with anyio.move_on_after(ended_after):
            await live(A, engine, lambda move, _: self.moves.append(move), load_timeout, now)
        self.servers = engine.servers
        return self

    @property
    def kinds(self) -> list[type[Move]]:
        return [type(move) for move in self.moves]

    @property
    def gone(self) -> Gone:
        assert isinstance(self.moves[-1], Gone)
        return self.moves[-1]

    def after(self, move: int) -> float:
        """When that move was told."""
        return self.moves[move].at - self.began

    @property
    def looks(self) -> list[float]:
        return [at - self.servers[0].born for at in self.servers[0].looks]

    @property
    def signals(self) -> list[tuple[str, float]]:
        return [(name, round(at - self.began, 3)) for name, at in self.servers[0].signals]


async def test_a_good_life() -> None:
    life = await Life().live(Habits(launching=0.5, loading=1.0), ended_after=10.0)
    assert life.kinds == [Spawned, Answered, Gone]
    assert [life.after(0), life.after(1)] == pytest.approx([0.5, 1.5], abs=0.03)
    assert life.gone.exit == OBEYED
    assert life.signals == [("SIGTERM", 10.0)]
    assert life.servers[0].closed


# --- looking for readiness -----------------------------------------------------------------------


async def test_looks_are_close_at_first_and_never_far_apart() -> None:
    life = await Life().live(Habits(loading=60.0), load_timeout=90.0, ended_after=61.0)
    looks = life.looks
    assert looks[0] == 0.0
    assert looks[1] == pytest.approx(0.010)
    for before, after in pairwise(looks):
        assert after - before <= max(0.010, 0.03 * before) + 1e-9
        assert 0.010 - 1e-9 <= after - before <= 0.250 + 1e-9
    assert looks[-1] - looks[-2] == pytest.approx(0.250)
    assert len(looks) < 500


@pytest.mark.parametrize("loading", [0.0, 0.1, 0.3, 1.0, 5.0, 30.0])
async def test_readiness_is_seen_with_little_delay(loading: float) -> None:
    life = await Life().live(Habits(loading=loading), ended_after=loading + 1)
    assert life.kinds[1] is Answered
    assert 0 <= life.after(1) - loading <= min(0.250, max(0.010, 0.03 * loading)) + 1e-9


async def test_after_it_is_ready_nobody_looks_any_more() -> None:
    life = await Life().live(Habits(loading=1.0), ended_after=1000.0)
    assert life.looks[-1] < 1.1


# --- failing -------------------------------------------------------------------------------------


async def test_what_cannot_be_launched_fails_with_the_launchers_reason_and_hint() -> None:
    life = await Life().live(Habits(refused="no such flag: --colour"))
    [gone] = life.moves
    assert isinstance(gone, Gone)
    message = "a could not be loaded: no such flag: --colour"
    assert gone.problem == Problem("load_failed", message, "llamactl doctor")
    assert gone.exit == Exit("no such flag: --colour", kind="refused")


async def test_a_launcher_that_is_refused_by_the_system_fails_like_any_other() -> None:
    moves: list[Move] = []

    async def launch(model: Model) -> FakeServer:
        raise OSError(24, "Too many open files")

    await live(A, launch, lambda move, _: moves.append(move), 60.0, now)
    [gone] = moves
    assert isinstance(gone, Gone)
    assert gone.problem.code == "load_failed"
    assert "Too many open files" in gone.problem.message
    assert gone.exit is not None and gone.exit.kind == "other", "which is no reason to give up"


async def test_a_crash_while_loading_is_noticed_at_once_and_told_in_its_own_words() -> None:
    life = await Life().live(Habits(loading=60.0, crashing=30.0))
    assert life.kinds == [Spawned, Gone]
    assert life.after(1) == pytest.approx(30.0)
    assert life.gone.problem.code == "load_failed"
    assert life.gone.problem.message == "a could not be loaded: segmentation fault"
    assert life.gone.problem.hint == "llamactl logs a"
    assert life.gone.exit == CRASHED
    assert life.servers[0].closed


async def test_a_crash_is_noticed_while_a_look_at_its_health_hangs() -> None:
    life = await Life().live(Habits(loading=60.0, answering=1.0, crashing=0.5))
    assert life.kinds == [Spawned, Gone]
    assert life.after(1) == pytest.approx(0.5)


async def test_a_crash_when_ready_is_another_problem() -> None:
    life = await Life().live(Habits(crashing=30.0))
    assert life.kinds == [Spawned, Answered, Gone]
    assert life.after(2) == pytest.approx(30.0)
    assert life.gone.problem.code == "upstream_died"
    assert life.gone.problem.message == "a ended: segmentation fault"
    assert life.servers[0].closed


async def test_loading_without_progress_ends_after_the_load_timeout() -> None:
    life = await Life().live(Habits(loading=inf), load_timeout=20.0)
    assert life.kinds == [Spawned, Gone]
    assert life.after(1) == pytest.approx(20.0, abs=0.5)
    assert life.gone.problem.code == "load_failed"
    assert "no progress for 20 s" in life.gone.problem.message
    assert life.gone.exit is not None and life.gone.exit.kind == "stalled"
    assert [name for name, _ in life.signals] == ["SIGKILL"]


async def test_progress_extends_the_load_timeout() -> None:
    life = await Life().live(Habits(loading=100.0, writing=90.0), load_timeout=20.0, ended_after=200.0)
    assert life.kinds == [Spawned, Answered, Gone]
    assert life.after(1) == pytest.approx(100.0, abs=0.3)


async def test_the_load_timeout_counts_from_the_last_progress() -> None:
    life = await Life().live(Habits(loading=inf, writing=50.0), load_timeout=20.0)
    assert life.after(1) == pytest.approx(70.0, abs=0.6)


# --- being put down ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deaf", "expected", "exit", "ends"),
    [
        (0, ["SIGTERM"], OBEYED, 5.01),
        (1, ["SIGTERM", "SIGTERM"], OBEYED, 7.01),
        (inf, ["SIGTERM", "SIGTERM", "SIGKILL"], KILLED, 9.0),
    ],
)
async def test_who_does_not_hear_is_told_again_and_killed(
    deaf: float, expected: list[str], exit: object, ends: float
) -> None:
    life = await Life().live(Habits(deaf=deaf), ended_after=5.0)
    assert life.signals == [(name, 5.0 + 2.0 * number) for number, name in enumerate(expected)]
    assert life.gone.exit == exit
    assert life.after(-1) == pytest.approx(ends)


async def test_who_takes_its_time_after_the_second_signal_is_not_killed_too_soon() -> None:
    life = await Life().live(Habits(deaf=1, lingering=1.9), ended_after=5.0)
    assert life.gone.exit == OBEYED
    assert life.after(-1) == pytest.approx(8.9)


@pytest.mark.parametrize("habits", [Habits(launching=3.0), Habits(launching=3.0, loading=0.0)])
async def test_the_spawn_is_never_interrupted_and_what_it_made_is_put_down(habits: Habits) -> None:
    life = await Life().live(habits, ended_after=1.0)
    assert life.kinds[0] is Spawned
    assert life.kinds[-1] is Gone
    assert life.after(-1) == pytest.approx(3.0)
    assert life.servers[0].closed


async def test_a_launch_that_fails_after_nobody_wants_it_any_more_is_told_too() -> None:
    life = await Life().live(Habits(launching=3.0, refused="no memory"), ended_after=1.0)
    assert life.kinds == [Gone]
    assert life.after(0) == pytest.approx(3.0)


async def test_ended_while_loading() -> None:
    life = await Life().live(Habits(loading=60.0), ended_after=10.0)
    assert life.kinds == [Spawned, Gone]
    assert life.after(1) == pytest.approx(10.0)
    assert life.signals == [("SIGKILL", 10.0)], "it has nothing to lose"


async def test_putting_down_is_never_interrupted() -> None:
    life = Life()
    with anyio.move_on_after(6.0):  # cancelled again while it waits for SIGTERM to work
        await life.live(Habits(deaf=inf), ended_after=5.0)
    assert life.gone.exit == KILLED
    assert life.after(-1) == pytest.approx(9.0)
