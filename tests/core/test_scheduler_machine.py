"""Hypothesis plays the supervisor against the scheduler, and keeps its own books on what is true.

`Play` performs every effect the way the supervisor would, in any order and with any delay, and checks at
each one that it was allowed. Memory is in made-up units, time in seconds.
"""

import sys
from collections import Counter
from collections.abc import Iterable

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from llamactl.core.errors import DoesNotFit, Draining, LlamactlError, LoadFailed, QueueFull
from llamactl.core.scheduler import Effect, Grant, Group, Limits, Refuse, Resident, Scheduler, Start, Stop
from llamactl.core.scheduler.late import LONGEST
from llamactl.core.scheduler.residents import GRACE

MODELS = ("a", "b", "c", "d", "e")
MAX_WAIT = 10.0
STEP, LOAD, HOLD = 2.0, 8, 3
"""While everybody is kept busy: seconds a round, rounds a load takes (longer than MAX_WAIT) and a lease is held."""

models = st.sampled_from(MODELS)
needs = st.fixed_dictionaries({"host": st.integers(1, 6)}, optional={"gpu": st.integers(0, 3)})
budgets = st.fixed_dictionaries({"host": st.integers(5, 14), "gpu": st.integers(2, 6)})
most_places = st.sampled_from([0, 0, 0, 1, 2, 3])
ttls = st.sampled_from([-1.0, -1.0, -1.0, 0.0, 3.0, 25.0])
priorities = st.sampled_from([0, 0, 0, 5, -1])
pick = st.integers(0, 1000)
groups = st.lists(
    st.builds(
        Group,
        name=st.sampled_from(["few", "many"]),
        models=st.frozensets(models, min_size=1),
        max=st.sampled_from([0, 1, 2]),
        exclusive=st.sampled_from([False, False, True]),
    ),
    max_size=2,
    unique_by=lambda group: group.name,
).map(tuple)


def total(residents: Iterable[Resident], device: str) -> int:
    return sum(resident.claim.get(device, 0) for resident in residents)


