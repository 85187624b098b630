"""Other rules for a scheduler in the midst of its work."""

from llamactl.core.scheduler import Effect, Limits, Scheduler


def reconfigure(scheduler: Scheduler, limits: Limits, ttl: tuple[float, float], now: float) -> list[Effect]:
    """Who waits may go on by the new limits; none that is resident has to go for them.

    `ttl`: whoever has the first of these times of idleness has the second instead.
    """
    scheduler.limits = limits
    before, after = ttl
    for resident in scheduler.residents.values():
        resident.ttl = after if resident.ttl == before else resident.ttl
    for line in scheduler.lines.all():
        line.ttl = after if line.ttl == before else line.ttl
    return scheduler.regroup(limits.groups, now) + scheduler.tick(now)
