"""Stopping one model by name, and all of them at the end."""

from math import inf

import anyio
import pytest

from llamactl.core.errors import Draining, LlamactlError, NotRunning
from llamactl.core.instance import Stopped, Stopping
from llamactl.core.model import Model
from tests.supervisor.fakes import CRASHED, OBEYED, Engine, Habits, now
from tests.supervisor.stage import A, B, C, Stage, stage

pytestmark = pytest.mark.anyio


class Stop:
    """A stop in a task of its own: what it answered, and when."""

    def __init__(self, play: Stage, model: Model, drain: float = 0.0) -> None:
        self.answer: bool | None = None
        self.took = inf
        self._began = now()
        self._scope = anyio.CancelScope()
        play.group.start_soon(self._run, play, model, drain)

    async def _run(self, play: Stage, model: Model, drain: float) -> None:
        with self._scope:
            self.answer = await play.supervisor.stop(model.name, drain)
            self.took = now() - self._began

    def leave(self) -> None:
        self._scope.cancel()


# --- in each phase -------------------------------------------------------------------------------


async def test_a_model_that_does_not_run_is_stopped_already() -> None:
    async with stage() as play:
        assert await play.supervisor.stop("a", drain=30) is False
        assert play.hub.told == []


@pytest.mark.parametrize("after", [0.5, 1.5, 3.0])
async def test_stopping_it_while_it_is_spawned_while_it_loads_and_when_it_is_ready(after: float) -> None:
    states = {0.5: ["starting"], 1.5: ["starting", "loading"], 3.0: ["starting", "loading", "ready"]}[after]
    async with stage(Engine(a=Habits(launching=1.0))) as play:
        client = play.ask(A)
        await anyio.sleep(after)
        if client.lease:
            client.release()
        assert await play.supervisor.stop("a", drain=30) is True
        assert now() == pytest.approx(max(after, 1.0) + (0.01 if after == 3.0 else 0.0))
        assert play.states(A) == [*states, "stopping", "stopped"]
        assert play.state(A) == "stopped"
        assert play.engine.server("a").closed
        assert isinstance(client.error, Draining) == (client.lease is None)


async def test_the_last_phase_says_how_it_ended_and_why_it_was_stopped() -> None:
    async with stage() as play:
        await play.supervisor.start(A)
        pid = play.engine.server("a").pid
        began = now()
        await play.supervisor.stop("a", drain=30)
        assert play.phases(A)[-2:] == [
            Stopping(began, pid, "stopped on request"),
            Stopped(now(), OBEYED, "stopped on request"),
        ]


async def test_stopping_who_waits_for_a_place_sends_it_away() -> None:
    async with stage(max_models=1) as play:
        play.ask(A)
        await anyio.sleep(2)
        waiting = play.ask(B)
        await anyio.sleep(1)
        assert await play.supervisor.stop("b", drain=30) is False
        await anyio.sleep(0.1)
        assert isinstance(waiting.error, Draining)


async def test_stopping_twice_at_once_stops_once() -> None:
    async with stage(Engine(a=Habits(lingering=1.0))) as play:
        await play.supervisor.start(A)
        first = Stop(play, A)
        await anyio.sleep(0.5)
        second = Stop(play, A)
        await anyio.sleep(3)
        assert (first.answer, first.took) == (True, 1.0)
        assert (second.answer, second.took) == (True, 0.5)
        assert len(play.engine.server("a").signals) == 1
        assert play.states(A).count("stopping") == 1
        assert await play.supervisor.stop("a", drain=0) is False


async def test_one_that_crashes_while_it_is_being_stopped_is_stopped() -> None:
    async with stage(Engine(a=Habits(deaf=inf))) as play:
        await play.supervisor.start(A)
        stop = Stop(play, A)
        await anyio.sleep(1)
        play.engine.server("a").crash()
        await anyio.sleep(1)
        assert (stop.answer, stop.took) == (True, 1.0)
        assert isinstance(play.phases(A)[-1], Stopped)
        assert play.phases(A)[-1] == Stopped(now() - 1, CRASHED, "stopped on request")


# --- with leases out -----------------------------------------------------------------------------


