"""Decisions as they are told, keep-alive of one model or start, loads that run out of memory, memory that is late."""

import anyio
import msgspec
import pytest

from llamactl.core.errors import DoesNotFit, TimedOut
from llamactl.core.events import Placement
from llamactl.core.instance import Exit, Failed
from llamactl.core.model import HOST, Model
from llamactl.core.scheduler.late import LONGEST
from llamactl.core.scheduler.residents import GRACE
from tests.supervisor import fakes
from tests.supervisor.fakes import Engine, Habits, now
from tests.supervisor.stage import MEMORY, A, B, C, Stage, stage

pytestmark = pytest.mark.anyio


def placements(play: Stage, model: Model) -> list[tuple[str, str]]:
    events = [numbered.event for numbered in play.hub.told]
    return [(e.action, e.reason) for e in events if isinstance(e, Placement) and e.model == model.name]


# --- what is told ---------------------------------------------------------------------------------


async def test_each_decision_is_told_with_its_reason() -> None:
    async with stage(max_models=1) as play:
        a = play.ask(A)
        await anyio.sleep(5)
        b = play.ask(B)
        await anyio.sleep(1)
        assert play.supervisor.decision("b") == "waits for a (in use): no place is left"
        instance = play.supervisor.instance("b")
        assert (instance.position, instance.waiting) == (1, 1)
        assert instance.eta == pytest.approx(1.0, abs=0.1)
        a.release()
        await anyio.sleep(5)
        assert b.lease is not None
        assert placements(play, B) == [
            ("wait", "waits for a (in use): no place is left"),
            ("start", "fits: needs 4 B of 12 B free on host"),
        ]
        assert placements(play, A)[-1] == ("stop", "evicted for b: idle 0 s, reload 1.0 s, frees 4 B")
        assert play.supervisor.decision("a") == "evicted for b: idle 0 s, reload 1.0 s, frees 4 B"
        assert play.supervisor.decision("never heard of") == ""


async def test_what_cannot_fit_is_told_too() -> None:
    async with stage() as play:
        with pytest.raises(DoesNotFit):
            await play.supervisor.lease(msgspec.structs.replace(A, size=MEMORY + 1))
        assert placements(play, A) == [("refuse", "needs 13 B on host, where 12 B are free")]


# --- keep-alive -----------------------------------------------------------------------------------


async def test_a_start_may_say_how_long_it_is_for() -> None:
    async with stage(ttl=100.0) as play:
        await play.supervisor.start(A, ttl=5.0)
        await anyio.sleep(4)
        assert play.state(A) == "ready"
        await anyio.sleep(2)
        assert play.state(A) == "stopped"
        await play.supervisor.start(A)
        await play.supervisor.start(A, ttl=-1.0)  # while it is there
        await anyio.sleep(1000)
        assert play.state(A) == "ready"


async def test_a_model_may_have_a_ttl_of_its_own() -> None:
    async with stage(ttl=100.0) as play:
        await play.supervisor.start(msgspec.structs.replace(A, settings={"ttl": 5.0}))
        await play.supervisor.start(B)
        await anyio.sleep(6)
        assert play.engine.running == ["b"]


async def test_a_model_without_patience_stays_for_its_first_use_after_a_start() -> None:
    async with stage(ttl=0.0) as play:
        await play.supervisor.start(A)
        await anyio.sleep(GRACE - 2)
        assert play.state(A) == "ready"
        assert play.supervisor.instance("a").ttl == pytest.approx(2.0)
        lease = play.supervisor.try_lease("a")
        assert lease is not None
        await anyio.sleep(100)
        lease.release()
        assert play.state(A) == "stopping"
        await play.supervisor.start(B)
        await anyio.sleep(GRACE + 1)
        assert play.state(B) == "stopped"


async def test_what_is_set_to_be_pinned_is_so_at_each_start() -> None:
    async with stage(ttl=5.0) as play:
        pinned = msgspec.structs.replace(A, settings={"pinned": True})
        for _ in range(2):
            await play.supervisor.start(pinned)
            await anyio.sleep(50)
            assert play.state(A) == "ready"
            await play.supervisor.stop("a", drain=0)
            assert not play.supervisor.instance("a").pinned


