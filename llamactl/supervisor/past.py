"""What is to be remembered of a model from one daemon to the next, where the processes that run do not tell."""

from math import inf

import msgspec

from llamactl.core.instance import Backoff, Failed, Stopped
from llamactl.core.restart import Record
from llamactl.core.scheduler import Scheduler
from llamactl.supervisor.lease import Entry


class Past(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one model. Times are seconds on the monotonic clock, which goes on.

    `phase` is that of one without a process, `wanted_until` None where that is without end, `used` since when it has
    been idle (None: it is not), `ttl` the idleness it is allowed where that is known; `begun`: somebody started it,
    and did not wait.
    """

    phase: Stopped | Backoff | Failed | None = None
    decision: str = ""
    requests: int = 0
    restarts: int = 0
    record: Record = Record()
    wanted_until: float | None = 0.0
    loads: tuple[float, ...] = ()
    used: float | None = None
    fresh: bool = False
    ttl: float | None = None
    begun: bool = False


def past(instance: Entry, scheduler: Scheduler) -> Past:
    name, recovery, phase = instance.model.name, instance.recovery, instance.phase
    resident, line = scheduler.residents.get(name), scheduler.lines.get(name)
    known = resident or line
    idle = resident is not None and resident.idle
    return Past(
        phase=phase if isinstance(phase, Stopped | Backoff | Failed) else None,
        decision=instance.decision,
        requests=instance.requests,
        restarts=recovery.restarts,
        record=recovery.record,
        wanted_until=None if recovery.wanted_until == inf else recovery.wanted_until,
        loads=scheduler.loads.of(name),
        used=resident.used if resident is not None and idle else None,
        fresh=resident.fresh if resident is not None else False,
        ttl=None if known is None else known.ttl,
        begun=instance.begun > 0,
    )


def remember(instance: Entry, scheduler: Scheduler, past: Past) -> None:
    """After what runs was adopted: that is as it is now."""
    name, recovery = instance.model.name, instance.recovery
    instance.requests = past.requests
    recovery.restarts, recovery.record = past.restarts, past.record
    recovery.wanted_until = inf if past.wanted_until is None else past.wanted_until
    for seconds in past.loads:
        scheduler.loads.add(name, seconds)
    resident = scheduler.residents.get(name)
    if resident is None:
        instance.phase = past.phase or instance.phase
    else:
        resident.fresh = past.fresh
        if past.ttl is not None:
            resident.ttl = past.ttl
        if past.used is not None:
            resident.used = past.used
    instance.decision = past.decision
