"""Instances in which nothing moves: told of, restarted where that is wanted, and never while they work."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from llamactl.core.events import InstanceDoubted
from llamactl.core.instance import Backoff, Ready
from llamactl.supervisor import Watchdog
from tests.supervisor.fakes import Engine, Habits, now
from tests.supervisor.stage import A, B, Client, Stage, stage

pytestmark = pytest.mark.anyio

WINDOW = 300.0
MARGIN = 2 * WINDOW / 10
"""It looks ten times in a window; the first look may come late, and so may the last."""


class Proxy:
    """What the watchdog asks, and what it is answered."""

    def __init__(self) -> None:
        self.at: dict[int, object] = {}
        self.decoded: int | None = 5
        self.gives_token = False
        self.takes_connections = True
        self.questions: list[float] = []
        self.probes: list[float] = []

    def answers(self, endpoint: str) -> dict[int, object]:
        return dict(self.at)

    async def listens(self, endpoint: str) -> bool:
        return self.takes_connections

    async def decodes(self, endpoint: str) -> int | None:
        self.questions.append(now())
        return self.decoded

    async def probe(self, endpoint: str, timeout: float) -> bool:
        self.probes.append(now())
        await anyio.sleep(0.0 if self.gives_token else timeout)
        return self.gives_token


class Scene:
    def __init__(self, play: Stage, proxy: Proxy, client: Client, watchdog: Watchdog) -> None:
        self.play, self.proxy, self.client, self.watchdog = play, proxy, client, watchdog

    def doubted(self) -> float | None:
        return self.play.supervisor.instance("a").wedged

    @property
    def told(self) -> list[float | None]:
        events = [numbered.event for numbered in self.play.hub.told]
        return [event.seconds for event in events if isinstance(event, InstanceDoubted)]


@asynccontextmanager
async def scene(engine: Engine | None = None, **more: Any) -> AsyncIterator[Scene]:
    """A request that gets no answer, since time 1."""
    async with stage(engine) as play:
        proxy = Proxy()
        options: dict[str, Any] = {"window": WINDOW, "clock": now, **more}
        watchdog = Watchdog(play.supervisor, proxy.listens, proxy.answers, proxy.decodes, proxy.probe, **options)
        await play.group.start(watchdog.run)
        client = play.ask(A)
        await anyio.sleep(1.1)
        proxy.at[1] = object()
        yield Scene(play, proxy, client, watchdog)


async def test_one_that_does_nothing_is_marked_and_goes_on() -> None:
    async with scene() as here:
        await anyio.sleep(WINDOW - 2)
        assert here.doubted() is None
        assert here.proxy.probes == []
        await anyio.sleep(MARGIN + 40)
        assert here.doubted() is not None
        assert len(here.told) == 1
        assert here.told[0] is not None and here.told[0] >= WINDOW
        await anyio.sleep(1000)
        assert isinstance(here.play.supervisor.instance("a").phase, Ready)
        assert len(here.proxy.probes) == len(here.told) == 1


async def test_it_is_asked_seldom_and_only_when_nothing_moves() -> None:
    async with scene() as here:
        for _ in range(20):
            await anyio.sleep(20)
            here.proxy.at[1] = object()
        assert here.proxy.questions == []
        await anyio.sleep(200)
        assert 1 < len(here.proxy.questions) < 10


@pytest.mark.parametrize("what", ["bytes", "lines", "decodes"])
async def test_a_busy_one_is_never_touched(what: str) -> None:
    engine = Engine(a=Habits(writing=1e9 if what == "lines" else 0.0))
    async with scene(engine, then="restart") as here:
        for number in range(60):
            await anyio.sleep(100)
            if what == "bytes":
                here.proxy.at[1] = object()
            elif what == "decodes":
                here.proxy.decoded = number
        assert here.proxy.probes == []
        assert here.told == []
        assert here.play.engine.server("a").signals == []


async def test_one_without_requests_is_never_asked() -> None:
    async with scene() as here:
        here.client.release()
        await here.play.supervisor.start(B)
        await anyio.sleep(10000)
        assert here.proxy.questions == here.proxy.probes == here.told == []


async def test_a_request_that_came_late_does_not_inherit_the_silence_before_it() -> None:
    async with scene() as here:
        here.client.release()
        await anyio.sleep(1000)
        here.play.ask(A)
        await anyio.sleep(WINDOW - 2)
        assert here.proxy.probes == []


async def test_clients_that_give_up_and_come_back_are_no_sign_of_life() -> None:
    async with scene() as here:
        for number in range(10):
            await anyio.sleep(50)
            other = here.play.ask(A)
            await anyio.sleep(0.1)
            here.proxy.at = {number + 2: object()}
            here.client.release()
            here.client = other
        assert here.doubted() is not None


async def test_one_that_gives_a_token_works() -> None:
    async with scene(then="restart") as here:
        here.proxy.gives_token = True
        await anyio.sleep(5000)
        assert len(here.proxy.probes) > 5
        assert here.told == []
        assert here.play.engine.server("a").signals == []


async def test_one_that_does_not_even_tell_its_count_is_marked_too() -> None:
    async with scene() as here:
        here.proxy.decoded = None
        await anyio.sleep(WINDOW + MARGIN + 40)
        assert here.doubted() is not None


async def test_one_that_moves_again_is_trusted_again() -> None:
    async with scene() as here:
        await anyio.sleep(WINDOW + MARGIN + 40)
        here.proxy.at[1] = object()
        await anyio.sleep(MARGIN)
        assert here.doubted() is None
        assert here.told[1:] == [None]


async def test_one_whose_requests_have_left_is_trusted_again() -> None:
    async with scene() as here:
        await anyio.sleep(WINDOW + MARGIN + 40)
        here.client.release()
        await anyio.sleep(MARGIN)
        assert here.doubted() is None


async def test_it_is_restarted_where_that_is_wanted() -> None:
    async with scene(then="restart") as here:
        await anyio.sleep(WINDOW + MARGIN + 40)
        first, second = here.play.engine.servers
        assert first.signals[0][0] == "SIGKILL"
        assert second.running
        [pause] = [phase for phase in here.play.phases(A) if isinstance(phase, Backoff)]
        assert pause.exit is not None and pause.exit.kind == "wedged"
        assert "nothing moved in it for" in pause.exit.reason
        assert here.doubted() is None
        assert here.play.state(A) == "ready"


async def test_it_need_not_look() -> None:
    async with scene(window=0.0) as here:
        await anyio.sleep(10000)
        assert here.proxy.probes == []


async def test_other_rules_count_at_once() -> None:
    async with scene(window=0.0) as here:
        await anyio.sleep(10 * WINDOW)
        assert here.doubted() is None, "it does not look"
        here.watchdog.configure(WINDOW, "mark")
        await anyio.sleep(WINDOW + WINDOW / 2)
        assert here.doubted() is not None


@pytest.mark.parametrize("caught", [False, True], ids=["no longer listens", "is caught in its end"])
async def test_one_that_will_not_serve_again_is_put_down_whatever_is_configured(caught: bool) -> None:
    async with scene(then="mark") as here:
        first = here.play.engine.server("a")
        here.proxy.takes_connections = first.caught = caught
        await anyio.sleep(MARGIN + 5)
        assert first.signals[0][0] == "SIGKILL"
        assert here.told[0] is not None, "and it is told why"
        assert here.proxy.probes == here.proxy.questions == [], "there is nobody to ask"
