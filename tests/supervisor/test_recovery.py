"""What died though it was wanted comes back; requests wait for it, or are told why not."""

from collections.abc import Awaitable, Callable
from itertools import pairwise
from math import inf

import anyio
import pytest

from llamactl.core.errors import LoadFailed, NotRunning, QueueFull, Refused
from llamactl.core.instance import Backoff, Exit, Failed, Ready, Starting, Stopped
from llamactl.core.restart import Policy
from tests.supervisor.fakes import Engine, Habits, now
from tests.supervisor.stage import A, B, C, Stage, stage

pytestmark = pytest.mark.anyio

FRAIL = Habits(loading=0.0, crashing=0.5)
"""Ready at once, and dead half a second later."""


def backoff(play: Stage) -> Backoff:
    phase = play.supervisor.instance("a").phase
    assert isinstance(phase, Backoff), phase
    return phase


def pauses(play: Stage) -> list[float]:
    return [
        after.since - before.since
        for before, after in pairwise(play.phases(A))
        if isinstance(before, Backoff) and isinstance(after, Starting)
    ]


async def test_it_comes_back_by_itself() -> None:
    async with stage() as play:
        await play.supervisor.start(A)
        play.engine.server("a").crash()
        await anyio.sleep(0.5)
        assert play.supervisor.instance("a").need == {}, "while it waits it takes no memory"
        await anyio.sleep(2)
        assert play.state(A) == "ready"
        assert play.supervisor.instance("a").restarts == 1
        assert play.states(A)[-4:] == ["backoff", "starting", "loading", "ready"]


async def test_pauses_grow_and_then_it_is_given_up() -> None:
    async with stage(Engine(a=FRAIL)) as play:
        await play.supervisor.start(A)
        await anyio.sleep(60)
        assert pauses(play) == pytest.approx([1, 2, 4, 8], rel=0.11)
        phase = play.phases(A)[-1]
        assert isinstance(phase, Failed)
        assert (
            phase.problem.message == "a ended: segmentation fault; it is given up, since it died 5 times within 600 s"
        )
        assert play.supervisor.instance("a").restarts == 4


async def test_who_was_well_begins_with_the_first_pause_again() -> None:
    async with stage(Engine(a=Habits(crashing=200.0))) as play:
        await play.supervisor.start(A)
        await anyio.sleep(2000)
        assert len(pauses(play)) > 5
        assert pauses(play) == pytest.approx([1.0] * len(pauses(play)), rel=0.11)


async def test_what_is_given_up_is_refused_until_its_deaths_lie_far_back() -> None:
    async with stage(Engine(a=FRAIL)) as play:
        await play.supervisor.start(A)
        first = now() + 0.5
        await anyio.sleep(60)
        with pytest.raises(LoadFailed, match="given up") as caught:
            await play.supervisor.lease(A)
        assert caught.value.retry_after == pytest.approx(first + 600 - now(), abs=0.1)
        assert "llamactl start a" in caught.value.hint
        play.engine.habits.clear()
        await anyio.sleep(first + 600.1 - now())
        (await play.supervisor.lease(A)).release()


async def test_starting_by_name_forgives_everything() -> None:
    async with stage(Engine(a=FRAIL)) as play:
        await play.supervisor.start(A)
        await anyio.sleep(60)
        before = len(pauses(play))
        await play.supervisor.start(A)
        await anyio.sleep(60)
        assert pauses(play)[before:] == pytest.approx([1, 2, 4, 8], rel=0.11)


async def test_what_time_does_not_mend_is_not_started_again() -> None:
    async with stage() as play:
        await play.supervisor.start(A)
        server = play.engine.server("a")
        server._end(0.0, Exit("built for another processor", signal=4, kind="illegal_instruction"))
        await anyio.sleep(100)
        assert play.state(A) == "failed"
        assert play.engine.launches == ["a"]


# --- who waits -----------------------------------------------------------------------------------


async def test_requests_wait_through_a_short_pause() -> None:
    async with stage() as play:
        await play.supervisor.start(A)
        play.engine.server("a").crash()
        await anyio.sleep(0.1)
        clients = [play.ask(A) for _ in range(3)]
        await anyio.sleep(0.1)
        assert play.supervisor.instance("a").waiting == 3
        await anyio.sleep(3)
        assert all(client.lease for client in clients)
        assert play.engine.launches == ["a", "a"]


async def test_those_who_waited_for_the_load_that_died_wait_on() -> None:
    async with stage(Engine(a=Habits(loading=60.0, crashing=0.5))) as play:
        client = play.ask(A)
        await anyio.sleep(1)
        assert play.state(A) == "backoff"
        play.engine.habits.clear()
        await anyio.sleep(3)
        assert client.lease is not None


