"""Who may stay in memory: eviction, idleness, pins, budgets."""

import anyio
import pytest

from llamactl.core.errors import DoesNotFit
from llamactl.core.model import HOST, Model
from tests.supervisor.fakes import Engine, Habits, now
from tests.supervisor.stage import MEMORY, A, B, C, stage

pytestmark = pytest.mark.anyio


# --- eviction ------------------------------------------------------------------------------------


async def test_an_idle_model_makes_room_for_another() -> None:
    async with stage(max_models=1) as play:
        await play.supervisor.start(A)
        client = play.ask(B)
        await anyio.sleep(3)
        assert client.lease is not None
        assert client.at - 1.0 == pytest.approx(1.0 + 0.01, abs=0.06)  # b's load, and a's end
        assert play.states(A)[-2:] == ["stopping", "stopped"]
        assert play.engine.running == ["b"]


async def test_what_is_evicted_is_gone_before_the_other_starts() -> None:
    async with stage(Engine(a=Habits(lingering=1.5)), max_models=1) as play:
        await play.supervisor.start(A)
        began = now()
        play.ask(B)
        await anyio.sleep(1.4)
        assert (play.state(A), play.engine.launches) == ("stopping", ["a"])
        await anyio.sleep(0.2)
        assert play.engine.server("b").born - began == pytest.approx(1.5)


async def test_a_model_in_use_is_not_evicted_until_it_is_given_back() -> None:
    async with stage(max_models=1) as play:
        a = play.ask(A)
        await anyio.sleep(2)
        b = play.ask(B)
        await anyio.sleep(100)
        assert (play.state(A), b.lease) == ("ready", None)
        a.release()
        await anyio.sleep(2)
        assert b.lease is not None
        assert play.engine.running == ["b"]


async def test_memory_decides_and_the_least_recently_used_goes() -> None:
    async with stage() as play:  # room for three
        for model in (A, B, C, A):
            await play.supervisor.start(model)
            await anyio.sleep(1)
        assert play.engine.running == ["a", "b", "c"]
        await play.supervisor.start(Model(name="d", path="/models/d.gguf", size=4))
        assert play.engine.running == ["a", "c", "d"]


async def test_nobody_is_kept_waiting_for_ever_by_others_who_take_turns() -> None:
    """`a` is never idle: each client comes before the last has gone. One who waits for `b` gets its place."""
    async with stage(max_models=1, max_wait=10.0) as play:
        await play.supervisor.start(A)
        waiting = None
        turns = [play.ask(A), play.ask(A)]
        for turn in range(60):
            await anyio.sleep(1)
            done = turns.pop(0)
            turns.append(play.ask(A))
            if done.lease:
                done.release()
            if turn == 5:
                waiting = play.ask(B)
                began = now()
        assert waiting is not None
        assert waiting.lease is not None
        assert 10.0 + 1.0 < waiting.at - began < 10.0 + 2.0 + 1.1  # max_wait, what is left of the last turn, the load


# --- idleness ------------------------------------------------------------------------------------


async def test_it_goes_when_it_has_been_idle_for_its_ttl() -> None:
    async with stage(ttl=60.0) as play:
        first, second = play.ask(A), play.ask(A)
        await anyio.sleep(100)
        first.release()
        await anyio.sleep(100)
        assert play.state(A) == "ready"
        second.release()
        assert play.supervisor.instance("a").ttl == 60.0
        await anyio.sleep(59.9)
        assert play.state(A) == "ready"
        assert play.supervisor.instance("a").ttl == pytest.approx(0.1)
        await anyio.sleep(0.2)
        assert play.states(A)[-2:] == ["stopping", "stopped"]


async def test_each_use_begins_its_ttl_anew() -> None:
    async with stage(ttl=60.0) as play:
        for _ in range(5):
            await play.supervisor.start(A)
            await anyio.sleep(50)
        assert play.engine.launches == ["a"]
        await anyio.sleep(11)
        assert play.state(A) == "stopped"


async def test_short_uses_without_waiting_count_too() -> None:
    async with stage(ttl=60.0) as play:
        await play.supervisor.start(A)
        await anyio.sleep(50)
        lease = play.supervisor.try_lease("a")
        assert lease is not None
        await anyio.sleep(50)
        lease.release()
        await anyio.sleep(59)
        assert play.state(A) == "ready"
        await anyio.sleep(2)
        assert play.state(A) == "stopped"


async def test_one_that_nobody_waited_for_in_the_end_goes_too() -> None:
    async with stage(ttl=60.0) as play:
        client = play.ask(A)
        await anyio.sleep(0.5)
        client.leave()
        await anyio.sleep(30)
        assert play.state(A) == "ready"
        await anyio.sleep(32)
        assert play.state(A) == "stopped"


