"""What watchers are told, and the smaller questions."""

import anyio
import msgspec
import pytest

from llamactl.core.errors import LoadFailed, Refused, TimedOut, UpstreamDied
from llamactl.core.events import InstanceChanged
from llamactl.core.instance import Backoff, Loading, Ready, Starting, state
from llamactl.core.model import HOST
from tests.supervisor.fakes import CRASHED, Engine, Habits, now
from tests.supervisor.stage import A, B, C, stage

pytestmark = pytest.mark.anyio


# --- events --------------------------------------------------------------------------------------


async def test_every_phase_is_told_in_order_with_what_belongs_to_it() -> None:
    async with stage(Engine(a=Habits(launching=0.5))) as play:
        await play.supervisor.start(A)
        pid = play.engine.server("a").pid
        ready = now()
        play.engine.server("a").crash()
        await anyio.sleep(0.5)
        problem = UpstreamDied("a ended: segmentation fault").problem()
        *before, last = play.phases(A)
        assert before == [Starting(0.0), Loading(0.0, pid), Ready(ready, pid, ready)]
        assert isinstance(last, Backoff)
        assert last == Backoff(ready, last.until, problem, CRASHED)
        assert last.until - ready == pytest.approx(1.0, rel=0.11)
        assert [numbered.id for numbered in play.hub.told] == [1, 2, 3, 4, 5]  # with the decision to start it


async def test_one_who_watches_sees_the_same_as_one_who_asks() -> None:
    async with stage(Engine(b=Habits(refused="no such flag")), max_models=2) as play:
        seen: dict[str, str] = {}

        async def watch() -> None:
            with play.hub.watch() as watcher:
                async for numbered in watcher:
                    event = numbered.event
                    if isinstance(event, InstanceChanged):
                        seen[event.model] = state(event.phase)
                        assert seen[event.model] == play.state_of(event.model)

        play.group.start_soon(watch)
        for model in (A, B, C, A):
            play.ask(model)
            await anyio.sleep(2)
        assert seen == {"a": "ready", "b": "failed", "c": "ready"}


# --- instance ------------------------------------------------------------------------------------


async def test_what_is_said_of_an_instance() -> None:
    async with stage(max_models=1, ttl=60.0) as play:
        play.supervisor.pin("pinned")
        a = play.ask(A)
        await anyio.sleep(2)
        play.ask(B)
        play.ask(B)
        await anyio.sleep(1)
        instances = {instance.model: instance for instance in play.supervisor.instances()}
        assert list(instances) == ["a", "b", "pinned"]
        assert instances["a"].need == {HOST: A.size}
        assert (instances["a"].leases, instances["a"].requests, instances["a"].ttl) == (1, 1, None)
        assert (instances["b"].waiting, state(instances["b"].phase), instances["b"].need) == (2, "stopped", {})
        assert instances["pinned"].pinned
        a.release()
        await anyio.sleep(2)
        assert play.supervisor.instance("a").need == {}
        assert play.supervisor.instance("b").leases == 2
        assert state(play.supervisor.instance("never heard of").phase) == "stopped"


async def test_a_model_is_started_as_it_is_now() -> None:
    async with stage() as play:
        await play.supervisor.start(A)
        await play.supervisor.stop("a", drain=0)
        changed = msgspec.structs.replace(A, settings={"ctx_size": 512})
        await play.supervisor.start(changed)
        assert [server.model for server in play.engine.servers] == [A, changed]


# --- begin ---------------------------------------------------------------------------------------


async def test_a_start_can_be_left_alone() -> None:
    async with stage() as play:
        play.supervisor.begin(A)
        assert play.state(A) == "stopped"
        await anyio.sleep(0.5)
        assert play.state(A) == "loading"
        await anyio.sleep(1)
        assert play.state(A) == "ready"
        assert play.supervisor.instance("a").leases == 0


async def test_a_start_that_was_left_alone_may_fail() -> None:
    async with stage(Engine(a=Habits(refused="no such flag"))) as play:
        play.supervisor.begin(A)
        await anyio.sleep(1)
        assert play.state(A) == "failed"
        play.supervisor.begin(B)  # and the supervisor is as well as before
        await anyio.sleep(2)
        assert play.state(B) == "ready"


# --- wait ----------------------------------------------------------------------------------------


async def test_waiting_for_a_state() -> None:
    async with stage() as play:
        assert state((await play.supervisor.wait("a", {"stopped"}, 0.0)).phase) == "stopped"
        play.supervisor.begin(A)
        instance = await play.supervisor.wait("a", {"ready", "failed"}, 10.0)
        assert isinstance(instance.phase, Ready)
        assert now() == pytest.approx(1.0, abs=0.03)


async def test_waiting_ends_some_time() -> None:
    async with stage() as play:
        await play.supervisor.start(A)
        began = now()
        with pytest.raises(TimedOut, match=r"a is not stopped after 5 s: it is ready") as caught:
            await play.supervisor.wait("a", {"stopped"}, 5.0)
        assert caught.value.hint == "llamactl why a"
        assert now() - began == 5.0


# --- forget --------------------------------------------------------------------------------------


async def test_a_model_is_forgotten() -> None:
    async with stage(Engine(a=Habits(refused="no such flag")), hold=1000.0) as play:
        play.supervisor.pin("a")
        with pytest.raises(LoadFailed):
            await play.supervisor.start(A)
        play.supervisor.forget("a")
        assert play.supervisor.instances() == []
        play.engine.habits.clear()
        assert (await play.supervisor.lease(A)).endpoint  # whoever is called so next has no past


@pytest.mark.parametrize("when", [0.5, 1.5, 3.0])
async def test_a_model_that_runs_is_not_forgotten(when: float) -> None:
    async with stage(Engine(a=Habits(launching=1.0))) as play:
        play.supervisor.begin(A)
        await anyio.sleep(when)
        with pytest.raises(Refused, match=f"a is {play.state(A)}") as caught:
            play.supervisor.forget("a")
        assert caught.value.hint == "llamactl stop a"


async def test_a_model_that_somebody_waits_for_is_not_forgotten() -> None:
    async with stage(max_models=1) as play:
        a = play.ask(A)
        await anyio.sleep(2)
        b = play.ask(B)
        await anyio.sleep(1)
        with pytest.raises(Refused, match="waited for") as caught:
            play.supervisor.forget("b")
        assert caught.value.hint == "llamactl stop b"
        a.release()
        await anyio.sleep(2)
        assert b.lease is not None
