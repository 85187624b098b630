"""See the package."""

import msgspec

from llamactl.core.errors import DoesNotFit, LlamactlError, QueueFull
from llamactl.core.eviction import Memory, exceeds, give, loss, take
from llamactl.core.scheduler import reasons
from llamactl.core.scheduler.effects import Effect, Grant, Refuse, Start, Stop
from llamactl.core.scheduler.history import Loads
from llamactl.core.scheduler.late import Late
from llamactl.core.scheduler.limits import Group, Limits
from llamactl.core.scheduler.lines import Line, Lines
from llamactl.core.scheduler.residents import Resident, Residents, State
from llamactl.core.scheduler.room import Room

PLANNED, LOOKED_AT = 8, 128
"""For so many lines that cannot start yet room is planned, and made; so many more only start where it is left over."""

SHORTEST = 0.05
"""Seconds that a load is taken to cost at the least, and one that nobody has seen."""


class Wait(msgspec.Struct, frozen=True):
    """What a line waits for. `position` is 1 for the next to be started, 0 for one that loads; `eta` in seconds."""

    position: int
    eta: float | None
    reason: str


class Scheduler:
    """`now` is always seconds on one monotonic clock."""

    def __init__(self, limits: Limits, *, planned: int = PLANNED) -> None:
        self.limits = limits
        self.loads = Loads()
        self._residents = Residents()
        self.residents = self._residents.by_name
        self.pinned = self._residents.pins
        self.lines = Lines()
        self._planned = planned
        self._closing: dict[str, None] = {}  # in the order in which they began to
        self._closed = 0  # how many ever were
        self._late = Late()

    # --- what happens ---------------------------------------------------------------------------

    def admit(self, model: str) -> Resident | None:
        """The short way: a lease on an instance that serves right now. Give it back with `release`."""
        resident = self.residents.get(model)
        if resident is None or resident.state != "ready" or resident.closing:
            return None
        resident.leases += 1
        return resident

    def request(
        self, ticket: int, model: str, need: Memory, now: float, ttl: float = -1.0, priority: int = 0
    ) -> list[Effect]:
        """Somebody wants a lease. `ttl`: seconds of idleness after which the instance is stopped (-1: never).

        Of those that need a start, a higher `priority` goes first.
        """
        if self.admit(model):
            return [Grant(ticket, model)]
        resident = self.residents.get(model)
        if resident is not None and resident.state == "retiring":
            return [Refuse(ticket, reasons.draining(model, resident.until - now))]
        line = self.lines.get(model)
        full = self._full(model, line, now)
        if full is not None:
            return [Refuse(ticket, full)]
        if line is not None:  # whatever can be done for this model is under way, unless it comes before others now
            before = line.rank
            self.lines.add(line, ticket, now, priority)
            self._describe(line, need, ttl)
            return [] if line.rank == before or resident is not None else self._settle(now)
        line = Line(model)
        self._describe(line, need, ttl)
        impossible = self._never(line, self._residents, now) if resident is None else None
        if impossible is not None:
            return [Refuse(ticket, impossible)]
        self.lines.add(line, ticket, now, priority)
        return [] if self._too_far_behind(line, now) else self._settle(now)

    def release(self, resident: Resident, now: float, fresh: bool = False) -> list[Effect]:
        """A lease is over, whatever has become of its instance. `fresh`: it was only started, and not used."""
        resident.leases -= 1
        if resident.leases or self.residents.get(resident.model) is not resident:
            return []
        resident.used = now
        resident.fresh = fresh
        if resident.state == "retiring":
            return [self._stop(resident, "stopped on request"), *self._settle(now)]
        if resident.ttl == 0:
            return self.tick(now)
        return self._settle(now) if self.lines else []

    def cancel(self, ticket: int, now: float) -> list[Effect]:
        """A waiter is gone; nothing is started for it any more. A start under way goes on."""
        if self.lines.model_of(ticket) is None:
            return []
        return self._settle(now) if self.lines.leave(ticket) else []

    def ready(self, model: str, now: float) -> list[Effect]:
        """It serves, unless it was told to stop while it was loading."""
        resident = self.residents[model]
        if resident.state != "starting":
            return self._settle(now)
        self.loads.add(model, now - resident.since)
        self._residents.serves(resident)
        resident.used = now
        return self._serve(model) + self._settle(now)  # closed or not: else it would have been loaded for nothing

    def adopt(self, model: str, need: Memory, now: float, ttl: float = -1.0, state: State = "ready") -> Resident:
        """It is there already: an earlier daemon has started it."""
        resident = Resident(model, need, self.limits.claim(model, need), self.limits.cohort(model), ttl, now)
        resident.state = state
        self._residents.add(resident)
        return resident

    def keep(self, model: str, ttl: float) -> None:
        """From now on it stays for so long when idle; until it goes."""
        resident = self.residents.get(model)
        if resident is not None:
            resident.ttl = ttl

    def gone(self, model: str, now: float, error: LlamactlError | None = None) -> list[Effect]:
        """Its process is no more. With `error`, whoever waits for it is told so; without, it starts anew."""
        self._leave(model, now)
        refused = self._refuse_line(model, error) if error is not None else []
        return refused + self._settle(now)

    def clear(self, model: str, now: float) -> list[Effect]:
        """It ran out of memory while it loaded, and is to be tried again: what is idle goes, needed or not."""
        spared = self.pinned | set(self.lines)
        idle = [resident for resident in self.residents.values() if resident.idle and resident.model not in spared]
        return [self._evict(resident, model, now) for resident in idle]

    def retire(self, model: str, now: float, drain: float = 0.0) -> list[Effect]:
        """Somebody said stop: no pin, no new leases, waiters sent away; `Stop` once the leases are over.

        After `drain` seconds `expel` will follow: so long others are told to wait.
        """
        self._residents.unpin(model)
        resident = self.residents.get(model)
        busy = resident is not None and not resident.leaving and resident.leases > 0
        effects = self._refuse_line(model, reasons.draining(model, drain if busy else 0.0))
        if resident is not None and not resident.leaving:
            if busy:
                resident.until = now + drain
                self._residents.leaves(resident, "retiring")
            else:
                effects.append(self._stop(resident, "stopped on request"))
        return effects + self._settle(now)

    def expel(self, model: str, now: float) -> list[Effect]:
        """A retired instance has had time enough: it is stopped, leases or not."""
        resident = self.residents.get(model)
        if resident is None or resident.state != "retiring":
            return []
        return [self._stop(resident, "stopped on request, not drained in time"), *self._settle(now)]

    def regroup(self, groups: tuple[Group, ...], now: float) -> list[Effect]:
        """Other groups hold from now on; whoever is there already may stay."""
        self.limits = msgspec.structs.replace(self.limits, groups=groups)
        for resident in list(self.residents.values()):
            self._residents.remove(resident.model)
            resident.claim = self.limits.claim(resident.model, resident.need)
            resident.cohort = self.limits.cohort(resident.model)
            self._residents.add(resident)
        for line in self.lines.all():
            line.need, need = {}, line.need
            self._describe(line, need, line.ttl)
        return self._settle(now)

    def pin(self, model: str) -> None:
        self._residents.pin(model)

    def unpin(self, model: str, now: float) -> list[Effect]:
        self._residents.unpin(model)
        return self._settle(now)

    def tick(self, now: float) -> list[Effect]:
        """Time has passed: instances idle for their `ttl` go, waiters come of age, memory is back."""
        expired = [r for r in self.residents.values() if self._expires(r) and r.used + r.patience <= now]
        return [self._stop(resident, "idle") for resident in expired] + self._settle(now)

    def wake_at(self, now: float) -> float | None:
        """When `tick` will next have something to say if nothing else happens before; None: never."""
        times = [r.used + r.patience for r in self.residents.values() if self._expires(r)]
        for line in self.lines.minors(now, self.limits.max_wait):
            if line.model not in self.residents:
                times.append(line.since + self.limits.max_wait)
                break
        if self._late and any(model not in self.residents for model in self.lines):
            times.append(self._late.look_again(now))
        return min(times, default=None)

    def forget(self, model: str) -> None:
        """There is no such model any more."""
        self._residents.unpin(model)
        self.loads.forget(model)

    # --- questions ------------------------------------------------------------------------------

    def waiting(self, model: str) -> int:
        """How many wait for this model."""
        line = self.lines.get(model)
        return 0 if line is None else len(line.waiters)

    def free(self) -> dict[str, int]:
        """Bytes per device."""
        free = dict(self.limits.budget)
        take(free, self._residents.held)
        return {device: free[device] for device in self.limits.budget}

    def wait(self, model: str, now: float) -> Wait | None:
        """What those who wait for it can expect; None if nobody does."""
        line = self.lines.get(model)
        if line is None:
            return None
        resident, eta = self.residents.get(model), self._eta(line, now)
        if resident is not None and resident.state == "starting":
            return Wait(0, eta, "it loads")
        before = self.lines.before(line, now, self.limits.max_wait)
        if resident is not None:
            reason = "waits for its turn: somebody has waited longer for its place"
            return Wait(before + 1, eta, reason if resident.closing else "waits until its last process is gone")
        free = self._room(self._residents, now).now
        return Wait(before + 1, eta, reasons.waits(line.claim, line.cohort, free, self._residents, before))

    def would_evict(self, model: str, need: Memory, now: float) -> list[str] | DoesNotFit:
        """Whom a start would stop if nobody waited; the busy among them would be waited for.

        What it takes itself while it runs counts as free.
        """
        line, others = Line(model), self._residents.without(model)
        self._describe(line, need, -1.0)
        impossible = self._never(line, others, now)
        if impossible is not None:
            return impossible
        room = self._room(others, now)
        going = [] if room.open_to(line) else room.make_way(line, self.lines.__contains__)[0]
        return [candidate.model for candidate in going]

    # --- decisions ------------------------------------------------------------------------------

    def _settle(self, now: float) -> list[Effect]:
        """Everything that can be done now for those who wait."""
        if not self.lines:
            return self._close({})
        effects: list[Effect] = []
        closing: dict[str, None] = {}
        room, least, blocked = self._room(self._residents, now), self.lines.least(), 0
        for line in self.lines.in_turn(now, self.limits.max_wait):
            if line.model in self.residents:
                continue
            if room.open_to(line):
                effects.append(self._start(line, room, now))
                continue
            blocked += 1
            if blocked > self._planned:
                if room.full(least) or blocked > self._planned + LOOKED_AT:
                    break
                continue
            impossible = self._never(line, self._residents, now)
            if impossible is not None:
                effects += self._refuse_line(line.model, impossible)
                blocked -= 1  # it is in nobody's way
                continue
            aged = line.since + self.limits.max_wait <= now
            going, at_once = room.make_way(line, (lambda _: False) if aged else self.lines.__contains__)
            room.promise(line, going, at_once)
            if at_once:
                effects += [self._evict(self.residents[one.model], line.model, now) for one in going]
            elif aged:
                closing |= dict.fromkeys(one.model for one in going)
            if room.exhausted(least):
                break
        return effects + self._close(closing)

    def _start(self, line: Line, room: Room, now: float) -> Start:
        resident = Resident(line.model, line.need, line.claim, line.cohort, line.ttl, now)
        resident.budget = self.limits.budget
        start = Start(line.model, reasons.fits(line.need, room.now))
        self._residents.add(resident)
        room.hold(resident)
        return start

    def _serve(self, model: str) -> list[Effect]:
        """Grant what a ready instance is waited for."""
        waiters = self.lines.pop(model)
        self.residents[model].leases += len(waiters)
        return [Grant(ticket, model) for ticket in waiters]

    def _close(self, closing: dict[str, None]) -> list[Effect]:
        """These get no new leases, and no others; who waits for one that is open again gets it."""
        before, self._closing = self._closing, closing
        effects: list[Effect] = []
        for model in before.keys() - closing:
            resident = self.residents.get(model)
            if resident is not None:
                resident.closing = 0
                if resident.state == "ready" and model in self.lines:
                    effects += self._serve(model)
        for model in closing:
            if model not in before:
                self._closed += 1
                self.residents[model].closing = self._closed
        return effects

    def _evict(self, resident: Resident, by: str, now: float) -> Stop:
        details = reasons.lost(resident, self.loads.typical(resident.model), now)
        return self._stop(resident, f"evicted for {by}", details)

    def _stop(self, resident: Resident, why: str, details: str = "") -> Stop:
        resident.budget = self.limits.budget
        self._residents.leaves(resident, "stopping")
        return Stop(resident.model, why, details)

    def _leave(self, model: str, now: float) -> None:
        resident = self._residents.remove(model)
        self._closing.pop(model, None)
        self._late.add(resident, now)

    def _refuse_line(self, model: str, error: LlamactlError) -> list[Effect]:
        return [Refuse(ticket, error) for ticket in self.lines.pop(model)]

    # --- looked up ------------------------------------------------------------------------------

    def _describe(self, line: Line, need: Memory, ttl: float) -> None:
        line.ttl = ttl
        if need != line.need:
            line.need = need
            line.claim = self.limits.claim(line.model, need)
            line.cohort = self.limits.cohort(line.model)
            self.lines.claims(line)

    def _room(self, residents: Residents, now: float) -> Room:
        late = self._late.memory(self.limits.budget, now) if self._late else {}
        typical = self.loads.typical

        def lost(resident: Resident) -> float:
            return loss(max(typical(resident.model) or 0.0, SHORTEST), now - resident.used)

        return Room(self.limits.capacity(), late, residents, lost)

    def _never(self, line: Line, residents: Residents, now: float) -> DoesNotFit | None:
        """Why it could not start even if everything that may be stopped were stopped."""
        capacity = self.limits.capacity()
        if self._late:
            give(capacity, self._late.memory(self.limits.budget, now))
        too_large = reasons.too_large(line.claim, capacity, residents)
        return too_large or reasons.strangers(line.cohort, residents)

    def _too_far_behind(self, line: Line, now: float) -> bool:
        """Is nothing to be decided for it yet, since so many are before it and there is no room anyway?"""
        busy = len(self._residents.unready) + len(self._closing)  # their lines are before it, and need no room
        if len(self.lines) <= self._planned + busy:
            return False
        if self.lines.before(line, now, self.limits.max_wait) < self._planned + busy:
            return False
        free = self.limits.capacity()
        take(free, self._residents.held)
        return exceeds(line.claim, free)

    def _full(self, model: str, line: Line | None, now: float) -> QueueFull | None:
        if line is not None and len(line.waiters) >= self.limits.queue_per_model:
            soon = max(self._eta(line, now) or 0.0, 1.0)
            return QueueFull(f"{len(line.waiters)} requests already wait for {model}", retry_after=soon)
        waiters = self.lines.waiters
        if waiters >= self.limits.queue_total:
            soon = max(self.loads.any or 0.0, 1.0)  # then somebody has been served
            return QueueFull(f"{waiters} requests already wait for models to load", retry_after=soon)
        return None

    def _eta(self, line: Line, now: float) -> float | None:
        """Seconds until it is served, if each before it is loaded one after the other."""
        load, resident = self.loads.typical(line.model), self.residents.get(line.model)
        if load is None:
            return None
        if resident is not None and resident.state == "starting":
            return max(load - (now - resident.since), 0.0)
        return self.lines.before(line, now, self.limits.max_wait) * (self.loads.any or load) + load

    def _expires(self, resident: Resident) -> bool:
        if resident.ttl < 0 or not resident.idle:
            return False
        return resident.model not in self.pinned and resident.model not in self.lines