async def test_leases_have_the_drain_to_end_by_themselves_and_then_are_revoked() -> None:
    async with stage() as play:
        client = play.ask(A)
        await anyio.sleep(2)
        revoked: list[float] = []
        assert client.lease is not None
        client.lease.on_revoked = lambda: revoked.append(now())
        stop = Stop(play, A, drain=30)
        await anyio.sleep(29.9)
        assert (play.state(A), revoked) == ("ready", [])
        await anyio.sleep(5)
        assert revoked == [32.0]
        assert stop.answer is True
        assert stop.took == pytest.approx(30.01)
        client.release()
        assert play.supervisor.instance("a").leases == 0


async def test_a_lease_given_back_in_time_is_not_revoked() -> None:
    async with stage() as play:
        clients = [play.ask(A), play.ask(A)]
        await anyio.sleep(2)
        revoked: list[float] = []
        for client in clients:
            assert client.lease is not None
            client.lease.on_revoked = lambda: revoked.append(now())
        stop = Stop(play, A, drain=30)
        await anyio.sleep(10)
        clients[0].release()
        assert play.state(A) == "ready"
        clients[1].release()
        assert play.state(A) == "stopping"
        await anyio.sleep(30)
        assert stop.answer is True
        assert stop.took == pytest.approx(10.01)
        assert revoked == []


async def test_each_lease_is_revoked_once() -> None:
    async with stage() as play:
        client = play.ask(A)
        await anyio.sleep(2)
        revoked: list[float] = []
        assert client.lease is not None
        client.lease.on_revoked = lambda: revoked.append(now())
        Stop(play, A)
        Stop(play, A)
        await anyio.sleep(1)
        assert len(revoked) == 1
        await play.supervisor.start(A)  # and its holder has still not let go
        play.close()
        await anyio.sleep(1)
        assert len(revoked) == 1


async def test_whoever_lets_go_when_told_may_do_so_at_once() -> None:
    async with stage() as play:
        clients = [play.ask(A) for _ in range(3)]
        await anyio.sleep(2)
        for client in clients:
            assert client.lease is not None
            client.lease.on_revoked = client.lease.release
        assert await play.supervisor.stop("a", drain=1.0) is True
        assert play.supervisor.instance("a").leases == 0


async def test_while_it_is_drained_nobody_else_gets_it() -> None:
    async with stage() as play:
        client = play.ask(A)
        await anyio.sleep(2)
        stop = Stop(play, A, drain=30)
        await anyio.sleep(1)
        assert play.supervisor.try_lease("a") is None
        late = play.ask(A)
        await anyio.sleep(1)
        assert isinstance(late.error, Draining)
        assert late.error.retry_after is not None
        client.release()
        await anyio.sleep(1)
        assert stop.answer is True


async def test_a_second_stop_with_less_patience_ends_the_drain() -> None:
    async with stage() as play:
        play.ask(A)
        await anyio.sleep(2)
        patient = Stop(play, A, drain=1000)
        await anyio.sleep(1)
        assert await play.supervisor.stop("a", drain=5) is True
        await anyio.sleep(0.1)
        assert patient.took == pytest.approx(6.01)


async def test_it_is_stopped_though_the_one_who_said_so_has_left() -> None:
    async with stage() as play:
        play.ask(A)
        await anyio.sleep(2)
        stop = Stop(play, A, drain=1000)
        await anyio.sleep(1)
        stop.leave()
        await anyio.sleep(1)
        assert stop.answer is None
        assert play.state(A) == "stopped"


# --- and asked for again -------------------------------------------------------------------------


async def test_who_asks_while_it_goes_gets_a_new_one_and_the_stop_still_ends_in_time() -> None:
    async with stage(Engine(a=Habits(lingering=1.0))) as play:
        await play.supervisor.start(A)
        stop = Stop(play, A, drain=1000)
        await anyio.sleep(0.5)
        client = play.ask(A)
        await anyio.sleep(5)
        assert (stop.answer, stop.took) == (True, 1.0)
        assert play.engine.launches == ["a", "a"]
        assert client.lease is not None
        assert play.supervisor.try_lease("a") is not None


async def test_stopping_the_new_one_waits_for_the_new_one() -> None:
    async with stage(Engine(a=Habits(lingering=1.0))) as play:
        await play.supervisor.start(A)
        Stop(play, A, drain=1000)
        await anyio.sleep(0.5)
        client = play.ask(A)
        await anyio.sleep(5)
        client.release()
        assert await play.supervisor.stop("a", drain=1000) is True
        assert play.state(A) == "stopped"
        assert play.engine.running == []


