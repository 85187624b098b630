"""A series as a picture of characters: braille where the terminal can show it, stars elsewhere (pure)."""

from collections.abc import Callable, Sequence

import msgspec

LEAST_WIDTH, LEAST_HEIGHT = 24, 3

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Of a braille character: by row and column."""


class Line(msgspec.Struct, frozen=True):
    """`points` are times in seconds and values; two that are more than `gap` seconds apart are not joined.

    `bounds` of the picture; None: those of the values.
    """

    points: Sequence[tuple[float, float]]
    start: float
    end: float
    gap: float
    bounds: tuple[float, float] | None = None


def chart(
    line: Line, width: int, height: int, show: Callable[[float], str], when: Callable[[float], str], *, braille: bool
) -> list[str]:
    """So many rows of so many columns at most: the picture with the least and the greatest value beside it, and below
    it a row of times. Where nothing was measured nothing is drawn.
    """
    width, height = max(width, LEAST_WIDTH), max(height, LEAST_HEIGHT)
    low, high = line.bounds or _bounds([value for _, value in line.points])
    labels = [show(high), show(low)]
    margin = max(map(len, labels)) + 1
    columns, rows = width - margin - 1, height - 1
    across, down = (2, 4) if braille else (1, 1)
    canvas = [[False] * (columns * across) for _ in range(rows * down)]
    for x, y in _dots(line, columns * across, rows * down, low, high):
        canvas[y][x] = True
    picture = [
        "".join(_cell(canvas, row, column, braille) for column in range(columns)).rstrip() for row in range(rows)
    ]
    left = [labels[0], *[""] * (rows - 2), labels[1]] if rows > 1 else labels[:1]
    drawn = [f"{label:>{margin - 1}} │{cells}" for label, cells in zip(left, picture, strict=True)]
    first, last = when(line.start), when(line.end)
    axis = " " * margin + "└" + first + last.rjust(columns - len(first))
    return [text if braille else text.replace("│", "|").replace("└", "+") for text in (*drawn, axis)]


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """What is never below zero begins there; a line that does not move is drawn in the middle of something."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    low = min(0.0, low) if low < 0 or high <= 0 or low / high < 0.8 else low
    return (low, high) if high > low else (low - abs(low) * 0.1, high + (abs(high) * 0.1 or 1.0))


def _dots(line: Line, columns: int, rows: int, low: float, high: float) -> "set[tuple[int, int]]":
    span = max(line.end - line.start, 1e-9)

    def place(at: float, value: float) -> tuple[float, float]:
        return (at - line.start) / span * (columns - 1), (high - value) / (high - low) * (rows - 1)

    found: set[tuple[int, int]] = set()
    before: tuple[float, float] | None = None
    for at, value in line.points:
        x, y = place(at, value)
        joined = before is not None and at - before[0] <= line.gap
        then_x, then_y = place(*before) if before is not None and joined else (x, y)
        steps = 1 + round(2 * max(abs(x - then_x), abs(y - then_y)))  # so that no dot is left out
        for step in range(steps + 1):
            dot = round(then_x + (x - then_x) * step / steps), round(then_y + (y - then_y) * step / steps)
            if 0 <= dot[0] < columns and 0 <= dot[1] < rows:
                found.add(dot)
        before = at, value
    return found


def _cell(canvas: list[list[bool]], row: int, column: int, braille: bool) -> str:
    if not braille:
        return "*" if canvas[row][column] else " "
    bits = sum(
        bit for y, of_row in enumerate(_DOTS) for x, bit in enumerate(of_row) if canvas[row * 4 + y][column * 2 + x]
    )
    return chr(0x2800 + bits) if bits else " "
