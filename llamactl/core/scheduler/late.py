"""Memory of processes that are gone, and that has not come back yet: drivers take their time."""

from llamactl.core.eviction import Memory
from llamactl.core.scheduler.residents import Resident

LONGEST = 5.0
"""Seconds that memory is waited for; what is not back then is somebody else's."""

LOOK, SHARE = 0.02, 0.1
"""Seconds to the next measurement at the least, and as a share of what has been waited."""


class Late:
    """Those who have gone lately, each with what was to be had in all before it went.

    What is missing of that in today's budget is on its way: so much may be counted on, though not used. With a
    budget that is not measured, nothing is ever missing.
    """

    def __init__(self) -> None:
        self._gone: list[tuple[float, Resident]] = []

    def __bool__(self) -> bool:
        return bool(self._gone)

    def add(self, resident: Resident, now: float) -> None:
        self._gone = [(at, other) for at, other in self._gone if now < at + LONGEST]
        self._gone.append((now, resident))

    def memory(self, budget: Memory, now: float) -> dict[str, int]:
        """Bytes per device that are missing; those of whom nothing is missing are forgotten."""
        short: dict[str, int] = {}
        theirs: dict[str, int] = {}
        waited_for = []
        for at, resident in self._gone:
            missing = False
            for device, size in resident.need.items():
                less = resident.budget.get(device, 0) - budget.get(device, 0)
                if size > 0 and less > 0 and now < at + LONGEST:
                    missing = True
                    short[device] = max(less, short.get(device, 0))
                    theirs[device] = theirs.get(device, 0) + size
            if missing:
                waited_for.append((at, resident))
        self._gone = waited_for
        return {device: min(size, short[device]) for device, size in theirs.items()}

    def look_again(self, now: float) -> float:
        """When to measure again: often at first."""
        last = max(at for at, _ in self._gone)
        return now + max(LOOK, SHARE * (now - last))
