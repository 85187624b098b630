"""What a start would come to, without doing anything."""

import msgspec

from llamactl.core.errors import DoesNotFit
from llamactl.core.eviction import Memory, take
from llamactl.core.scheduler import Scheduler


class Outlook(msgspec.Struct, frozen=True):
    """Bytes per device: `budget` for all models, `reach` what one could have if all that may be were stopped, `free`
    what is left now. `evicts` are the models to be stopped for it, or `problem` says why it cannot fit.
    """

    budget: dict[str, int]
    reach: dict[str, int]
    free: dict[str, int]
    evicts: tuple[str, ...]
    problem: DoesNotFit | None


def outlook(scheduler: Scheduler, model: str, need: Memory, now: float) -> Outlook:
    """For a model that needs this. What it takes itself while it runs counts as free; busy ones may have to go, too."""
    free = dict(scheduler.limits.budget)
    reach = dict(free)
    for other in scheduler.residents.values():
        if other.model != model:
            take(free, other.need)
            if other.model in scheduler.pinned and not other.leaving:
                take(reach, other.need)
    evicts = scheduler.would_evict(model, need, now)
    if isinstance(evicts, DoesNotFit):
        return Outlook(scheduler.limits.budget, reach, free, (), evicts)
    return Outlook(scheduler.limits.budget, reach, free, tuple(evicts), None)
