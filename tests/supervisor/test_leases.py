"""Asking for a lease: who starts what, who waits, who is told what."""

from math import inf

import anyio
import pytest

from llamactl.core.errors import DoesNotFit, LoadFailed, QueueFull
from llamactl.core.instance import Failed
from llamactl.core.model import Model
from tests.supervisor.fakes import Engine, Habits, now
from tests.supervisor.stage import MEMORY, A, B, stage

pytestmark = pytest.mark.anyio


# --- a single flight -----------------------------------------------------------------------------


async def test_fifty_who_come_first_start_one_server() -> None:
    async with stage() as play:
        clients = [play.ask(A) for _ in range(50)]
        await anyio.sleep(5)
        assert play.engine.launches == ["a"]
        endpoint = play.engine.server("a").endpoint
        assert [client.lease and client.lease.endpoint for client in clients] == [endpoint] * 50
        assert all(1.0 <= client.at <= 1.03 for client in clients)
        assert play.supervisor.instance("a").leases == 50


async def test_whoever_comes_later_shares_it_too() -> None:
    async with stage(Engine(a=Habits(launching=1.0, loading=2.0))) as play:
        clients = []
        for _ in range(8):  # while it is spawned, while it loads, and when it is ready
            clients.append(play.ask(A))
            await anyio.sleep(0.5)
        assert play.engine.launches == ["a"]
        assert [client.at for client in clients[:7]] == pytest.approx([3.0] * 7, abs=0.06)
        assert clients[7].at == 3.5


async def test_a_ready_model_is_leased_without_awaiting() -> None:
    async with stage() as play:
        assert play.supervisor.try_lease("a") is None
        await play.supervisor.start(A)
        lease = play.supervisor.try_lease("a")
        assert lease is not None
        assert lease.endpoint == play.engine.server("a").endpoint
        assert play.supervisor.instance("a").leases == 1
        lease.release()
        lease.release()
        assert play.supervisor.instance("a").leases == 0


async def test_how_much_of_a_wait_the_model_was_loading() -> None:
    async with stage(Engine(a=Habits(launching=1.0, loading=2.0))) as play:
        began = now()
        first = play.ask(A)
        await anyio.sleep(2.5)
        late = now()
        second = play.ask(A)
        await anyio.sleep(1)
        third = play.ask(A)
        await anyio.sleep(0.1)
        assert first.lease is not None and second.lease is not None and third.lease is not None
        assert first.lease.loading(began - 5.0) == pytest.approx(3.0, abs=0.06)  # it waited for its turn before
        assert second.lease.loading(late) == pytest.approx(0.5, abs=0.06)
        assert third.lease.loading(now()) == 0.0


async def test_only_a_ready_model_can_be_leased_at_once() -> None:
    async with stage(Engine(a=Habits(launching=1.0, lingering=1.0))) as play:
        play.ask(A)
        for expected in ("starting", "loading", "ready"):
            await anyio.sleep(0.99)
            assert play.state(A) == expected
            assert (play.supervisor.try_lease("a") is not None) == (expected == "ready")
        play.group.start_soon(play.supervisor.stop, "a", 0.0)
        await anyio.sleep(0.5)
        assert play.state(A) == "stopping"
        assert play.supervisor.try_lease("a") is None


# --- failing -------------------------------------------------------------------------------------


async def test_a_load_that_fails_is_told_to_all_who_wait_and_not_tried_again() -> None:
    reason = "a could not be loaded: no such flag"
    async with stage(Engine(a=Habits(launching=0.5, refused="no such flag"))) as play:
        clients = [play.ask(A) for _ in range(5)]
        await anyio.sleep(60)
        assert [type(client.error) for client in clients] == [LoadFailed] * 5
        assert {client.error.message for client in clients if client.error} == {reason}
        assert len({id(client.error) for client in clients}) == 5  # each may raise its own
        assert all(client.at == 0.5 for client in clients)
        assert play.engine.launches == ["a"]
        phase = play.phases(A)[-1]
        assert isinstance(phase, Failed)
        assert phase.problem.message == reason


async def test_a_load_without_progress_is_told_to_those_who_wait() -> None:
    async with stage(Engine(a=Habits(loading=inf)), load_timeout=30.0) as play:
        client = play.ask(A)
        await anyio.sleep(31)
        assert isinstance(client.error, LoadFailed)
        assert client.at == pytest.approx(30.0, abs=0.5)


async def test_the_same_failure_is_answered_for_a_while_and_then_tried_again() -> None:
    async with stage(Engine(a=Habits(refused="no such flag")), hold=4.0) as play:
        first = play.ask(A)
        await anyio.sleep(3)
        held = play.ask(A)
        await anyio.sleep(0.9)
        assert play.engine.launches == ["a"]
        assert first.error is not None
        assert isinstance(held.error, LoadFailed)
        assert (held.error.message, held.error.hint) == (first.error.message, first.error.hint)
        assert held.error.retry_after == pytest.approx(1.0)
        assert held.at == 3.0
        await anyio.sleep(0.2)
        play.engine.habits["a"] = Habits()
        retried = play.ask(A)
        await anyio.sleep(2)
        assert play.engine.launches == ["a", "a"]
        assert retried.lease is not None


