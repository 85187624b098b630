"""Numbers as pictures of characters: a gauge for one, a sparkline for many (pure)."""

from collections.abc import Iterable
from typing import NamedTuple

from llamactl.cli.top.view import Point


class Glyphs(NamedTuple):
    """`steps` are from nothing to all."""

    full: str
    empty: str
    steps: str
    rule: str
    chosen: str


FINE = Glyphs("█", "░", "▁▂▃▄▅▆▇█", "─", "▶")
PLAIN = Glyphs("#", ".", "_.:-=+*#", "-", ">")
"""Where the terminal has only ASCII."""


def gauge(percent: float | None, width: int, glyphs: Glyphs) -> str:
    """What is not known is an empty one."""
    full = 0 if percent is None else round(max(0.0, min(percent, 100.0)) / 100 * width)
    return glyphs.full * full + glyphs.empty * (width - full)


def sparkline(points: Iterable[Point], end: float, span: float, width: int, top: float | None, glyphs: Glyphs) -> str:
    """The mean of each `span / width` seconds until `end`; a space where nothing was measured.

    `top` is the value of a full one; None: the greatest of them.
    """
    sums, counts = [0.0] * width, [0] * width
    for at, value in points:
        place = int((at - end + span) / span * width)
        if 0 <= place < width or at == end:
            place = min(place, width - 1)
            sums[place] += value
            counts[place] += 1
    means = [total / count if count else None for total, count in zip(sums, counts, strict=True)]
    most = top or max((mean for mean in means if mean is not None), default=0.0) or 1.0
    last = len(glyphs.steps) - 1
    steps = (None if mean is None else round(max(0.0, min(mean / most, 1.0)) * last) for mean in means)
    return "".join(" " if step is None else glyphs.steps[step] for step in steps)