async def test_waiting_until_nobody_uses_it() -> None:
    async with stage() as play:
        first, second = play.ask(A), play.ask(A)
        await anyio.sleep(2)
        with pytest.raises(TimedOut):
            await play.supervisor.wait("a", {"idle"}, 5.0)
        first.release()
        play.group.start_soon(released_later, second)
        began = now()
        assert (await play.supervisor.wait("a", {"idle"}, 50.0)).leases == 0
        assert now() - began == pytest.approx(3.0)


async def test_waiting_after_a_restart_was_begun_is_for_the_new_one() -> None:
    async with stage(Engine(a=Habits(loading=2.0))) as play:
        client = play.ask(A)
        await anyio.sleep(5)
        play.supervisor.begin_restart(A, drain=60.0)
        assert play.state(A) == "ready", "it has a request"
        with pytest.raises(TimedOut, match="is draining"):
            await play.supervisor.wait("a", {"ready", "idle"}, 1.0)
        play.group.start_soon(released_later, client)
        began, old = now(), play.supervisor.instance("a").phase
        new = await play.supervisor.wait("a", {"ready"}, 50.0)
        assert new.phase != old
        assert 5.0 <= now() - began < 6.0, "three until it is given back, and two to load"


async def released_later(client: object) -> None:
    await anyio.sleep(3)
    client.release()  # type: ignore[attr-defined]


# --- too little memory ----------------------------------------------------------------------------


async def test_what_is_idle_goes_before_a_load_that_ran_out_of_memory_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fakes, "CRASHED", Exit("cannot allocate", code=1, kind="out_of_memory"))
    engine = Engine(b=Habits(loading=2.0, crashing=1.0))
    async with stage(engine) as play:
        await play.supervisor.start(A)
        busy = play.ask(C)
        await anyio.sleep(2)
        b = play.ask(B)
        await anyio.sleep(1.5)
        assert placements(play, A)[-1][1].startswith("evicted for b")
        engine.habits["b"] = Habits()
        await anyio.sleep(5)
        assert b.lease is not None
        assert sorted(play.engine.running) == ["b", "c"]
        busy.release()


async def test_the_second_time_it_has_failed_with_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fakes, "CRASHED", Exit("cannot allocate", code=1, kind="out_of_memory"))
    async with stage(Engine(a=Habits(loading=2.0, crashing=1.0))) as play:
        client = play.ask(A)
        await anyio.sleep(10)
        assert play.engine.launches == ["a", "a"]
        phase = play.supervisor.instance("a").phase
        assert isinstance(phase, Failed)
        assert "it was to take 4 B on host with 8 B to spare" in phase.problem.message
        assert client.error is not None and "8 B to spare" in client.error.message


class Slow:
    """A machine that gives memory back `late` seconds after a process of 8 has gone."""

    def __init__(self, late: float) -> None:
        self.late = late
        self.free = MEMORY
        self.back = 0.0

    def went(self) -> None:
        self.back = now() + self.late

    def __call__(self, pids: list[int]) -> dict[str, int]:
        return {HOST: self.free - (8 if now() < self.back else 0)}


@pytest.mark.parametrize("late", [0.3, 2.0])
async def test_a_start_waits_until_memory_is_really_back(late: float) -> None:
    machine = Slow(late)
    large = msgspec.structs.replace(A, size=8), msgspec.structs.replace(B, size=8)
    async with stage(budget=machine) as play:
        await play.supervisor.start(large[0])
        play.hub.on_state["stopped"] = machine.went
        await play.supervisor.start(large[1])
        assert machine.back <= play.engine.launched[1] < machine.back + 0.02 + 0.15 * late


async def test_memory_that_somebody_else_has_taken_is_not_waited_for_any_longer() -> None:
    machine = Slow(1000.0)
    large = msgspec.structs.replace(A, size=8), msgspec.structs.replace(B, size=8)
    async with stage(budget=machine) as play:
        await play.supervisor.start(large[0])
        play.hub.on_state["stopped"] = machine.went
        began = now()
        with pytest.raises(DoesNotFit):
            await play.supervisor.lease(large[1])
        assert now() - began == pytest.approx(0.01 + LONGEST, abs=0.6)
