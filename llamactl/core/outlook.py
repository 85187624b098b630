"""What a start would come to, without doing anything."""

from collections.abc import Collection, Iterable

import msgspec

from llamactl.core.eviction import Candidate, Memory, Space, choose
from llamactl.core.scheduler import Limits, Resident


class Outlook(msgspec.Struct, frozen=True):
    """Bytes per device: `budget` for all models, `reach` what one could have if all that may be were stopped, `free`
    what is left now. `evicts` are the models to be stopped for it, None if it cannot fit.
    """

    budget: dict[str, int]
    reach: dict[str, int]
    free: dict[str, int]
    evicts: tuple[str, ...] | None


def outlook(
    limits: Limits, residents: Iterable[Resident], pinned: Collection[str], model: str, need: Memory
) -> Outlook:
    """For a model that needs this. What it takes itself while it runs counts as free; busy ones may have to go, too."""
    others = [resident for resident in residents if resident.model != model]
    space = Space(limits.budget, limits.max_models or len(others) + 1)
    candidates = []
    for resident in others:
        space.take(resident.need)
        if resident.leaving or resident.model not in pinned:
            candidates.append(Candidate(resident.model, resident.need, resident.used, draining=resident.leaving))
    going = choose(candidates, space.memory, space.places, need)
    evicts = None if going is None else tuple(candidate.model for candidate in going)
    free = dict(space.memory)
    for candidate in candidates:
        space.give(candidate.frees)
    return Outlook(dict(limits.budget), space.memory, free, evicts)