async def test_starting_by_name_tries_again_at_once() -> None:
    async with stage(Engine(a=Habits(refused="no such flag")), hold=1000.0) as play:
        for _ in range(2):
            with pytest.raises(LoadFailed, match="no such flag"):
                await play.supervisor.start(A)
        play.engine.habits["a"] = Habits()
        await play.supervisor.start(A)
        assert play.engine.launches == ["a", "a", "a"]
        assert play.state(A) == "ready"


async def test_a_failure_stays_to_be_seen_while_a_new_start_is_refused() -> None:
    async with stage(Engine(a=Habits(refused="no such flag")), hold=1000.0) as play:
        with pytest.raises(LoadFailed):
            await play.supervisor.start(A)
        with pytest.raises(DoesNotFit):
            await play.supervisor.start(Model(name="a", path=A.path, size=MEMORY + 1))
        assert play.state(A) == play.states(A)[-1] == "failed"


async def test_after_a_crash_of_a_ready_one_the_next_lease_starts_it_again() -> None:
    async with stage(hold=1000.0) as play:
        client = play.ask(A)
        await anyio.sleep(2)
        play.engine.server("a").crash()
        await anyio.sleep(0.01)
        assert play.state(A) == "backoff"
        assert play.supervisor.try_lease("a") is None
        client.release()  # of the one that is no more
        again = play.ask(A)
        await anyio.sleep(2.5)
        assert play.engine.launches == ["a", "a"]
        assert again.lease is not None
        assert again.lease.endpoint == play.engine.server("a").endpoint != play.engine.servers[0].endpoint
        assert play.supervisor.instance("a").leases == 1


async def test_a_lease_from_before_a_crash_does_not_count_against_the_new_server() -> None:
    async with stage() as play:
        old = play.ask(A)
        await anyio.sleep(2)
        play.engine.server("a").crash()
        await anyio.sleep(0.01)
        new = play.ask(A)
        await anyio.sleep(2.5)
        old.release()
        assert play.supervisor.instance("a").leases == 1
        new.release()
        assert play.supervisor.instance("a").leases == 0


async def test_what_can_never_fit_is_refused_at_once() -> None:
    async with stage() as play:
        with pytest.raises(DoesNotFit):
            await play.supervisor.lease(Model(name="huge", path="/models/huge.gguf", size=MEMORY + 1))
        assert play.engine.launches == []


async def test_too_many_who_wait_are_sent_away() -> None:
    async with stage(queue_per_model=2) as play:
        clients = [play.ask(A) for _ in range(2)]
        await anyio.sleep(0.5)
        with pytest.raises(QueueFull):
            await play.supervisor.lease(A)
        await anyio.sleep(1)
        assert all(client.lease for client in clients)


# --- leaving while waiting -----------------------------------------------------------------------


async def test_who_waited_for_a_place_and_left_starts_nothing() -> None:
    async with stage(max_models=1) as play:
        a = play.ask(A)
        await anyio.sleep(2)
        b = play.ask(B)
        await anyio.sleep(2)
        assert play.supervisor.instance("b").waiting == 1
        b.leave()
        await anyio.sleep(2)
        a.release()
        await anyio.sleep(60)
        assert play.engine.launches == ["a"]
        assert play.supervisor.instance("b").waiting == 0
        assert play.state(A) == "ready"


async def test_the_next_in_line_goes_on_when_the_first_has_left() -> None:
    async with stage(max_models=1) as play:
        a = play.ask(A)
        await anyio.sleep(2)
        left, stayed = play.ask(B), play.ask(B)
        await anyio.sleep(2)
        left.leave()
        a.release()
        await anyio.sleep(5)
        assert stayed.lease is not None
        assert play.supervisor.instance("b").leases == 1


async def test_a_load_goes_on_when_all_who_waited_have_left() -> None:
    async with stage() as play:
        client = play.ask(A)
        await anyio.sleep(0.5)
        client.leave()
        await anyio.sleep(5)
        assert (client.lease, client.error) == (None, None)
        assert play.state(A) == "ready"
        assert play.supervisor.instance("a").leases == 0


async def test_who_leaves_at_the_moment_of_the_grant_gives_the_lease_back() -> None:
    async with stage() as play:
        client = play.ask(A)
        play.hub.on_state["ready"] = client.leave
        await anyio.sleep(2)
        assert client.lease is None
        assert play.state(A) == "ready"
        assert play.supervisor.instance("a").requests == 1  # it was granted
        assert play.supervisor.instance("a").leases == 0
