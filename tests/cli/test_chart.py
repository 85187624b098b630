"""Pictures of series."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.cli.chart import LEAST_WIDTH, Line, chart


def plain(value: float) -> str:
    return f"{value:.3g}"


def drawn(points: list[tuple[float, float]], width: int = 30, height: int = 5, braille: bool = False) -> list[str]:
    return chart(Line(points, 0.0, 100.0, 15.0), width, height, plain, plain, braille=braille)


def test_a_rise_with_a_gap() -> None:
    points = [(float(at), float(at)) for at in (*range(0, 40, 10), *range(70, 101, 10))]
    assert drawn(points) == [
        "100 |                    *****",
        "    |                 ****",
        "    |    ****",
        "  0 |*****",
        "    +0                     100",
    ]
    assert drawn(points, braille=True)[0].startswith("100 │")


def test_it_has_no_more_than_its_room() -> None:
    for width, height in ((80, 24), (120, 8), (40, 5)):
        for braille in (True, False):
            lines = drawn([(float(at), (at * 37) % 100) for at in range(101)], width, height, braille)
            assert len(lines) == height and max(map(len, lines)) <= width


@given(
    st.lists(st.tuples(st.floats(-10, 110), st.floats(-1e12, 1e12)), max_size=30),
    st.integers(1, 130),
    st.integers(1, 30),
    st.booleans(),
)
def test_nothing_is_too_odd_to_be_drawn(
    points: list[tuple[float, float]], width: int, height: int, braille: bool
) -> None:
    lines = drawn(sorted(points), width, height, braille)
    assert max(map(len, lines)) <= max(width, LEAST_WIDTH)


@pytest.mark.parametrize("value", [0.0, 50.0, -3.0])
def test_what_does_not_move_is_a_line(value: float) -> None:
    lines = drawn([(float(at), value) for at in range(0, 101, 10)])
    assert sum("***" in line for line in lines) == 1


def test_bounds_that_are_given() -> None:
    line = Line([(0.0, 10.0), (100.0, 10.0)], 0.0, 100.0, 200.0, (0.0, 100.0))
    lines = chart(line, 30, 11, plain, plain, braille=False)
    assert lines[0].startswith("100 |") and lines[8].endswith("****"), "a tenth from below"
