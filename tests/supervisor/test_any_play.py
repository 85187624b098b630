"""Hypothesis writes the play: who comes when, what breaks, who is stopped. What must never happen, does not."""

from contextlib import suppress
from itertools import pairwise
from math import inf

import anyio
import msgspec
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from llamactl.core.errors import LlamactlError, LoadFailed, Refused
from llamactl.core.instance import Failed, Ready, Starting, Stopped
from llamactl.core.model import Model
from tests.supervisor.fakes import Engine, FakeServer, Habits, now
from tests.supervisor.stage import MEMORY, Stage, stage

HOLD, LOAD_TIMEOUT = 3.0, 20.0
LONG_AFTER = 1000.0
"""Seconds from the last entrance on, until when everything must have been answered and be quiet."""

MOVES = {
    ("stopped", "starting"),
    ("failed", "starting"),
    ("backoff", "starting"),
    ("backoff", "stopped"),
    ("starting", "loading"),
    ("loading", "ready"),
    ("stopping", "stopped"),
    *((alive, end) for alive in ("starting", "loading", "ready") for end in ("stopping", "failed", "backoff")),
}


class Visit(msgspec.Struct, frozen=True):
    """A client: waits for a lease as long as its `patience` lasts, and uses it for a while."""

    at: float
    model: str
    patience: float
    use: float


class Incident(msgspec.Struct, frozen=True):
    at: float
    model: str
    what: str
    drain: float


class Script(msgspec.Struct, frozen=True):
    """`sizes` and `habits` by model. At `curtain` the supervisor is shut down, whoever still comes."""

    sizes: dict[str, int]
    habits: dict[str, Habits]
    max_models: int
    ttl: float
    visits: list[Visit]
    incidents: list[Incident]
    curtain: float


def any_of(*values: float) -> st.SearchStrategy[float]:
    return st.sampled_from(values)


models = st.sampled_from("abcd")
times = st.integers(0, 300).map(lambda tenths: tenths / 10)
habits = st.builds(
    Habits,
    refused=st.sampled_from(["", "", "", "", "no such flag"]),
    launching=any_of(0.0, 0.0, 0.3),
    loading=any_of(0.0, 0.2, 1.0, 1.0, 8.0, inf),
    writing=any_of(0.0, 30.0),
    crashing=any_of(inf, inf, inf, 0.5, 5.0),
    deaf=any_of(0, 0, 1, inf),
    lingering=any_of(0.01, 1.0),
)
scripts = st.builds(
    Script,
    sizes=st.fixed_dictionaries(dict.fromkeys("abcd", st.integers(1, MEMORY + 1))),
    habits=st.fixed_dictionaries(dict.fromkeys("abcd", habits)),
    max_models=st.sampled_from([0, 0, 1, 2]),
    ttl=any_of(-1.0, 0.0, 2.0),
    visits=st.lists(
        st.builds(Visit, times, models, any_of(0.0, 0.5, 5.0, inf, inf), any_of(0.0, 0.5, 5.0)), max_size=25
    ),
    incidents=st.lists(
        st.builds(
            Incident,
            times,
            models,
            st.sampled_from(["crash", "stop", "stop", "start", "pin", "unpin", "forget"]),
            any_of(0.0, 1.0, 10.0),
        ),
        max_size=10,
    ),
    curtain=any_of(inf, inf, 10.0, 20.0),
)

Times = tuple[float, float]
"""From, until."""


