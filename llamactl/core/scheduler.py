"""Which instances may be resident, and which requests may go to them.

The scheduler is told what happens (a request, a lease given back, an instance ready or gone, time
passing) and answers with effects for the supervisor to perform. It never asks; its own tables are the
only truth about who holds memory.

The rules:

- A ready instance serves at once, whoever else waits, until somebody has waited `max_wait` for its place.
- Models that need a start are taken in the order of who, of those still waiting, asked first. What the
  first in line waits for is kept for it: others start beside it only with memory that it will not need.
- Only idle instances are stopped to make room, and only when that makes enough.
- Whoever waits while an instance loads is served by it, even if it must go right afterwards.
- Memory counts from the decision to start until the process is gone.
"""

from collections import deque
from collections.abc import Iterable
from typing import Literal

import msgspec

from llamactl.core.errors import DoesNotFit, Draining, LlamactlError, QueueFull
from llamactl.core.eviction import Candidate, Memory, Space, choose
from llamactl.core.units import show_size


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`budget` in bytes per device; `max_models` 0 means any number; `max_wait` in seconds."""

    budget: dict[str, int]
    max_models: int = 0
    queue_per_model: int = 64
    queue_total: int = 256
    max_wait: float = 10.0


class Start(msgspec.Struct, frozen=True):
    model: str


class Stop(msgspec.Struct, frozen=True):
    model: str
    why: str


class Grant(msgspec.Struct, frozen=True):
    ticket: int
    model: str


class Refuse(msgspec.Struct, frozen=True):
    """`error` is compared by identity; it is raised where the waiter stands."""

    ticket: int
    error: LlamactlError


Effect = Start | Stop | Grant | Refuse


class Resident:
    """An instance that holds memory: from the decision to start it until its process is gone."""

    __slots__ = ("closing", "leases", "model", "need", "state", "ttl", "used")

    def __init__(self, model: str, need: Memory, ttl: float, now: float) -> None:
        self.model = model
        self.need = need
        self.ttl = ttl
        self.used = now  # since when it is idle, or was before its first lease now out
        self.leases = 0
        self.closing = False  # no new leases: somebody has waited too long for its place
        self.state: Literal["starting", "ready", "retiring", "stopping"] = "starting"

    @property
    def leaving(self) -> bool:
        """It gives its memory back without anybody asking again."""
        return self.state == "retiring" or self.state == "stopping"

    @property
    def idle(self) -> bool:
        return self.state == "ready" and not self.leases


class _Waiter(msgspec.Struct):
    ticket: int
    since: float


class _Line(msgspec.Struct):
    """All who wait for one model, first come first, and what starting it takes."""

    need: Memory
    ttl: float
    waiters: deque[_Waiter]


class _Room:
    """Memory and places while one round of decisions is taken; lines are looked at in their order.

    `now` is what is free. `soon` is what will be once all that is leaving has left, less what is meant for
    lines that wait for nothing else. `later` is the same with every line served and all gone that must go
    for it, and `at_most` that with every candidate gone as well. `candidates` are the instances that no
    line has been promised, `idle` those among them that could go at once; those that are being emptied
    already go first, so that the choice does not waver.
    """

    def __init__(self, limits: Limits, residents: Iterable[Resident], pinned: set[str]) -> None:
        places = limits.max_models or 1 << 30
        self.now, self.soon, self.later, self.at_most = (Space(limits.budget, places) for _ in range(4))
        self.candidates: dict[str, Candidate] = {}
        self.idle: dict[str, Candidate] = {}
        for resident in residents:
            self.hold(resident, resident.model in pinned)

    def open_to(self, need: Memory) -> bool:
        """Could it start now without taking from those before it?"""
        return self.now.fits(need) and self.soon.fits(need) and self.later.fits(need)

    def hold(self, resident: Resident, pinned: bool) -> None:
        """It is resident."""
        self.now.take(resident.need)
        if resident.leaving:
            return
        self.soon.take(resident.need)
        self.later.take(resident.need)
        if pinned:
            self.at_most.take(resident.need)
        else:
            candidate = Candidate(resident.model, resident.need, resident.used, draining=resident.closing)
            self.candidates[resident.model] = candidate
            if resident.idle:
                self.idle[resident.model] = candidate

    def promise(self, need: Memory, going: Iterable[Candidate], at_once: bool) -> None:
        """A line will get what it needs once these are gone."""
        for candidate in going:
            del self.candidates[candidate.model]
            self.idle.pop(candidate.model, None)
            self.later.give(candidate.frees)
            if at_once:
                self.soon.give(candidate.frees)
        self.later.take(need)
        self.at_most.take(need)
        if at_once:
            self.soon.take(need)

    def exhausted(self, devices: set[str]) -> bool:
        """Is nothing left to promise to anybody who needs some of each of these devices?"""
        return self.at_most.places < 1 or any(self.at_most.memory.get(device, 0) <= 0 for device in devices)


class Scheduler:
    """See the module. `now` is always seconds on one monotonic clock."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.residents: dict[str, Resident] = {}
        self.lines: dict[str, _Line] = {}  # in the order of how long their first has waited
        self.pinned: set[str] = set()  # names; they stay pinned while nothing runs
        self._waiting: dict[int, str] = {}
        self._in_demand: set[str] = set()  # devices of which every line needs some

    # --- what happens ---------------------------------------------------------------------------

    def admit(self, model: str) -> Resident | None:
        """The short way: a lease on an instance that serves right now. Give it back with `release`."""
        resident = self.residents.get(model)
        if resident is None or resident.state != "ready" or resident.closing:
            return None
        resident.leases += 1
        return resident

    def request(self, ticket: int, model: str, need: Memory, now: float, ttl: float = -1.0) -> list[Effect]:
        """Somebody wants a lease. `ttl`: seconds of idleness after which the instance is stopped (-1: never)."""
        if self.admit(model):
            return [Grant(ticket, model)]
        resident = self.residents.get(model)
        if resident is not None and resident.state == "retiring":
            return [Refuse(ticket, _draining(model))]
        line = self.lines.get(model)
        full = self._full(model, line)
        if full is not None:
            return [Refuse(ticket, full)]
        impossible = self._never(need) if line is None and resident is None else None
        if impossible is not None:
            return [Refuse(ticket, impossible)]
        self._waiting[ticket] = model
        devices = {device for device, size in need.items() if size > 0}
        self._in_demand = self._in_demand & devices if self.lines else devices
        if line is not None:  # whatever can be done for this model is under way
            line.waiters.append(_Waiter(ticket, now))
            line.need, line.ttl = need, ttl
            return []
        self.lines[model] = _Line(need, ttl, deque([_Waiter(ticket, now)]))
        return self._settle(now)

    def release(self, resident: Resident, now: float) -> list[Effect]:
        """A lease is over, whatever has become of its instance."""
        resident.leases -= 1
        if resident.leases or self.residents.get(resident.model) is not resident:
            return []
        resident.used = now
        if resident.state == "retiring":
            return [self._stop(resident, "stopped on request"), *self._settle(now)]
        if resident.ttl == 0:
            return self.tick(now)
        return self._settle(now) if self.lines else []

    def cancel(self, ticket: int, now: float) -> list[Effect]:
        """A waiter is gone; nothing is started for it any more. A start under way goes on."""
        model = self._waiting.pop(ticket, None)
        if model is None:
            return []
        line = self.lines[model]
        first = line.waiters[0]
        line.waiters = deque(waiter for waiter in line.waiters if waiter.ticket != ticket)
        if not line.waiters:
            del self.lines[model]
        elif line.waiters[0] is first:
            return []
        else:
            self.lines = dict(sorted(self.lines.items(), key=lambda item: item[1].waiters[0].since))
        return self._settle(now)

    def ready(self, model: str, now: float) -> list[Effect]:
        """It serves, unless it was told to stop while it was loading."""
        resident = self.residents[model]
        if resident.state == "starting":
            resident.state = "ready"
            resident.used = now
            resident.closing = False  # or it would have been loaded for nothing
        return self._settle(now)

    def gone(self, model: str, now: float, error: LlamactlError | None = None) -> list[Effect]:
        """Its process is no more. With `error`, whoever waits for it is told so; without, it starts anew."""
        del self.residents[model]
        refused = self._refuse_line(model, error) if error is not None else []
        return refused + self._settle(now)

    def retire(self, model: str, now: float) -> list[Effect]:
        """Somebody said stop: no pin, no new leases, waiters sent away; `Stop` once the leases are over."""
        self.pinned.discard(model)
        effects = self._refuse_line(model, _draining(model))
        resident = self.residents.get(model)
        if resident is not None and not resident.leaving:
            if resident.leases:
                resident.state = "retiring"
            else:
                effects.append(self._stop(resident, "stopped on request"))
        return effects + self._settle(now)

    def expel(self, model: str, now: float) -> list[Effect]:
        """A retired instance has had time enough: it is stopped, leases or not."""
        resident = self.residents.get(model)
        if resident is None or resident.state != "retiring":
            return []
        return [self._stop(resident, "stopped on request, not drained in time"), *self._settle(now)]

    def pin(self, model: str) -> None:
        self.pinned.add(model)

    def unpin(self, model: str, now: float) -> list[Effect]:
        self.pinned.discard(model)
        return self._settle(now)

    def tick(self, now: float) -> list[Effect]:
        """Time has passed: instances idle for their `ttl` go, waiters come of age."""
        expired = [r for r in self.residents.values() if self._expires(r) and r.used + r.ttl <= now]
        return [self._stop(resident, "idle") for resident in expired] + self._settle(now)

    def wake_at(self, now: float) -> float | None:
        """When `tick` will next have something to say if nothing else happens before; None: never."""
        times = [resident.used + resident.ttl for resident in self.residents.values() if self._expires(resident)]
        for model, line in self.lines.items():
            if model not in self.residents and self._of_age(line) > now:
                times.append(self._of_age(line))
                break
        return min(times, default=None)

    # --- questions ------------------------------------------------------------------------------

    def waiting(self, model: str) -> int:
        """How many wait for this model."""
        line = self.lines.get(model)
        return 0 if line is None else len(line.waiters)

    # --- decisions ------------------------------------------------------------------------------

    def _settle(self, now: float) -> list[Effect]:
        """Everything that can be done now for those who wait."""
        if not self.lines:
            for resident in self.residents.values():
                resident.closing = False
            return []
        effects = self._serve()
        closing: set[str] = set()
        room = _Room(self.limits, self.residents.values(), self.pinned)
        for model, line in list(self.lines.items()):
            if model in self.residents:
                continue
            if room.open_to(line.need):
                self.residents[model] = resident = Resident(model, line.need, line.ttl, now)
                room.hold(resident, model in self.pinned)
                effects.append(Start(model))
                continue
            impossible = self._never(line.need)
            if impossible is not None:
                effects += self._refuse_line(model, impossible)
                continue
            aged = self._of_age(line) <= now
            going, at_once = self._make_room(line.need, room, aged)
            room.promise(line.need, going, at_once)
            if at_once:
                effects += [self._stop(self.residents[candidate.model], f"evicted for {model}") for candidate in going]
            elif aged:
                closing.update(candidate.model for candidate in going)
            if room.exhausted(self._in_demand):
                break
        for resident in self.residents.values():
            resident.closing = resident.model in closing
        return effects + self._serve()

    def _serve(self) -> list[Effect]:
        """Grant what ready instances are waited for."""
        effects: list[Effect] = []
        for model, resident in self.residents.items():
            if resident.state != "ready" or resident.closing or model not in self.lines:
                continue
            line = self.lines.pop(model)
            resident.leases += len(line.waiters)
            for waiter in line.waiters:
                del self._waiting[waiter.ticket]
                effects.append(Grant(waiter.ticket, model))
        return effects

    def _make_room(self, need: Memory, room: _Room, aged: bool) -> tuple[list[Candidate], bool]:
        """Who must go for `need`, and whether that can be at once.

        Idle ones if they suffice, else busy ones too, else none for now. One that is waited for itself
        is idle only to who is of age.
        """
        idle = [candidate for model, candidate in room.idle.items() if aged or model not in self.lines]
        sure = room.soon.least(room.later)
        going = choose(idle, sure.memory, sure.places, need)
        if going is not None:
            return going, True
        return choose(list(room.candidates.values()), room.later.memory, room.later.places, need) or [], False

    def _never(self, need: Memory) -> DoesNotFit | None:
        """Why it could not start even if everything that may be stopped were stopped."""
        pinned = [resident for resident in map(self.residents.get, self.pinned) if resident and not resident.leaving]
        if self.limits.max_models and len(pinned) >= self.limits.max_models:
            return DoesNotFit(
                f"all {self.limits.max_models} places are held by pinned models", "unpin one: llamactl unpin NAME"
            )
        for device, size in need.items():
            budget = self.limits.budget.get(device, 0)
            held = sum(resident.need.get(device, 0) for resident in pinned)
            if size > max(budget - held, 0):
                pins = f", {show_size(held)} of it pinned" if held else ""
                return DoesNotFit(
                    f"needs {show_size(size)} on {device}, where at most {show_size(budget)} can be had{pins}",
                    "unpin a model, choose a smaller one, or raise residency.memory",
                )
        return None

    def _stop(self, resident: Resident, why: str) -> Stop:
        resident.state = "stopping"
        return Stop(resident.model, why)

    def _refuse_line(self, model: str, error: LlamactlError) -> list[Effect]:
        line = self.lines.pop(model, None)
        if line is None:
            return []
        for waiter in line.waiters:
            del self._waiting[waiter.ticket]
        return [Refuse(waiter.ticket, error) for waiter in line.waiters]

    def _full(self, model: str, line: _Line | None) -> QueueFull | None:
        if line is not None and len(line.waiters) >= self.limits.queue_per_model:
            return QueueFull(f"{len(line.waiters)} requests already wait for {model}", retry_after=1.0)
        if len(self._waiting) >= self.limits.queue_total:
            return QueueFull(f"{len(self._waiting)} requests already wait for models to load", retry_after=1.0)
        return None

    def _expires(self, resident: Resident) -> bool:
        if resident.ttl < 0 or not resident.idle:
            return False
        return resident.model not in self.pinned and resident.model not in self.lines

    def _of_age(self, line: _Line) -> float:
        return line.waiters[0].since + self.limits.max_wait


def _draining(model: str) -> Draining:
    return Draining(f"{model} is being stopped", "try again once it has stopped", retry_after=1.0)
