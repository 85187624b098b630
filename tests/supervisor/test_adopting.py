"""llama-servers that an earlier daemon left running, and those that are left to a later one."""

import anyio
import pytest

from llamactl.core.events import InstanceChanged
from llamactl.core.instance import Backoff, Failed, Loading, Ready, Stopping
from llamactl.core.model import HOST
from tests.supervisor.fakes import CRASHED, Engine, FakeServer, Habits, now
from tests.supervisor.stage import A, B, C, Stage, stage

pytestmark = pytest.mark.anyio


def left(play: Stage, habits: Habits = Habits(loading=0.0)) -> FakeServer:
    server = FakeServer(A, 77, habits)
    play.engine.servers.append(server)
    return server


async def test_one_that_serves_is_ready_at_once() -> None:
    async with stage(begun=False, ttl=5.0) as play:
        server = left(play)
        play.supervisor.adopt(A, server, Ready(-60.0, 77, 2.0), "left by an earlier daemon", 60.0)
        [told] = [numbered.event for numbered in play.hub.told]
        assert told == InstanceChanged("a", Ready(-60.0, 77, 2.0), "left by an earlier daemon")
        await play.begin()
        instance = play.supervisor.instance("a")
        assert (instance.phase, instance.need, instance.ttl) == (Ready(-60.0, 77, 2.0), {HOST: A.size}, 5.0)
        client = play.ask(A)
        await anyio.sleep(1.0)
        assert client.lease is not None
        assert client.lease.endpoint == server.endpoint
        assert not play.engine.launches
        client.release()
        await anyio.sleep(4.9)
        assert play.state(A) == "ready"
        await anyio.sleep(0.2)
        assert play.state(A) == "stopped", "idle for as long as any other"
        assert server.closed


async def test_its_memory_counts_from_the_start() -> None:
    async with stage(begun=False) as play:
        play.supervisor.adopt(A, left(play), Ready(0.0, 77, 2.0), "", 60.0)
        play.supervisor.pin("a")
        await play.begin()
        b, c = play.ask(B), play.ask(C)
        await anyio.sleep(5)
        assert b.lease is not None
        assert c.lease is not None
        third = play.ask(C.__class__(name="d", path="/d", size=4))
        await anyio.sleep(5)
        assert third.lease is None, "three of four are all that there is memory for"
        for client in (b, c):
            client.release()
        await anyio.sleep(5)
        third.release()


async def test_one_that_loads_is_waited_for() -> None:
    async with stage(begun=False) as play:
        play.supervisor.adopt(A, left(play, Habits(loading=3.0)), Loading(-1.0, 77), "", 60.0)
        await play.begin()
        client = play.ask(A)
        await anyio.sleep(2.9)
        assert client.lease is None
        await anyio.sleep(0.3)
        assert isinstance(phase := play.supervisor.instance("a").phase, Ready)
        assert (phase.since - phase.took, phase.pid) == (-1.0, 77)
        client.release()
        assert not play.engine.launches


async def test_one_that_keeps_silent_is_put_down() -> None:
    async with stage(begun=False) as play:
        server = left(play, Habits(loading=1e9))
        play.supervisor.adopt(A, server, Loading(0.0, 77), "", 3.0)
        await play.begin()
        await anyio.sleep(3.5)
        assert not server.running
        assert isinstance(play.supervisor.instance("a").phase, Failed)


async def test_one_that_has_died_is_told_as_any_death() -> None:
    async with stage(begun=False) as play:
        server = left(play)
        server.crash()
        play.supervisor.adopt(A, server, Ready(-1.0, 77, 0.5), "", 60.0)
        await play.begin()
        await anyio.sleep(0.1)
        assert play.states(A)[:2] == ["ready", "backoff"], "and it will be started again"
        assert isinstance(phase := play.phases(A)[1], Backoff)
        assert phase.exit == CRASHED


async def test_one_that_is_not_wanted_goes_before_another_comes() -> None:
    async with stage(begun=False) as play:
        server = left(play, Habits(loading=0.0, lingering=1.5))
        play.supervisor.adopt(A, server, Stopping(now(), 77, "it had been told to stop"), "", 60.0)
        await play.begin()
        client = play.ask(A)
        await anyio.sleep(1.4)
        assert play.engine.running == ["a"]
        assert not play.engine.launches
        await anyio.sleep(1.5)
        assert client.lease is not None
        assert play.engine.launches == ["a"]
        client.release()


async def test_those_it_keeps_outlive_it() -> None:
    engine = Engine(b=Habits(loading=9.0), c=Habits(loading=0.1, lingering=1.0))
    async with stage(engine, keeps=True) as play:
        await play.supervisor.start(A)
        play.supervisor.begin(B)
        await play.supervisor.start(C)
        play.group.start_soon(play.supervisor.stop, "c", 0.0)
        await anyio.sleep(0.5)
        play.supervisor.keeps = True
        play.close()
        await play.closed.wait()
        assert engine.running == ["a", "b"], "one that was being stopped is gone"
        assert not engine.server("a").signals
        assert not engine.server("a").closed