async def test_without_patience_it_goes_with_its_last_lease() -> None:
    async with stage(ttl=0.0) as play:
        first, second = play.ask(A), play.ask(A)
        await anyio.sleep(5)
        first.release()
        assert play.state(A) == "ready"
        second.release()
        assert play.state(A) == "stopping"


async def test_without_a_ttl_it_stays() -> None:
    async with stage(ttl=-1.0) as play:
        await play.supervisor.start(A)
        assert play.supervisor.instance("a").ttl is None
        await anyio.sleep(80_000)
        assert play.state(A) == "ready"


# --- pins ----------------------------------------------------------------------------------------


async def test_a_pinned_model_is_never_idle_too_long() -> None:
    async with stage(ttl=60.0) as play:
        play.supervisor.pin("a")
        await play.supervisor.start(A)
        assert play.supervisor.instance("a").pinned
        await anyio.sleep(1000)
        assert play.state(A) == "ready"
        play.supervisor.unpin("a")
        await anyio.sleep(1)
        assert play.state(A) == "stopped"


async def test_a_pinned_model_is_not_evicted() -> None:
    async with stage(max_models=1) as play:
        play.supervisor.pin("a")
        await play.supervisor.start(A)
        with pytest.raises(DoesNotFit, match="pinned"):
            await play.supervisor.lease(B)
        play.supervisor.unpin("a")
        await play.supervisor.start(B)
        assert play.engine.running == ["b"]


async def test_who_waits_gets_the_place_when_the_pin_goes() -> None:
    async with stage(max_models=2) as play:
        play.supervisor.pin("a")
        await play.supervisor.start(A)
        busy = play.ask(B)
        await anyio.sleep(2)
        waiting = play.ask(C)
        await anyio.sleep(2)
        play.supervisor.unpin("a")
        await anyio.sleep(2)
        assert waiting.lease is not None
        assert play.engine.running == ["b", "c"]
        busy.release()


async def test_a_pin_ends_when_the_model_is_stopped_by_name() -> None:
    async with stage() as play:
        play.supervisor.pin("a")
        await play.supervisor.start(A)
        await play.supervisor.stop("a", drain=0)
        assert not play.supervisor.instance("a").pinned


# --- a budget that is measured -------------------------------------------------------------------


class Machine:
    """Has so much memory `free`, and remembers whose was to be left out when it was asked."""

    def __init__(self) -> None:
        self.free = MEMORY
        self.asked: list[list[int]] = []

    def __call__(self, pids: list[int]) -> dict[str, int]:
        self.asked.append(pids)
        return {HOST: self.free}


async def test_the_budget_is_asked_before_each_start_with_the_processes_that_are_ours() -> None:
    machine = Machine()
    async with stage(budget=machine) as play:
        await play.supervisor.start(A)
        machine.free = 3
        with pytest.raises(DoesNotFit):
            await play.supervisor.start(B)
        assert machine.asked[-1] == [play.engine.server("a").pid]
        machine.free = MEMORY
        await play.supervisor.start(B)
        assert play.engine.running == ["a", "b"]


async def test_it_is_asked_again_when_a_place_is_given_up() -> None:
    """Somebody else has taken memory since `b` began to wait: `a` goes for it, and would not be enough."""
    machine = Machine()
    machine.free = 4
    async with stage(budget=machine) as play:
        a = play.ask(A)
        await anyio.sleep(2)
        b = play.ask(B)
        await anyio.sleep(2)
        machine.free = 3
        a.release()
        await anyio.sleep(5)
        assert isinstance(b.error, DoesNotFit)
        assert play.engine.running == ["a"]


@pytest.mark.parametrize("how", ["it leaves", "it is stopped"])
async def test_it_is_asked_again_when_the_first_in_line_is_gone(how: str) -> None:
    """`b` would need all, `c` only what was free when it came, and is free no more."""
    machine = Machine()
    machine.free = 8
    large = Model(name="b", path=B.path, size=8)
    async with stage(budget=machine, max_models=2) as play:
        await play.supervisor.lease(A)
        first = play.ask(large)
        await anyio.sleep(1)
        second = play.ask(C)
        await anyio.sleep(1)
        assert play.engine.launches == ["a"]
        machine.free = 4 + 1
        if how == "it leaves":
            first.leave()
        else:
            await play.supervisor.stop("b", drain=0)
        await anyio.sleep(5)
        assert second.lease is None
        assert play.engine.launches == ["a"]