class Play:
    """One performance, and the notes taken of it."""

    def __init__(self, script: Script, on: Stage) -> None:
        self.script = script
        self.on = on
        self.models = {name: Model(name=name, path="/m", size=size) for name, size in script.sizes.items()}
        self.uses: list[tuple[FakeServer, Times]] = []
        self.stops: list[tuple[str, Times]] = []
        self.pardons: list[tuple[str, float]] = []  # names whose failures count no more
        self.closed_at = inf

    async def perform(self) -> None:
        async with anyio.create_task_group() as cast:
            for visit in self.script.visits:
                cast.start_soon(self._visit, visit)
            for incident in self.script.incidents:
                cast.start_soon(self._happens, incident)
            if self.script.curtain < inf:
                await anyio.sleep(self.script.curtain)
                self.closed_at = now()
                self.on.close()
        await anyio.sleep(LONG_AFTER)

    async def _visit(self, visit: Visit) -> None:
        await anyio.sleep(visit.at)
        lease = None
        with anyio.fail_after(LONG_AFTER), anyio.move_on_after(visit.patience), suppress(LlamactlError):
            lease = await self.on.supervisor.lease(self.models[visit.model])
        if lease is None:
            return
        phase, came = self.on.supervisor.instance(visit.model).phase, now()
        server = next(server for server in self.on.engine.servers if server.endpoint == lease.endpoint)
        assert (isinstance(phase, Ready) and phase.pid == server.pid) or server.ends == came, phase
        revoked = anyio.Event()
        lease.on_revoked = revoked.set
        with anyio.move_on_after(visit.use):
            await revoked.wait()
        lease.release()
        self.uses.append((server, (came, now())))

    async def _happens(self, incident: Incident) -> None:
        await anyio.sleep(incident.at)
        supervisor, model, began = self.on.supervisor, self.models[incident.model], now()
        match incident.what:
            case "crash":
                for server in self.on.engine.servers:
                    if server.model is model:
                        server.crash()
            case "stop":
                with anyio.fail_after(incident.drain + 10):
                    await supervisor.stop(model.name, incident.drain)
                self.stops.append((model.name, (began, now())))
            case "start":
                self.pardons.append((model.name, began))
                with suppress(LlamactlError):
                    await supervisor.start(model)
            case "pin":
                supervisor.pin(model.name)
            case "unpin":
                supervisor.unpin(model.name)
            case "forget":
                with suppress(Refused):
                    supervisor.forget(model.name)
                    self.pardons.append((model.name, began))

    # --- afterwards ------------------------------------------------------------------------------

    def check(self) -> None:
        self.memory_was_never_oversold()
        self.nobody_was_stopped_in_use_without_being_told_to()
        self.every_phase_followed_from_the_one_before()
        self.no_failed_load_was_tried_again_too_soon()
        self.nothing_is_left()

    def memory_was_never_oversold(self) -> None:
        engine = self.on.engine
        taken = [
            (asked, server.ends, server.model) for asked, server in zip(engine.launched, engine.servers, strict=True)
        ]
        for at, _, _ in taken:
            present = [model for asked, ends, model in taken if asked <= at < ends]
            assert sum(model.size for model in present) <= MEMORY, present
            assert len(present) <= (self.script.max_models or inf), present
            assert len(present) == len({model.name for model in present}), present

    def nobody_was_stopped_in_use_without_being_told_to(self) -> None:
        for server, (came, left) in self.uses:
            signalled = server.signals[0][1] if server.signals else inf
            if came <= signalled < min(left, server.ends, self.closed_at):
                asked = [
                    begin
                    for name, (begin, end) in self.stops
                    if name == server.model.name and begin <= signalled <= end
                ]
                assert asked, (server.model.name, came, left, signalled)

    def every_phase_followed_from_the_one_before(self) -> None:
        for model in self.models.values():
            assert {*pairwise(["stopped", *self.on.states(model)])} <= MOVES

    def no_failed_load_was_tried_again_too_soon(self) -> None:
        for model in self.models.values():
            for before, after in pairwise(self.on.phases(model)):
                if isinstance(before, Failed) and before.problem.code == LoadFailed.code:
                    assert isinstance(after, Starting)
                    pardons = [at for name, at in self.pardons if name == model.name]
                    assert after.since >= before.since + HOLD or any(
                        before.since <= at <= after.since for at in pardons
                    )

    def nothing_is_left(self) -> None:
        for instance in self.on.supervisor.instances():
            assert (instance.leases, instance.waiting) == (0, 0)
            assert isinstance(instance.phase, Stopped | Failed | Ready)
        if self.script.ttl >= 0:
            assert all(self.on.supervisor.instance(name).pinned for name in self.on.engine.running)
        if self.closed_at < inf:
            assert not self.on.engine.running


async def performed(script: Script) -> None:
    engine = Engine(**script.habits)
    async with stage(
        engine, max_models=script.max_models, max_wait=4.0, ttl=script.ttl, hold=HOLD, load_timeout=LOAD_TIMEOUT
    ) as on:
        play = Play(script, on)
        await play.perform()
        play.check()


@settings(max_examples=100, deadline=None)
@given(scripts, st.random_module())  # trio takes turns by chance: this makes it the chance of Hypothesis
def test_any_play(script: Script, _: object) -> None:
    trio.run(performed, script, clock=MockClock(autojump_threshold=0))


def test_one_whose_place_is_pinned_by_another_does_not_come_back() -> None:
    """Who waits for it is refused after its pause is over: then nobody is to start it."""
    habits = {name: Habits() for name in "abcd"} | {
        "c": Habits(loading=1.0, crashing=0.5),
        "b": Habits(loading=inf),
    }
    incidents = [Incident(0.0, "c", "start", 0.0), Incident(14.0, "b", "pin", 0.0), Incident(18.1, "a", "crash", 0.0)]
    visits = [Visit(0.0, "a", 0.0, 0.0), Visit(1.9, "b", 0.5, 0.0)]
    script = Script({"a": 1, "b": 9, "c": 8, "d": 1}, habits, 0, -1.0, visits, incidents, inf)
    trio.run(performed, script, clock=MockClock(autojump_threshold=0))