async def test_those_who_wait_get_the_reason_when_it_is_given_up() -> None:
    async with stage(Engine(a=Habits(loading=60.0, crashing=0.5))) as play:
        clients = [play.ask(A) for _ in range(2)]
        await anyio.sleep(60)
        assert [type(client.error) for client in clients] == [LoadFailed] * 2
        message = "a could not be loaded: segmentation fault; it is given up, since it died 5 times within 600 s"
        assert {client.error.message for client in clients if client.error} == {message}
        assert play.engine.launches == ["a"] * 5


async def test_a_start_by_name_waits_like_a_request() -> None:
    async with stage(Engine(a=Habits(loading=60.0, crashing=0.5))) as play:
        with pytest.raises(LoadFailed, match="given up"):
            await play.supervisor.start(A)
        assert pauses(play) == pytest.approx([1, 2, 4, 8], rel=0.11)


async def test_before_a_long_pause_they_are_sent_away_with_its_end() -> None:
    async with stage(restart=Policy(first=15.0)) as play:
        await play.supervisor.start(A)
        play.engine.server("a").crash()
        await anyio.sleep(1)
        left = backoff(play).until - now()
        with pytest.raises(LoadFailed, match=r"segmentation fault; it is started again in \d+ s") as caught:
            await play.supervisor.lease(A)
        assert caught.value.retry_after == pytest.approx(left)
        await anyio.sleep(left - 5)
        client = play.ask(A)
        await anyio.sleep(8)
        assert client.lease is not None, "the rest of it is short enough"


async def test_no_more_wait_than_may() -> None:
    async with stage(queue_per_model=2) as play:
        await play.supervisor.start(A)
        play.engine.server("a").crash()
        await anyio.sleep(0.1)
        clients = [play.ask(A) for _ in range(2)]
        await anyio.sleep(0.1)
        with pytest.raises(QueueFull):
            await play.supervisor.lease(A)
        clients[0].leave()
        await anyio.sleep(0.1)
        last = play.ask(A)
        await anyio.sleep(3)
        assert last.lease is not None


# --- who intervenes ------------------------------------------------------------------------------


async def test_a_start_by_name_ends_the_pause() -> None:
    async with stage(restart=Policy(first=5.0)) as play:
        await play.supervisor.start(A)
        play.engine.server("a").crash()
        await anyio.sleep(1)
        client = play.ask(A)
        await anyio.sleep(0.1)
        began = now()
        await play.supervisor.start(A)
        assert now() - began == pytest.approx(1.0, abs=0.1)
        await anyio.sleep(20)
        assert client.at - began == pytest.approx(1.0, abs=0.1)
        assert play.engine.launches == ["a", "a"]


async def test_a_stop_ends_it_for_good() -> None:
    async with stage() as play:
        await play.supervisor.start(A)
        play.engine.server("a").crash()
        await anyio.sleep(0.1)
        client = play.ask(A)
        await anyio.sleep(0.1)
        assert await play.supervisor.stop("a", drain=30) is True
        await anyio.sleep(100)
        assert isinstance(client.error, NotRunning)
        phase = play.supervisor.instance("a").phase
        assert isinstance(phase, Stopped)
        assert phase.why == "stopped on request"
        assert play.engine.launches == ["a"]


async def test_the_end_of_the_daemon_ends_it() -> None:
    async with stage() as play:
        await play.supervisor.start(A)
        play.engine.server("a").crash()
        await anyio.sleep(0.1)
        client = play.ask(A)
        await anyio.sleep(0.1)
        play.close()
        await anyio.sleep(10)
        assert isinstance(client.error, NotRunning)
        assert play.state(A) == "stopped"


async def test_it_may_leave_the_catalogue_unless_it_is_waited_for() -> None:
    async with stage() as play:
        await play.supervisor.start(A)
        play.engine.server("a").crash()
        await anyio.sleep(0.1)
        client = play.ask(A)
        await anyio.sleep(0.1)
        with pytest.raises(Refused):
            play.supervisor.forget("a")
        client.leave()
        await anyio.sleep(0.1)
        play.supervisor.forget("a")
        await anyio.sleep(10)
        assert play.engine.launches == ["a"]


# --- who wants it still --------------------------------------------------------------------------


async def died(play: Stage) -> None:
    await play.supervisor.start(A)
    await anyio.sleep(8)
    play.engine.server("a").crash()
    await anyio.sleep(0.1)


