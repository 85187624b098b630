"""Other rules in the midst of everything: what waits goes on by them, what runs stays."""

from typing import Any

import anyio
import pytest

from llamactl.core.errors import LoadFailed, QueueFull
from llamactl.core.model import HOST
from llamactl.core.restart import Policy
from llamactl.core.scheduler import Limits
from tests.supervisor.fakes import Engine, Habits, now
from tests.supervisor.stage import MEMORY, A, B, C, Client, Stage, stage

pytestmark = pytest.mark.anyio


def configure(
    play: Stage,
    memory: int = MEMORY,
    ttl: float = -1.0,
    load_timeout: float = 600.0,
    hold: float = 1.0,
    restart: Policy | None = None,
    **limits: Any,
) -> None:
    play.supervisor.configure(
        Limits(budget={HOST: memory}, **limits), ttl=ttl, load_timeout=load_timeout, hold=hold, restart=restart
    )


def served(client: Client) -> bool:
    return client.lease is not None


async def test_who_waits_for_room_gets_it() -> None:
    for limits in ({"max_models": 1}, {"budget": lambda _: {HOST: 4}}):
        async with stage(**limits) as play:
            await play.supervisor.start(A)
            a = play.ask(A)
            await anyio.sleep(1)
            b = play.ask(B)
            await anyio.sleep(50)
            assert served(a) and not served(b)
            configure(play)
            await anyio.sleep(1.1)
            assert served(b) and play.engine.running == ["a", "b"]


async def test_tighter_limits_put_nobody_out_and_hold_for_those_to_come() -> None:
    async with stage() as play:
        a, b = play.ask(A), play.ask(B)
        await anyio.sleep(2)
        b.release()
        configure(play, max_models=1)
        await anyio.sleep(100)
        assert sorted(play.engine.running) == ["a", "b"]
        c = play.ask(C)
        await anyio.sleep(100)
        assert not served(c), "one place, and that is taken"
        a.release()
        await anyio.sleep(2)
        assert served(c) and play.engine.running == ["c"]


async def test_another_measure_of_memory() -> None:
    asked: list[list[int]] = []

    def budget(pids: list[int]) -> dict[str, int]:
        asked.append(pids)
        return {HOST: 4}

    async with stage() as play:
        play.ask(A)
        await anyio.sleep(2)
        play.supervisor.configure(Limits(budget={HOST: 0}), budget, ttl=-1.0, load_timeout=600.0, hold=1.0)
        assert asked == [[play.engine.server("a").pid]]
        b = play.ask(B)
        await anyio.sleep(100)
        assert not served(b)
        configure(play)
        await anyio.sleep(2)
        assert served(b)
        before = len(asked)
        play.ask(C)
        await anyio.sleep(2)
        assert len(asked) == before, "what is configured needs no measuring"


async def test_the_time_of_idleness_counts_for_what_is_loaded_too() -> None:
    async with stage(ttl=900.0) as play:
        await play.supervisor.start(A)
        await anyio.sleep(50)
        configure(play, ttl=60.0)
        await anyio.sleep(9)
        assert play.engine.running == ["a"]
        await anyio.sleep(2)
        assert play.engine.running == []
        used = play.ask(A)
        await anyio.sleep(2)
        configure(play, ttl=0.0)
        await anyio.sleep(100)
        assert served(used) and play.engine.running == ["a"], "nobody is cut off"
        used.release()
        await anyio.sleep(1)
        assert play.engine.running == []


async def test_one_that_has_been_idle_for_longer_goes_at_once() -> None:
    async with stage(ttl=-1.0) as play:
        await play.supervisor.start(A)
        await anyio.sleep(500)
        configure(play, ttl=60.0)
        await anyio.sleep(1)
        assert play.engine.running == []


async def test_who_waits_comes_of_age_sooner() -> None:
    async with stage(max_models=1, max_wait=1000.0) as play:
        a = play.ask(A)
        await anyio.sleep(2)
        b = play.ask(B)
        await anyio.sleep(20)
        assert play.supervisor.try_lease("a") is not None, "it serves whoever comes"
        configure(play, max_models=1, max_wait=10.0)
        assert play.supervisor.try_lease("a") is None, "it is kept for b now"
        assert served(a) and not served(b)


@pytest.mark.parametrize("limit", ["queue_per_model", "queue_total"])
async def test_the_length_of_the_queue(limit: str) -> None:
    async with stage(max_models=1) as play:
        play.ask(A)
        await anyio.sleep(2)
        waiting = play.ask(B)
        await anyio.sleep(2)
        limits: dict[str, Any] = {limit: 1}
        configure(play, max_models=1, **limits)
        refused = play.ask(B)
        await anyio.sleep(2)
        assert isinstance(refused.error, QueueFull)
        assert waiting.error is None, "who waits already may go on waiting"


async def test_how_long_a_load_may_take_and_is_not_tried_again() -> None:
    async with stage(Engine(a=Habits(loading=100.0))) as play:
        configure(play, load_timeout=5.0, hold=50.0)
        began = now()
        client = play.ask(A)
        await anyio.sleep(10)
        assert isinstance(client.error, LoadFailed) and client.at - began == pytest.approx(5.0, abs=0.3)
        again = play.ask(A)
        await anyio.sleep(1)
        assert again.error is not None and again.error.retry_after == pytest.approx(45.0, abs=0.3)
        configure(play, hold=0.5)
        third = play.ask(A)
        await anyio.sleep(1)
        assert third.error is None and len(play.engine.servers) == 2


async def test_how_soon_one_that_died_is_started_again() -> None:
    async with stage(restart=Policy(first=500.0)) as play:
        play.ask(A)
        await anyio.sleep(2)
        configure(play, restart=Policy(first=5.0, factor=3.0, longest=12.0, crashes=3))
        for pause in (5.0, 12.0):  # and not 15
            play.engine.server("a").crash()
            died = now()
            await anyio.sleep(pause + 2)
            assert play.engine.server("a").born - died == pytest.approx(pause, abs=1.5)
        play.engine.server("a").crash()
        await anyio.sleep(1000)
        assert play.engine.running == [], "that was the third"
