"""Who waits, and in which order they are served."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

import msgspec

from llamactl.core.eviction import Memory

Age = tuple[float, int, str]
Rank = tuple[int, float, int, str]


class Waiter(msgspec.Struct, frozen=True):
    """`number` rises with each that comes: of two of one moment, the first is first."""

    since: float
    number: int
    priority: int


class Line:
    """All who wait for one model, first come first, and what starting it takes.

    `need` is what was asked for, `claim` that with the places it takes.
    """

    __slots__ = ("age", "claim", "cohort", "model", "need", "rank", "ttl", "waiters")

    def __init__(self, model: str) -> None:
        self.model = model
        self.ttl = -1.0
        self.need: Memory = {}
        self.claim: Memory = {}
        self.cohort: frozenset[str] = frozenset()
        self.waiters: dict[int, Waiter] = {}  # by ticket
        self.age: Age = (0.0, 0, model)
        self.rank: Rank = (0, 0.0, 0, model)

    @property
    def since(self) -> float:
        """When the first who still waits came."""
        return self.age[0]


class Lines:
    """Every line, by the name of its model."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}
        self._by_age: list[Age] = []
        self._by_rank: list[Rank] = []
        self._count = 0
        self._model_of: dict[int, str] = {}
        self._least: dict[str, int] = {}
        self._left = 0  # lines that have gone since `_least` was exact

    def __len__(self) -> int:
        return len(self._lines)

    def __contains__(self, model: object) -> bool:
        return model in self._lines

    def __iter__(self) -> Iterator[str]:
        """The models that are waited for, by how long."""
        return (age[2] for age in self._by_age)

    def get(self, model: str) -> Line | None:
        return self._lines.get(model)

    @property
    def waiters(self) -> int:
        """How many wait altogether."""
        return len(self._model_of)

    def model_of(self, ticket: int) -> str | None:
        return self._model_of.get(ticket)

    def add(self, line: Line, ticket: int, now: float, priority: int) -> None:
        """One more waiter, in a line that is new or has others."""
        self._count += 1
        waiter = Waiter(now, self._count, priority)
        self._model_of[ticket] = line.model
        line.waiters[ticket] = waiter
        if line.model not in self._lines:
            self._lines[line.model] = line
            self._place(line)
        elif -priority < line.rank[0]:
            self._displace(line)
            self._place(line)

    def claims(self, line: Line) -> None:
        """What a line claims, or is about to, is new."""
        if not self._lines or (line.model in self._lines and len(self._lines) == 1):
            self._least = {device: size for device, size in line.claim.items() if size > 0}
        else:
            self._least = _least(self._least, line.claim)

    def leave(self, ticket: int) -> Line | None:
        """Somebody waits no longer. The line, if its place may be another now, or it is no more."""
        line = self._lines[self._model_of.pop(ticket)]
        waiter = line.waiters.pop(ticket)
        if not line.waiters:
            self._forget(line)
            return line
        if waiter.number != line.age[1] and -waiter.priority != line.rank[0]:
            return None
        before = line.age, line.rank
        self._displace(line)
        self._place(line)
        return None if (line.age, line.rank) == before else line

    def pop(self, model: str) -> dict[int, Waiter]:
        """The line is served or sent away: those who stood in it."""
        line = self._lines.get(model)
        if line is None:
            return {}
        self._forget(line)
        for ticket in line.waiters:
            del self._model_of[ticket]
        return line.waiters

    def in_turn(self, now: float, max_wait: float) -> Iterator[Line]:
        """Those who have waited `max_wait` by age, then all others by priority. Each may leave in its turn."""
        border = self._border(now, max_wait)
        for age in self._by_age[:border]:
            yield self._lines[age[2]]
        for rank in list(self._by_rank):
            if not border or rank[1] + max_wait > now:
                yield self._lines[rank[3]]

    def minors(self, now: float, max_wait: float) -> Iterator[Line]:
        """Those who have not waited that long, by age."""
        return (self._lines[age[2]] for age in self._by_age[self._border(now, max_wait) :])

    def before(self, line: Line, now: float, max_wait: float) -> int:
        """How many lines come before this one."""
        border = self._border(now, max_wait)
        if line.since + max_wait <= now:
            return bisect_left(self._by_age, line.age)
        place = bisect_left(self._by_rank, line.rank)
        if border:
            place = border + sum(rank[1] + max_wait > now for rank in self._by_rank[:place])
        return place

    def least(self) -> dict[str, int]:
        """Of each device that every line needs some of, no line needs less than this."""
        if self._left > len(self._lines):
            self._left = 0
            first, *others = [line.claim for line in self._lines.values()] or [{}]
            self._least = {device: size for device, size in first.items() if size > 0}
            for claim in others:
                self._least = _least(self._least, claim)
        return self._least

    def all(self) -> list[Line]:
        return list(self._lines.values())

    # --- inside ----------------------------------------------------------------------------------

    def _border(self, now: float, max_wait: float) -> int:
        """How many have waited that long. (The sum, as in `wake_at`: a difference may be rounded otherwise.)"""
        return bisect_right(self._by_age, now, key=lambda age: age[0] + max_wait)

    def _place(self, line: Line) -> None:
        first = next(iter(line.waiters.values()))
        highest = max(waiter.priority for waiter in line.waiters.values()) if len(line.waiters) > 1 else first.priority
        line.age = (first.since, first.number, line.model)
        line.rank = (-highest, *line.age)
        insort(self._by_age, line.age)
        insort(self._by_rank, line.rank)

    def _displace(self, line: Line) -> None:
        del self._by_age[bisect_left(self._by_age, line.age)]
        del self._by_rank[bisect_left(self._by_rank, line.rank)]

    def _forget(self, line: Line) -> None:
        del self._lines[line.model]
        self._displace(line)
        self._left += 1


def _least(least: Memory, claim: Memory) -> dict[str, int]:
    return {device: min(size, claim[device]) for device, size in least.items() if claim.get(device, 0) > 0}
