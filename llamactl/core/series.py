"""Series of numbers, and how they are thinned out with age."""

from collections.abc import Iterable, Sequence

import msgspec


class Range(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What `count` numbers were."""

    min: float
    mean: float
    max: float
    count: int = 1

    def joined(self, other: "Range") -> "Range":
        count = self.count + other.count
        low, high = min(self.min, other.min), max(self.max, other.max)
        mean = (self.mean * self.count + other.mean * other.count) / count
        return Range(low, min(max(mean, low), high), high, count)


class Point(msgspec.Struct, frozen=True):
    """The numbers of one time, by name. `at` is when it began, in milliseconds since the epoch."""

    at: int
    values: dict[str, Range]


def single(value: float) -> Range:
    return Range(value, value, value)


def thin(points: Iterable[Point], step: int) -> list[Point]:
    """One point for each `step` milliseconds that has any, in the order of time. Where there was nothing is nothing."""
    found: dict[int, dict[str, Range]] = {}
    for point in points:
        at = point.at - point.at % step
        into = found.get(at)
        if into is None:
            found[at] = dict(point.values)
            continue
        for name, value in point.values.items():
            known = into.get(name)
            into[name] = value if known is None else known.joined(value)
    return [Point(at, found[at]) for at in sorted(found)]


class Tier(msgspec.Struct, frozen=True):
    """One point each `step`, kept for `keep`, in milliseconds; where `step` is 0, each as it was measured."""

    step: int
    keep: int


def tiers(history: float, thinner: Iterable[tuple[float, float]]) -> tuple[Tier, ...]:
    """From seconds: the finest first. Each is kept at least until the next one has taken it up."""
    steps = sorted((round(step * 1000), round(keep * 1000)) for step, keep in thinner if step > 0)
    found = [Tier(0, round(history * 1000)), *(Tier(step, keep) for step, keep in steps)]
    return tuple(
        Tier(tier.step, max(tier.keep, found[number + 1].step if number + 1 < len(found) else 0))
        for number, tier in enumerate(found)
    )


NEARLY = 0.99
"""Who asks for the last day gets it from what is kept for a day, though the answer comes a moment later."""


def suited(of: Sequence[Tier], reach: int, step: int | None) -> int:
    """Which of the tiers to begin reading with, for what goes back so many milliseconds in steps of so many.

    The finest one that reaches so far back, if there is one; a coarser one where that is as good.
    """
    far = [number for number, tier in enumerate(of) if tier.keep >= NEARLY * reach] or [len(of) - 1]
    return max((number for number in far if step is not None and of[number].step <= step), default=far[0])
