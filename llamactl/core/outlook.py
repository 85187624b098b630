"""What a start would come to, without doing anything."""

import msgspec

from llamactl.core.eviction import Candidate, Memory, choose, give, loss, rank, take
from llamactl.core.scheduler import Resident, Scheduler
from llamactl.core.scheduler.limits import is_memory


class Outlook(msgspec.Struct, frozen=True):
    """Bytes per device: `budget` for all models, `reach` what one could have if all that may be were stopped, `free`
    what is left now. `evicts` are the models to be stopped for it, None if it cannot fit.
    """

    budget: dict[str, int]
    reach: dict[str, int]
    free: dict[str, int]
    evicts: tuple[str, ...] | None


def outlook(scheduler: Scheduler, model: str, need: Memory, now: float) -> Outlook:
    """For a model that needs this. What it takes itself while it runs counts as free; busy ones may have to go, too."""
    limits, cohort = scheduler.limits, scheduler.limits.cohort(model)
    others = [resident for resident in scheduler.residents.values() if resident.model != model]
    mobile = [one for one in others if one.leaving or one.model not in scheduler.pinned]
    room = limits.capacity()
    for resident in others:
        take(room, resident.claim)
    reach = dict(room)
    for resident in mobile:
        give(reach, resident.claim)

    def candidate(resident: Resident) -> Candidate:
        reload = scheduler.loads.typical(resident.model) or 0.0
        lost = 0.0 if resident.leaving else loss(reload, now - resident.used)
        return Candidate(resident.model, resident.claim, lost, resident.bytes, draining=int(resident.leaving))

    strangers = [resident for resident in others if resident.cohort != cohort]  # exclusive groups are not mixed
    evicts = None
    if all(resident in mobile for resident in strangers):
        beside = dict(room)
        for resident in strangers:
            give(beside, resident.claim)
        ranked = sorted((candidate(one) for one in mobile if one.cohort == cohort), key=rank)
        going = choose(ranked, beside, limits.claim(model, need))
        if going is not None:
            evicts = (*(resident.model for resident in strangers), *(one.model for one in going))
    return Outlook(dict(limits.budget), _memory(reach), _memory(room), evicts)


def _memory(room: Memory) -> dict[str, int]:
    return {device: size for device, size in room.items() if is_memory(device)}