class Play(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.last_ticket = 0
        self.waiting: dict[int, tuple[str, float]] = {}  # ticket → model, since when
        self.phase: dict[str, str] = {}  # of what has a process: starting, ready, draining or stopping
        self.memory: dict[str, dict[str, int]] = {}  # of what has a process
        self.asked: dict[str, dict[str, int]] = {}  # need in the latest request that had to wait
        self.leases: list[Resident] = []
        self.budgets: dict[str, dict[str, int]] = {}  # of what has a process: at its start or its stop
        self.back: list[tuple[float, dict[str, int]]] = []  # when somebody went, and the budget of before
        self.settled = True  # nothing has changed that the scheduler was not asked to decide upon

    @initialize(
        needs=st.fixed_dictionaries(dict.fromkeys(MODELS, needs)),
        budget=budgets,
        places=most_places,
        groups=st.just(()) | groups,
        planned=st.sampled_from([1, 2, 16]),
    )
    def begin(
        self,
        needs: dict[str, dict[str, int]],
        budget: dict[str, int],
        places: int,
        groups: tuple[Group, ...],
        planned: int,
    ) -> None:
        self.needs = needs
        limits = Limits(
            budget=budget, max_models=places, max_wait=MAX_WAIT, queue_per_model=4, queue_total=9, groups=groups
        )
        self.scheduler = Scheduler(limits, planned=planned)
        self.planned = planned

    # --- performing effects, each of which must be allowed ----------------------------------------

    def perform(self, effects: list[Effect], *errors: type[LlamactlError], stops: str = "") -> None:
        """`errors`: with what may be refused beside `DoesNotFit`. `stops`: the model somebody said stop to."""
        made_room_for = set()
        for effect in effects:
            match effect:
                case Start(model):
                    self.started(model)
                case Stop(model, why):
                    self.stopped(model, why, on_request=model == stops)
                    if why.startswith("evicted for "):
                        made_room_for.add(why.removeprefix("evicted for "))
                case Grant(ticket, model):
                    assert self.waiting.pop(ticket)[0] == model
                    assert self.phase[model] == "ready"
                    self.leases.append(self.scheduler.residents[model])
                case Refuse(ticket, error):
                    del self.waiting[ticket]
                    assert isinstance(error, (DoesNotFit, *errors))
        for model in made_room_for:
            assert self.will_fit(model), "stopped an idle one though that does not make enough room"

    def started(self, model: str) -> None:
        assert model not in self.phase
        assert model in self.lines(), "started for nobody"
        self.phase[model] = "starting"
        self.memory[model] = self.asked[model]
        limits = self.scheduler.limits
        for device, size in self.asked[model].items():
            taken = sum(memory.get(device, 0) for memory in self.memory.values())
            assert size == 0 or taken <= limits.budget.get(device, 0), "memory is oversold"
        self.budgets[model] = limits.budget
        assert len(self.phase) <= (limits.max_models or 99), "too many models"
        for group in limits.groups:
            members = group.models & self.phase.keys()
            assert not group.max or model not in members or len(members) <= group.max, "too many of a group"
            assert not group.exclusive or len(members) in (0, len(self.phase)), "one that is not of the group"

    def stopped(self, model: str, why: str, on_request: bool) -> None:
        before, leases = self.phase[model], self.leases_on(model)
        self.phase[model] = "stopping"
        self.budgets[model] = self.scheduler.limits.budget
        if on_request:
            assert before in ("starting", "ready", "draining")
            assert not leases or (before == "draining" and "not drained in time" in why)
            return
        assert before == "ready" and not leases and model not in self.scheduler.pinned
        resident = self.scheduler.residents[model]
        if why == "idle":
            assert resident.ttl >= 0 and resident.used + resident.ttl <= self.now
            assert resident.ttl or not resident.fresh or self.now - resident.used >= GRACE
        else:
            other = why.removeprefix("evicted for ")
            assert other in self.lines() and other not in self.phase
            assert model not in self.lines() or self.lines()[other] + MAX_WAIT <= self.now

    def lines(self) -> dict[str, float]:
        """Who is waited for, and since when at the longest."""
        since: dict[str, float] = {}
        for model, at in self.waiting.values():
            since[model] = min(at, since.get(model, at))
        return since

    def closing(self) -> set[str]:
        return {model for model, resident in self.scheduler.residents.items() if resident.closing}

    def leases_on(self, model: str) -> int:
        return sum(resident is self.scheduler.residents[model] for resident in self.leases)

    def fits_beside(self, model: str, need: dict[str, int], staying: list[str]) -> bool:
        """With all memory back that may yet come back."""
        limits = self.scheduler.limits
        late = [before for at, before in self.back if self.now < at + LONGEST]
        for device, size in need.items():
            budget = max(budget.get(device, 0) for budget in [limits.budget, *late])
            if size > 0 and size + sum(self.memory[other].get(device, 0) for other in staying) > budget:
                return False
        for group in limits.groups:
            members = group.models.intersection(staying)
            if group.max and model in group.models and len(members) >= group.max:
                return False
            if group.exclusive and staying and len(members) != (len(staying) if model in group.models else 0):
                return False
        return len(staying) < (limits.max_models or 99)

    def will_fit(self, model: str) -> bool:
        """Once all that is leaving has left."""
        return self.fits_beside(model, self.asked[model], self.in_phase("starting", "ready"))

    def hopeless(self, model: str) -> bool:
        """It does not run, nobody waits for it, and the pinned that stay leave no room for it."""
        pinned = [other for other in self.in_phase("starting", "ready") if other in self.scheduler.pinned]
        idle = model not in self.phase and not self.scheduler.waiting(model)
        return idle and not self.fits_beside(model, self.needs[model], pinned)

    # --- what may happen ----------------------------------------------------------------------------

    @rule(model=models, ttl=ttls, priority=priorities)
    def request(self, model: str, ttl: float, priority: int = 0) -> None:
        draining = self.phase.get(model) == "draining"
        self.last_ticket += 1
        self.waiting[self.last_ticket] = (model, self.now)
        if self.scheduler.waiting(model):
            self.settled = self.settled and self.needs[model] == self.asked[model]
        before = self.asked.get(model)
        self.asked[model] = self.needs[model]
        hopeless = self.hopeless(model)
        effects = self.scheduler.request(self.last_ticket, model, self.needs[model], self.now, ttl, priority)
        full = [effect for effect in effects if isinstance(effect, Refuse) and isinstance(effect.error, QueueFull)]
        if full:
            assert len(self.waiting) == 10 or self.scheduler.waiting(model) == 4
            if before is not None:
                self.asked[model] = before
        assert draining == any(isinstance(effect, Refuse) and isinstance(effect.error, Draining) for effect in effects)
        assert not hopeless or [type(effect) for effect in effects] == [Refuse]
        self.perform(effects, QueueFull, Draining)

    @rule(several=st.lists(models, min_size=2, max_size=6), ttl=ttls)
    def requests(self, several: list[str], ttl: float) -> None:
        for model in several:
            self.request(model, ttl)

    @rule(several=st.lists(models, min_size=1, max_size=6), ttl=ttls, seconds=st.sampled_from([0.0, 1.0, 11.0]))
    def serve(self, several: list[str], ttl: float, seconds: float) -> None:
        """Requests, and what is under way comes to its end."""
        self.requests(several, ttl)
        while self.in_phase("starting", "stopping"):
            self.all_ready()
            self.all_gone()
        self.time_passes(seconds)

    def all_ready(self) -> None:
        for model in self.in_phase("starting"):
            self.ready(self.in_phase("starting").index(model))

    def all_gone(self) -> None:
        for model in self.in_phase("stopping"):
            self.gone(sorted(self.phase).index(model), False)

    @precondition(lambda self: self.leases)
    @rule(which=st.lists(pick, min_size=2, max_size=6))
    def releases(self, which: list[int]) -> None:
        for lease in which:
            if self.leases:
                self.release(lease)

    @rule(model=models)
    def admit(self, model: str) -> None:
        resident = self.scheduler.admit(model)
        if resident is not None:
            assert self.phase[model] == "ready" and model not in self.lines()
            self.leases.append(resident)

    @precondition(lambda self: self.waiting)
    @rule(which=pick)
    def cancel(self, which: int) -> None:
        ticket = sorted(self.waiting)[which % len(self.waiting)]
        del self.waiting[ticket]
        self.perform(self.scheduler.cancel(ticket, self.now))

    @rule()
    def all_give_up(self) -> None:
        while self.waiting:
            self.cancel(0)
        assert self.closing() == set()

    @rule(ticket=pick)
    def cancel_what_does_not_wait(self, ticket: int) -> None:
        if ticket not in self.waiting:
            assert self.scheduler.cancel(ticket, self.now) == []

    @precondition(lambda self: self.leases)
    @rule(which=pick, fresh=st.sampled_from([False, False, True]))
    def release(self, which: int, fresh: bool = False) -> None:
        resident = self.leases.pop(which % len(self.leases))
        model = resident.model
        last_of_draining = (
            self.phase.get(model) == "draining"
            and self.scheduler.residents[model] is resident
            and not self.leases_on(model)
        )
        effects = self.scheduler.release(resident, self.now, fresh=fresh)
        assert last_of_draining == (Stop(model, "stopped on request") in effects)
        self.perform(effects, stops=model if last_of_draining else "")

    def in_phase(self, *phases: str) -> list[str]:
        return sorted(model for model, phase in self.phase.items() if phase in phases)

    @precondition(lambda self: self.in_phase("starting"))
    @rule(which=pick)
    def ready(self, which: int) -> None:
        starting = self.in_phase("starting")
        model = starting[which % len(starting)]
        self.phase[model] = "ready"
        waited_for = model in self.lines()
        self.perform(self.scheduler.ready(model, self.now))
        assert not waited_for or self.leases_on(model), "loaded, and yet those who waited were not served"

    @precondition(lambda self: self.phase)
    @rule(which=pick, failed=st.booleans())
    def gone(self, which: int, failed: bool) -> None:
        model = sorted(self.phase)[which % len(self.phase)]
        self.leaves(model)
        effects = self.scheduler.gone(model, self.now, LoadFailed("no") if failed else None)
        if failed:
            mine = {ticket for ticket, (waited_for, _) in self.waiting.items() if waited_for == model}
            assert mine <= {effect.ticket for effect in effects if isinstance(effect, Refuse)}
        self.perform(effects, *([LoadFailed] if failed else []))

    def leaves(self, model: str) -> None:
        self.back.append((self.now, self.budgets.pop(model)))
        del self.phase[model], self.memory[model]

    @rule(model=models)
    def clear(self, model: str) -> None:
        """It died for want of memory."""
        if model not in self.phase:
            effects = self.scheduler.clear(model, self.now)
            self.settled = self.settled and not effects
            for effect in effects:
                assert isinstance(effect, Stop) and self.phase[effect.model] == "ready"
                assert not self.leases_on(effect.model) and effect.model not in self.scheduler.pinned
                assert effect.model not in self.lines()
                self.phase[effect.model] = "stopping"
                self.budgets[effect.model] = self.scheduler.limits.budget
            idle = [other for other in self.in_phase("ready") if not self.leases_on(other)]
            assert all(other in self.scheduler.pinned or other in self.lines() for other in idle)

    @rule(groups=groups)
    def regroup(self, groups: tuple[Group, ...]) -> None:
        self.perform(self.scheduler.regroup(groups, self.now))
        self.settled = True

    @rule(model=models)
    def retire(self, model: str) -> None:
        if self.phase.get(model) in ("starting", "ready") and self.leases_on(model):
            self.phase[model] = "draining"
        self.perform(self.scheduler.retire(model, self.now), Draining, stops=model)
        assert model not in self.lines()
        assert self.phase.get(model) in (None, "draining", "stopping")

    @rule(model=models)
    def expel(self, model: str) -> None:
        draining = self.phase.get(model) == "draining"
        effects = self.scheduler.expel(model, self.now)
        assert draining == any(isinstance(effect, Stop) and effect.model == model for effect in effects)
        self.perform(effects, stops=model)

    @rule(model=models)
    def pin(self, model: str) -> None:
        self.scheduler.pin(model)
        self.settled = False

    @rule(model=models)
    def unpin(self, model: str) -> None:
        self.perform(self.scheduler.unpin(model, self.now))
        self.settled = True

    @rule(budget=budgets, places=most_places)
    def other_limits(self, budget: dict[str, int], places: int) -> None:
        self.scheduler.limits = msgspec.structs.replace(self.scheduler.limits, budget=budget, max_models=places)
        self.settled = False

    @rule(model=models, need=needs)
    def measure_anew(self, model: str, need: dict[str, int]) -> None:
        self.needs[model] = need

    @rule(seconds=st.sampled_from([0.5, 2.0, 7.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        """The alarm that was asked for is enough: nothing happens before it.

        While something is being stopped, its end will bring about whatever could be done sooner.
        """
        due = self.scheduler.wake_at(self.now)
        closing = self.closing()
        self.now += seconds
        effects = self.scheduler.tick(self.now)
        if self.settled and (due is None or self.now < due) and not self.in_phase("stopping"):
            # For whom no room is planned, it may be found out later that there can never be any.
            found_out = all(isinstance(effect, Refuse) for effect in effects) and self.planned < len(MODELS)
            assert (effects == [] or found_out) and self.closing() == closing
        self.perform(effects)
        self.settled = True

    @rule()
    def the_alarm_goes_off(self) -> None:
        due = self.scheduler.wake_at(self.now)
        if due is not None:
            self.now = max(self.now, due)
            self.perform(self.scheduler.tick(self.now))
            self.settled = True
            later = self.scheduler.wake_at(self.now)
            assert later is None or later > self.now, "the alarm goes off all the time"

    # --- what is always true ------------------------------------------------------------------------

    @invariant()
    def books_agree(self) -> None:
        s = self.scheduler
        assert s.residents.keys() == self.phase.keys()
        on = Counter(id(resident) for resident in self.leases)
        for model, resident in s.residents.items():
            assert resident.state == {"draining": "retiring"}.get(self.phase[model], self.phase[model])
            assert resident.leases == on[id(resident)]
            assert resident.need == self.memory[model]
        assert all(resident.leases >= 0 for resident in self.leases)
        waiting = Counter(model for model, _ in self.waiting.values())
        assert {model: s.waiting(model) for model in MODELS} == {model: waiting[model] for model in MODELS}
        staying = [resident for resident in s.residents.values() if not resident.leaving]
        pinned = [resident for resident in staying if resident.model in s.pinned]
        sums = s._residents
        for sum_of, those in ((sums.held, s.residents.values()), (sums.staying, staying), (sums.pinned, pinned)):
            assert {d: n for d, n in sum_of.items() if n} == {
                d: n for d in ("host", "gpu", "places", "group few", "group many") if (n := total(those, d))
            }
        assert sums.unready == {model for model, resident in s.residents.items() if resident.state != "ready"}
        assert sums.cohorts == Counter(resident.cohort for resident in s.residents.values())
        assert sums.cohorts_pinned == Counter(resident.cohort for resident in pinned)
        assert s._closing.keys() == self.closing()
        assert len(self.waiting) <= 9 and max(waiting.values(), default=0) <= 4

    @invariant()
    def lines_are_in_the_order_of_their_age(self) -> None:
        order = [self.lines()[model] for model in self.scheduler.lines]
        assert order == sorted(order)

    @invariant()
    def who_waits_for_a_ready_one_does_so_for_the_sake_of_one_who_waited_long(self) -> None:
        lines = self.lines()
        elders = [model for model in lines if model not in self.phase and lines[model] + MAX_WAIT <= self.now]
        for model, resident in self.scheduler.residents.items():
            if resident.closing or (resident.state == "ready" and model in lines):
                assert elders and resident.closing

    # --- nobody waits for nothing ---------------------------------------------------------------------

    @rule()
    def everybody_lets_go(self) -> None:
        """Every lease released, every load finished, every stop done, time passed: nobody waits any more."""
        for _ in range(3 * len(MODELS) + 2):
            if not self.waiting:
                break
            while self.leases:
                self.release(0)
            self.all_ready()
            self.all_gone()
            self.time_passes(MAX_WAIT + 1)
        assert self.waiting == {}, "somebody waits for nothing"

    @rule()
    def everybody_is_kept_busy(self) -> None:
        """A constant stream for all that is ready, loads longer than `max_wait`: who waits now is served yet."""
        patient = set(self.waiting)
        held = [(0, resident) for resident in self.leases]
        loading: dict[str, int] = {}
        for at in range(len(MODELS) * 2 * (LOAD + HOLD + int(MAX_WAIT / STEP) + 2)):
            if not patient & self.waiting.keys():
                break
            for model in self.in_phase("ready"):
                self.request(model, -1.0, 5)
            known = Counter(id(resident) for _, resident in held)
            for resident in self.leases:
                if known[id(resident)]:
                    known[id(resident)] -= 1
                else:
                    held.append((at, resident))
            for since, resident in [lease for lease in held if lease[0] + HOLD <= at]:
                held.remove((since, resident))
                self.release(next(i for i, lease in enumerate(self.leases) if lease is resident))
            for model in self.in_phase("starting"):
                if at >= loading.setdefault(model, at) + LOAD:
                    del loading[model]
                    self.ready(self.in_phase("starting").index(model))
            self.all_gone()
            self.time_passes(STEP)
            self.books_agree()
        assert not patient & self.waiting.keys(), "somebody starves"

    def teardown(self) -> None:
        if hasattr(self, "scheduler") and sys.exception() is None:
            self.everybody_lets_go()


TestScheduler = Play.TestCase
TestScheduler.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