async def used(play: Stage) -> None:
    client = play.ask(A)
    await anyio.sleep(9)
    play.engine.server("a").crash()
    await anyio.sleep(0.1)
    client.release()


async def loading(play: Stage) -> None:
    """And whoever asked for it has left."""
    play.engine.habits["a"] = Habits(loading=60.0, crashing=8.0)
    client = play.ask(A)
    await anyio.sleep(1)
    client.leave()
    await anyio.sleep(7.1)
    play.engine.habits.clear()


async def pinned(play: Stage) -> None:
    play.supervisor.pin("a")
    await died(play)


@pytest.mark.parametrize(
    ("ttl", "how", "comes"),
    [
        (-1.0, died, True),
        (20.0, died, True),
        (10.0, died, False),
        (10.0, used, True),
        (10.0, loading, True),
        (0.0, pinned, True),
    ],
)
async def test_it_is_wanted_as_long_as_it_would_have_stayed(
    ttl: float, how: Callable[[Stage], Awaitable[None]], comes: bool
) -> None:
    async with stage(ttl=ttl, restart=Policy(first=5.0)) as play:
        await how(play)
        assert play.state(A) == "backoff"
        await anyio.sleep(7)
        phase = play.supervisor.instance("a").phase
        if comes:
            assert isinstance(phase, Ready)
        else:
            assert isinstance(phase, Stopped)
            assert phase.why == "idle"


async def test_nobody_is_evicted_for_one_that_nobody_waits_for() -> None:
    async with stage(max_models=1, restart=Policy(first=5.0)) as play:
        await play.supervisor.start(A)
        play.engine.server("a").crash()
        await anyio.sleep(1)
        await play.supervisor.start(B)
        await anyio.sleep(10)
        assert (play.state(A), play.state(B)) == ("stopped", "ready")
        phase = play.supervisor.instance("a").phase
        assert isinstance(phase, Stopped)
        assert "place was taken" in phase.why


@pytest.mark.parametrize("awaited", [False, True])
async def test_memory_is_a_place_too(awaited: bool) -> None:
    async with stage(restart=Policy(first=5.0)) as play:  # three of them fit
        await play.supervisor.start(A)
        play.engine.server("a").crash()
        for model in (B, C, type(A)(name="d", path="/models/d.gguf", size=4)):
            await play.supervisor.start(model)
        client = play.ask(A) if awaited else None
        await anyio.sleep(10)
        assert play.state(A) == ("ready" if awaited else "stopped")
        if client is not None:
            assert client.lease is not None


async def test_one_that_is_pinned_comes_back_though_who_waited_for_it_has_left() -> None:
    async with stage(max_models=1, max_wait=600.0) as play:
        await play.supervisor.start(A)
        play.supervisor.pin("a")
        play.engine.server("a").crash()
        await anyio.sleep(0.1)
        other = play.ask(B)
        await anyio.sleep(0.1)
        client = play.ask(A)
        await anyio.sleep(5)
        assert other.lease is not None
        assert play.state(A) == "backoff", "its place is taken, and in use"
        client.leave()
        await anyio.sleep(5)
        other.release()
        await anyio.sleep(5)
        assert play.state(A) == "ready"


async def test_a_crash_while_nobody_is_there_any_more_is_forgotten_in_the_end() -> None:
    async with stage(Engine(a=Habits(loading=inf, crashing=0.5)), ttl=0.0) as play:
        client = play.ask(A)
        await anyio.sleep(0.2)
        client.leave()
        await anyio.sleep(100)
        assert play.state(A) == "stopped"
        assert play.engine.launches == ["a"]


async def test_one_whose_worker_has_gone_is_put_down_while_it_is_idle() -> None:
    async with stage() as play:
        await play.supervisor.start(A)
        client = play.ask(A)
        await anyio.sleep(0.1)
        play.supervisor.bereave("a", "the worker has ended")
        assert play.engine.server("a").running, "it notices by itself, and says more of it"
        client.release()
        play.supervisor.bereave("a", "the worker has ended")
        await anyio.sleep(0.1)
        phase = backoff(play)
        assert phase.exit is not None
        assert (phase.exit.kind, phase.exit.reason) == ("worker_lost", "the worker has ended")
        assert phase.problem.message.endswith("the worker has ended")
        play.supervisor.bereave("a", "the worker has ended")
        await anyio.sleep(2.5)
        assert play.state(A) == "ready"
        play.engine.server("a").crash()
        await anyio.sleep(0.1)
        phase = backoff(play)
        assert phase.exit is not None
        assert phase.exit.kind == "signal", "that was another one"
