"""Medians, ratios and plain tables."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

Row = Sequence[str | float | int]
T = TypeVar("T")


def show(title: str, head: Sequence[str], rows: Sequence[Row]) -> None:
    """Print a table: names to the left, numbers to the right, as many digits as mean something."""
    cells = [list(head), *([cell if isinstance(cell, str) else number(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    print(f"\n{title}")
    for row in cells:
        print(
            "  "
            + "  ".join(
                text.rjust(w) if i else text.ljust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))
            )
        )


def number(value: float) -> str:
    """Three digits or more, thousands apart."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def verdict(what: str, value: float, bound: float, *, least: bool = False) -> None:
    """Print whether a number keeps to its bound (`least`: must be at least, otherwise at most)."""
    kept = value >= bound if least else value <= bound
    print(
        f"  {'kept  ' if kept else 'MISSED'} {what}: {number(value)}, wanted {'≥' if least else '≤'} {number(bound)}",
        flush=True,
    )


class Rounds(Generic[T]):
    """Measurements of several contenders, one of each per round, in rotating order."""

    def __init__(self) -> None:
        self.of: dict[str, list[T]] = {}

    def take(self, rounds: int, measures: Mapping[str, Callable[[], T]]) -> None:
        """Measure everyone once per round; who went first goes last in the next."""
        names = list(measures)
        for turn in range(rounds):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                self.of.setdefault(name, []).append(measures[name]())

    def median(self, name: str, value: Callable[[T], float]) -> float:
        return statistics.median(value(sample) for sample in self.of[name])

    def ratios(self, name: str, other: str, value: Callable[[T], float]) -> list[float]:
        """This one's value over the other's, round by round."""
        return [value(a) / value(b) for a, b in zip(self.of[name], self.of[other], strict=True) if value(b)]

    def ratio(self, name: str, other: str, value: Callable[[T], float]) -> str:
        """Median of the ratios (smallest–largest); "" where the other was not measured."""
        if name == other:
            return "1"
        found = self.ratios(name, other, value) if {name, other} <= self.of.keys() else []
        return f"{statistics.median(found):.2f} ({min(found):.2f}–{max(found):.2f})" if found else ""

    def check(
        self, what: str, name: str, other: str, value: Callable[[T], float], bound: float, *, least: bool = False
    ) -> None:
        """Print the verdict on the median ratio, where both were measured."""
        if {name, other} <= self.of.keys() and (found := self.ratios(name, other, value)):
            verdict(f"{what}, {name} / {other}", statistics.median(found), bound, least=least)