# --- all of them, at the end ---------------------------------------------------------------------


async def test_all_are_put_down_together() -> None:
    slow = Habits(lingering=1.0, deaf=1)  # a second after the second signal: three in all
    models = [Model(name=f"m{number}", path="/m", size=1) for number in range(8)]
    async with stage(Engine(**{model.name: slow for model in models})) as play:
        for model in models:
            await play.supervisor.start(model)
        assert len(play.engine.running) == 8
        began = now()
        play.close()
        await anyio.sleep(2.9)
        assert len(play.engine.running) == 8
        await anyio.sleep(0.2)
        assert play.engine.running == []
        assert now() - began == pytest.approx(3.1)
        assert all(play.states(model)[-2:] == ["stopping", "stopped"] for model in models)


async def test_whatever_they_are_doing() -> None:
    habits = {"a": Habits(launching=1.0), "b": Habits(loading=inf), "c": Habits(lingering=1.0)}
    async with stage(Engine(**habits)) as play:
        await play.supervisor.start(C)
        stop = Stop(play, C)
        waiting = [play.ask(model) for model in (A, B, B)]
        await anyio.sleep(0.5)
        assert [play.state(model) for model in (A, B, C)] == ["starting", "loading", "stopping"]
        play.close()
        await anyio.sleep(0.01)
        assert [type(client.error) for client in waiting] == [NotRunning] * 3
        await anyio.sleep(1)
        assert [play.state(model) for model in (A, B, C)] == ["stopped"] * 3
        assert stop.answer is True
        assert play.engine.running == []


async def test_leases_are_revoked_at_once() -> None:
    async with stage(Engine(a=Habits(lingering=1.0))) as play:
        client = play.ask(A)
        await anyio.sleep(2)
        revoked: list[float] = []
        assert client.lease is not None
        client.lease.on_revoked = lambda: revoked.append(now())
        play.close()
        await anyio.sleep(0.01)
        assert revoked == [2.0]
        client.release()


async def test_while_they_are_put_down_nobody_gets_them_any_more() -> None:
    async with stage(Engine(a=Habits(lingering=1.0))) as play:
        used = play.ask(A)
        await play.supervisor.start(B)
        play.close()
        await anyio.sleep(0.005)
        assert sorted(play.engine.running) == ["a", "b"]
        for model in (A, B):
            assert play.supervisor.try_lease(model.name) is None
            with pytest.raises(NotRunning):
                await play.supervisor.lease(model)
        assert used.lease is not None


async def test_all_are_stopped_whoever_uses_them_and_may_be_started_again() -> None:
    async with stage(Engine(b=Habits(loading=60.0))) as play:
        used = play.ask(A)
        await anyio.sleep(1)
        play.supervisor.begin(B)
        await anyio.sleep(1)
        assert [play.state(model) for model in (A, B)] == ["ready", "loading"]
        await play.supervisor.stop_all()
        assert [play.state(model) for model in (A, B)] == ["stopped", "stopped"]
        assert play.engine.running == []
        used.release()
        await play.supervisor.start(A)
        await play.supervisor.stop_all()
        await play.supervisor.stop_all()
        assert play.engine.running == []


async def test_after_that_nothing_is_started_any_more() -> None:
    async with stage(max_models=1) as play:
        await play.supervisor.start(A)
        play.close()
        await anyio.sleep(1)
        for model in (A, B):
            with pytest.raises(NotRunning):
                await play.supervisor.lease(model)
            with pytest.raises(NotRunning):
                play.supervisor.begin(model)
        assert play.supervisor.try_lease("a") is None
        assert await play.supervisor.stop("a", drain=5) is False
        assert play.engine.launches == ["a"]


@pytest.mark.parametrize("_", range(10))  # who is woken first is left to chance
async def test_who_is_granted_a_lease_at_the_moment_of_the_end_gets_a_good_one_or_none(_: int) -> None:
    async with stage(Engine(a=Habits(lingering=1.0))) as play:
        states: list[str] = []
        errors: list[LlamactlError] = []

        async def client() -> None:
            try:
                await play.supervisor.lease(A)
                states.append(play.state(A))
            except LlamactlError as error:
                errors.append(error)

        play.group.start_soon(client)
        play.hub.on_state["ready"] = play.close
        await anyio.sleep(3)
        assert states == ["ready"] or [type(error) for error in errors] == [NotRunning]
