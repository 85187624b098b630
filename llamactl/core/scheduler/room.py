"""What is left of memory and places, while one round of decisions is taken."""

from collections.abc import Callable, Iterable

from llamactl.core.eviction import Candidate, Memory, choose, exceeds, give, rank, take
from llamactl.core.scheduler.lines import Line
from llamactl.core.scheduler.residents import Resident, Residents


class Room:
    """Lines are looked at in their order; what one is promised is not there for the next.

    `now` is what is free. `soon` is what will be once all that is leaving has left, less what is meant for
    lines that wait for nothing else. `later` is the same with every line served and all gone that must go
    for it, and `at_most` that with every candidate gone as well. Candidates are the instances that no line
    has been promised; those that are being emptied already go first, so that the choice does not waver.

    `late` is memory of those gone that is not measured to be free yet; `lost` says what stopping one costs.
    """

    def __init__(self, capacity: Memory, late: Memory, residents: Residents, lost: Callable[[Resident], float]) -> None:
        self._residents = residents
        self._lost = lost
        self.now = _left(capacity, residents.held)
        expected = dict(capacity)
        give(expected, late)
        self._soon = _left(expected, residents.staying)
        self._later = dict(self._soon)
        self._at_most = _left(expected, residents.pinned)
        self._promised: set[frozenset[str]] = set()  # cohorts
        # Looked up only once somebody must go:
        self._candidates: dict[str, Candidate] | None = None
        self._idle: dict[str, Candidate] = {}
        self._of_idle: dict[str, int] = {}
        self._of_all: dict[str, int] = {}

    def open_to(self, line: Line) -> bool:
        """Could it start now without taking from those before it?"""
        claim = line.claim
        if exceeds(claim, self.now) or exceeds(claim, self._soon) or exceeds(claim, self._later):
            return False
        return _all_are(line.cohort, self._residents.cohorts) and _all_are(line.cohort, self._promised)

    def hold(self, resident: Resident) -> None:
        """It starts."""
        for space in (self.now, self._soon, self._later):
            take(space, resident.claim)
        if resident.model in self._residents.pins:
            take(self._at_most, resident.claim)
        elif self._candidates is not None:
            self._add(resident, self._candidates)

    def make_way(self, line: Line, spare: Callable[[str], bool]) -> tuple[list[Candidate], bool]:
        """Who must go for it, and whether that can be at once.

        Idle ones if they suffice, but none to `spare`, else busy ones too, else none for now.
        """
        if self._candidates is None:
            self._candidates = self._look_up()
        claim, candidates = line.claim, self._candidates
        strange: dict[str, Candidate] = {}
        promised = False  # to another line: then this one cannot come before they have gone
        if not _all_are(line.cohort, self._residents.cohorts):
            residents = self._residents.by_name.values()
            strangers = [one.model for one in residents if one.cohort != line.cohort and not one.leaving]
            strange = {model: candidates[model] for model in strangers if model in candidates}
            promised = len(strange) < len(strangers)
        sure = {device: min(self._soon.get(device, 0), self._later.get(device, 0)) for device in claim}
        at_once = not promised and all(model in self._idle and not spare(model) for model in strange)
        if at_once and not exceeds(claim, _both(sure, self._of_idle)):
            for one in strange.values():
                give(sure, one.frees)
            idle = [one for model, one in self._idle.items() if model not in strange and not spare(model)]
            going = choose(idle, sure, claim)
            if going is not None:
                return [*strange.values(), *going], True
        later = {device: self._later.get(device, 0) for device in claim}
        if exceeds(claim, _both(later, self._of_all)):
            return [], False
        for one in strange.values():
            give(later, one.frees)
        going = choose((one for model, one in candidates.items() if model not in strange), later, claim)
        return ([], False) if going is None else ([*strange.values(), *going], False)

    def promise(self, line: Line, going: Iterable[Candidate], at_once: bool) -> None:
        """The line will get what it needs once these are gone."""
        for candidate in going:
            assert self._candidates is not None
            del self._candidates[candidate.model]
            take(self._of_all, candidate.frees)
            if self._idle.pop(candidate.model, None) is not None:
                take(self._of_idle, candidate.frees)
            give(self._later, candidate.frees)
            if at_once:
                give(self._soon, candidate.frees)
        take(self._later, line.claim)
        take(self._at_most, line.claim)
        if at_once:
            take(self._soon, line.claim)
        self._promised.add(line.cohort)

    def full(self, least: Memory) -> bool:
        """Can nothing start now that needs as much as this?"""
        return any(size > self.now.get(device, 0) for device, size in least.items())

    def exhausted(self, least: Memory) -> bool:
        """Is nothing left to promise to anybody who needs as much as this?"""
        return any(size > self._at_most.get(device, 0) for device, size in least.items())

    # --- inside ----------------------------------------------------------------------------------

    def _look_up(self) -> dict[str, Candidate]:
        pins, residents = self._residents.pins, self._residents.by_name.values()
        found = [self._candidate(one) for one in residents if not one.leaving and one.model not in pins]
        found.sort(key=rank)
        candidates = {candidate.model: candidate for candidate in found}
        for candidate in found:
            give(self._of_all, candidate.frees)
            if self._residents.by_name[candidate.model].idle:
                self._idle[candidate.model] = candidate
                give(self._of_idle, candidate.frees)
        return candidates

    def _add(self, resident: Resident, candidates: dict[str, Candidate]) -> None:
        candidates[resident.model] = self._candidate(resident)
        give(self._of_all, resident.claim)

    def _candidate(self, resident: Resident) -> Candidate:
        return Candidate(
            resident.model, resident.claim, self._lost(resident), resident.bytes, draining=resident.closing
        )


def _left(of: Memory, taken: Memory) -> dict[str, int]:
    left = dict(of)
    take(left, taken)
    return left


def _both(room: Memory, more: Memory) -> dict[str, int]:
    return {device: size + more.get(device, 0) for device, size in room.items()}


def _all_are(cohort: frozenset[str], cohorts: Iterable[frozenset[str]]) -> bool:
    return all(other == cohort for other in cohorts)
