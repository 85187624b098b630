"""Who holds memory."""

from collections import Counter
from typing import Literal

from llamactl.core.eviction import Memory, give, take

State = Literal["starting", "ready", "retiring", "stopping"]

GRACE = 60.0
"""Seconds that a model started by name stays for its first use, where it would be stopped as soon as idle."""


class Resident:
    """An instance that holds memory: from the decision to start it until its process is gone.

    `need` is its memory, `claim` that with the places it takes. `budget` is what was measured before it came
    or was told to stop: what is to be had again once it has gone.
    """

    __slots__ = (
        *("budget", "bytes", "claim", "closing", "cohort", "fresh", "leases", "model", "need", "since"),
        *("state", "ttl", "until", "used"),
    )

    def __init__(self, model: str, need: Memory, claim: Memory, cohort: frozenset[str], ttl: float, now: float) -> None:
        self.model = model
        self.need = need
        self.claim = claim
        self.cohort = cohort
        self.bytes = sum(need.values())
        self.budget: Memory = {}
        self.ttl = ttl
        self.since = now
        self.until = now  # when it is stopped, drained or not
        self.used = now  # since when it is idle, or was before its first lease now out
        self.leases = 0
        self.fresh = False  # started by name, and not used since
        self.closing = 0  # above 0 no new leases: somebody has waited too long for its place; the first has the least
        self.state: State = "starting"

    @property
    def leaving(self) -> bool:
        """It gives its memory back without anybody asking again."""
        return self.state == "retiring" or self.state == "stopping"

    @property
    def idle(self) -> bool:
        return self.state == "ready" and not self.leases

    @property
    def patience(self) -> float:
        """Seconds of idleness that it is allowed; below 0: any."""
        return GRACE if self.fresh and self.ttl == 0 else self.ttl


class Residents:
    """By name, with the sums of what they claim, which are kept up to date rather than added up."""

    def __init__(self) -> None:
        self.by_name: dict[str, Resident] = {}
        self.pins: set[str] = set()  # names; they stay pinned while nothing runs
        self.held: dict[str, int] = {}  # by all
        self.staying: dict[str, int] = {}  # by those that are not leaving
        self.pinned: dict[str, int] = {}  # by those of them that are pinned
        self.unready: set[str] = set()  # they load, or leave
        self.cohorts: Counter[frozenset[str]] = Counter()
        self.cohorts_pinned: Counter[frozenset[str]] = Counter()

    def add(self, resident: Resident) -> None:
        self.by_name[resident.model] = resident
        give(self.held, resident.claim)
        self.cohorts[resident.cohort] += 1
        if resident.state != "ready":
            self.unready.add(resident.model)
        if not resident.leaving:
            self._stays(resident)

    def serves(self, resident: Resident) -> None:
        resident.state = "ready"
        self.unready.discard(resident.model)

    def remove(self, model: str) -> Resident:
        resident = self.by_name.pop(model)
        take(self.held, resident.claim)
        _less(self.cohorts, resident.cohort)
        self.unready.discard(model)
        if not resident.leaving:
            self._stays_no_more(resident)
        return resident

    def leaves(self, resident: Resident, state: Literal["retiring", "stopping"]) -> None:
        if not resident.leaving:
            self._stays_no_more(resident)
        resident.state = state
        self.unready.add(resident.model)

    def without(self, model: str) -> "Residents":
        """All others."""
        others = Residents()
        others.pins = self.pins
        for name, resident in self.by_name.items():
            if name != model:
                others.add(resident)
        return others

    def pin(self, model: str) -> None:
        if model not in self.pins:
            self.pins.add(model)
            resident = self.by_name.get(model)
            if resident is not None and not resident.leaving:
                give(self.pinned, resident.claim)
                self.cohorts_pinned[resident.cohort] += 1

    def unpin(self, model: str) -> None:
        if model in self.pins:
            self.pins.discard(model)
            resident = self.by_name.get(model)
            if resident is not None and not resident.leaving:
                take(self.pinned, resident.claim)
                _less(self.cohorts_pinned, resident.cohort)

    def _stays(self, resident: Resident) -> None:
        give(self.staying, resident.claim)
        if resident.model in self.pins:
            give(self.pinned, resident.claim)
            self.cohorts_pinned[resident.cohort] += 1

    def _stays_no_more(self, resident: Resident) -> None:
        take(self.staying, resident.claim)
        if resident.model in self.pins:
            take(self.pinned, resident.claim)
            _less(self.cohorts_pinned, resident.cohort)


def _less(counter: Counter[frozenset[str]], cohort: frozenset[str]) -> None:
    counter[cohort] -= 1
    if not counter[cohort]:
        del counter[cohort]
