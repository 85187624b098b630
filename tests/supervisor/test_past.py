"""What a model has behind it, after the daemon has executed itself anew."""

import anyio
import msgspec
import pytest

from llamactl.core.instance import Backoff, Failed, Ready, Stopped
from llamactl.core.model import Model
from llamactl.supervisor import Past
from tests.supervisor.fakes import Engine, FakeServer, Habits, now
from tests.supervisor.stage import A, B, Stage, stage

pytestmark = pytest.mark.anyio


def handed_over(play: Stage, model: Model = A) -> Past:
    """As it arrives at the other end."""
    return msgspec.json.decode(msgspec.json.encode(play.supervisor.pasts()[model.name]), type=Past)


async def test_one_that_waits_to_be_started_again_goes_on_waiting() -> None:
    frail = Engine(a=Habits(loading=0.0, crashing=0.5))
    async with stage(frail) as play:
        await play.supervisor.start(A)
        await anyio.sleep(5)
        before, past = play.supervisor.instance("a"), handed_over(play)
        assert isinstance(before.phase, Backoff)
        assert before.restarts == 2
    async with stage(begun=False) as play:
        play.supervisor.remember(A, past)
        assert play.supervisor.instance("a") == before
        await play.begin()
        await anyio.sleep(before.phase.until - now() - 0.1)
        assert play.state(A) == "backoff"
        await anyio.sleep(1.2)
        assert play.state(A) == "ready"
        assert play.supervisor.instance("a").restarts == 3
        play.engine.server("a").crash()
        await anyio.sleep(0.1)
        phase = play.supervisor.instance("a").phase
        assert isinstance(phase, Backoff)
        assert phase.until - phase.since == pytest.approx(8, rel=0.11), "the fourth pause, not the first"


async def test_what_is_given_up_stays_so() -> None:
    async with stage(Engine(a=Habits(loading=0.0, crashing=0.5))) as play:
        await play.supervisor.start(A)
        await anyio.sleep(60)
        past = handed_over(play)
    assert isinstance(past.phase, Failed)
    async with stage(begun=False) as play:
        play.supervisor.remember(A, past)
        await play.begin()
        client = play.ask(A)
        await anyio.sleep(1)
        assert client.error is not None
        assert "given up" in client.error.message


async def test_one_that_runs_is_idle_for_as_long_as_it_was() -> None:
    async with stage() as play:
        await play.supervisor.start(A, 100.0)
        client = play.ask(A)
        await play.supervisor.start(B, 0.0)
        busy, fresh = handed_over(play), handed_over(play, B)
        client.release()
        idle, since = handed_over(play), now()
        await anyio.sleep(40)
    assert busy.used is None
    assert (fresh.ttl, fresh.fresh) == (0.0, True), "started by name, it stays for a while all the same"
    assert idle.used == since
    async with stage(begun=False) as play:
        server = FakeServer(A, 77, Habits(loading=0.0))
        play.engine.servers.append(server)
        play.supervisor.adopt(A, server, Ready(-60.0, 77, 2.0), "", 60.0)
        play.supervisor.remember(A, idle)
        await play.begin()
        instance = play.supervisor.instance("a")
        assert (instance.phase, instance.requests) == (Ready(-60.0, 77, 2.0), 2)
        assert instance.ttl == pytest.approx(since + 100.0 - now())


async def test_what_loads_took_is_known() -> None:
    async with stage(Engine(a=Habits(loading=7.0))) as play:
        await play.supervisor.start(A)
        past = handed_over(play)
        assert past.wanted_until is not None
    async with stage(begun=False) as play:
        play.supervisor.remember(A, past)
        assert play.supervisor.instance("a").phase == Stopped(), "who runs is adopted, or does not run"
        await play.begin()
        play.ask(A)
        await anyio.sleep(0.1)
        eta = play.supervisor.instance("a").eta
        assert eta is not None
        assert eta > 6


async def test_a_start_that_nobody_waits_for_is_told() -> None:
    async with stage() as play:
        play.supervisor.begin(A, 5.0)
        await anyio.sleep(0.1)
        assert (handed_over(play).begun, handed_over(play).ttl) == (True, 5.0)
        await anyio.sleep(2)
        assert not handed_over(play).begun


async def test_without_end_is_without_end() -> None:
    async with stage(Engine(a=Habits(loading=0.0, crashing=0.5))) as play:
        play.supervisor.pin("a")
        await play.supervisor.start(A)
        await anyio.sleep(1)
        past = handed_over(play)
        assert past.wanted_until is None
    async with stage(begun=False) as play:
        play.supervisor.remember(A, past)
        await play.begin()
        await anyio.sleep(3)
        assert play.state(A) == "ready"
