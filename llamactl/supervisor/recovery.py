"""Models that died though they were wanted: for how long they still are, when they are started again, who waits.

A model is wanted after its death as long as it would have stayed if it had lived: without end when it is pinned or
has no `ttl`, else until its `ttl` is over, counted from its last use, which is now for one that was in use or
still loading. And as long as somebody waits for it. Stopped, evicted or idle for too long, it did not die: it was
told to go.

One that nobody waits for comes back only to a place that is free: nobody is evicted for it.

Requests wait through a pause of up to `PATIENCE`; before a longer one they are refused, with the reason and the time
of the next try.
"""

import random
from collections.abc import Callable
from math import inf

import anyio
import msgspec

from llamactl.core.errors import LlamactlError, LoadFailed, NotRunning, QueueFull, from_problem
from llamactl.core.eviction import Memory
from llamactl.core.exits import OF_MEMORY, Kind
from llamactl.core.instance import Backoff, Failed, Gone, Phase, Ready, Stopped
from llamactl.core.restart import Again, GiveUp, Policy, Record, judge
from llamactl.core.scheduler import Resident, Scheduler
from llamactl.core.units import show_size

PATIENCE = 10.0
"""Seconds."""


class Postponed(LlamactlError):
    """For those who wait for a model that is about to be started again: ask anew when its pause is over."""


class Recovery:
    """The past of one model, and those who wait for it to come back.

    `waiting` is how many do; `over` is set when the pause is, or when it does not matter any more. After a death it is
    `wanted_until` then, where nobody waits for it.
    """

    def __init__(self, name: str) -> None:
        self.restarts = 0
        self.waiting = 0
        self.over = anyio.Event()
        self._name = name
        self.record = Record()
        self.wanted_until = 0.0

    def judge(
        self,
        policy: Policy,
        gone: Gone,
        before: Phase,
        resident: Resident,
        *,
        pinned: bool,
        jitter: Callable[[], float] = random.random,
    ) -> Gone:
        """The same, with what is to follow from it."""
        kind = gone.exit.kind if gone.exit is not None else "refused"
        served = gone.at - before.since if isinstance(before, Ready) else None
        self.record, verdict = judge(policy, self.record, kind, gone.at, served, jitter())
        match verdict:
            case Again(at):
                self.over = anyio.Event()
                self.wanted_until = _wanted_until(resident, gone.at, pinned=pinned)
                return Gone(gone.at, gone.problem, gone.exit, at)
            case GiveUp(until, why):
                problem = gone.problem
                if why:
                    message = f"{problem.message}; it is given up, since it {why}"
                    problem = LoadFailed(
                        message, f"llamactl why {self._name}; then: llamactl start {self._name}"
                    ).problem()
                return Gone(gone.at, problem, gone.exit, until=until)

    def forgive(self) -> None:
        """Somebody has started it: what was before counts no more."""
        self.record = Record()

    def error(self, phase: Phase, now: float) -> LlamactlError | None:
        """For those who wait for the model at the moment when its process is gone; None: it starts anew for them."""
        match phase:
            case Backoff():
                return self._refusal(phase, now) or Postponed("it is started again")
            case Failed(_, problem):
                return from_problem(problem)
        return None

    async def may_start(self, phase: Callable[[], Phase], clock: Callable[[], float], hold: float, queue: int) -> None:
        """Returns once a request may start it; `phase` is asked again after a pause.

        Raises `LoadFailed`, `QueueFull` where `queue` wait already, `NotRunning` when it was stopped meanwhile.
        `hold`: for so many seconds after a failed load it is not tried again.
        """
        before, now = phase(), clock()
        if isinstance(before, Failed) and before.problem.code == LoadFailed.code:
            before = msgspec.structs.replace(before, until=max(before.until, before.since + hold))
        refusal = self._refusal(before, now)
        if refusal is not None:
            raise refusal
        if not isinstance(before, Backoff) or before.until <= now:
            return
        if self.waiting >= queue:
            raise QueueFull(f"{self.waiting} requests already wait for {self._name}", retry_after=before.until - now)
        self.waiting += 1
        try:
            await self.over.wait()
        finally:
            self.waiting -= 1
        if isinstance(phase(), Stopped):
            raise NotRunning(f"{self._name} was stopped", retry_after=1.0)

    async def pause(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self.over.wait()

    def go_on(self) -> bool:
        """Its pause is over: whoever waits asks for it now; does anybody?"""
        self.over.set()
        return self.waiting > 0

    def objection(self, need: dict[str, int], scheduler: Scheduler, now: float) -> str:
        """Why it is not to be started again after its pause, where nobody asks for it; or nothing."""
        if self._name in scheduler.pinned:
            return ""
        if now >= self.wanted_until:
            return "idle"
        return "" if _room_for(need, scheduler) else "its place was taken while it was down"

    def _refusal(self, phase: Phase, now: float) -> LoadFailed | None:
        match phase:
            case Backoff(_, until, problem) if until - now > PATIENCE:
                message = f"{problem.message}; it is started again in {until - now:.0f} s"
                return LoadFailed(message, problem.hint, retry_after=until - now)
            case Failed(_, problem, _, until) if until > now:
                return LoadFailed(problem.message, problem.hint, retry_after=until - now)
        return None


def condemned(gone: Gone, wedged: float | None, bereft: str) -> Gone:
    """It died while it was taken for wedged, or when what it computes with had gone: most likely for that, by the
    daemon or by somebody who saw it."""
    kind: Kind
    if bereft:
        kind, reason = "worker_lost", bereft
    elif wedged is not None:
        kind, reason = "wedged", f"nothing moved in it for {gone.at - wedged:.0f} s though it had requests"
    else:
        return gone
    if gone.exit is None:
        return gone
    problem = msgspec.structs.replace(gone.problem, message=f"{gone.problem.message}: {reason}")
    return Gone(gone.at, problem, msgspec.structs.replace(gone.exit, kind=kind, reason=reason))


def lacked_memory(gone: Gone) -> bool:
    """Did it die since there was not enough memory?"""
    return gone.exit is not None and gone.exit.kind in OF_MEMORY


def with_numbers(gone: Gone, need: Memory, free: Memory) -> Gone:
    """`need` is what it was thought to take, `free` what was left beside that when it died, in bytes per device."""
    numbers = ", ".join(
        f"{show_size(size)} on {device} with {show_size(max(free.get(device, 0), 0))} to spare"
        for device, size in need.items()
        if size > 0
    )
    message = f"{gone.problem.message} (it was to take {numbers})" if numbers else gone.problem.message
    return msgspec.structs.replace(gone, problem=msgspec.structs.replace(gone.problem, message=message))


def _room_for(need: dict[str, int], scheduler: Scheduler) -> bool:
    """Is there a place that nobody has to leave for it?"""
    limits, there = scheduler.limits, scheduler.residents.values()
    if limits.max_models and len(there) >= limits.max_models:
        return False
    taken = {device: sum(resident.need.get(device, 0) for resident in there) for device in need}
    return all(size <= limits.budget.get(device, 0) - taken[device] for device, size in need.items() if size > 0)


def _wanted_until(resident: Resident, now: float, *, pinned: bool) -> float:
    if pinned or resident.ttl < 0:
        return inf
    in_use = resident.leases > 0 or resident.state == "starting"
    return (now if in_use else resident.used) + resident.ttl
