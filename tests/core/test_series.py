"""Thinning: whatever way it is done, it says the same; what was not measured does not come to be."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.core.series import Point, Range, Tier, single, suited, thin, tiers

numbers = st.floats(-1e9, 1e9)
points = st.lists(
    st.builds(
        lambda at, values: Point(at, {name: single(value) for name, value in values.items()}),
        st.integers(0, 5_000_000),
        st.dictionaries(st.sampled_from("abc"), numbers, max_size=3),
    ),
    max_size=60,
)


@given(points, st.integers(1, 900), st.integers(1, 20))
def test_in_two_steps_it_is_the_same_as_in_one(given: list[Point], step: int, times: int) -> None:
    once, twice = thin(given, step * times), thin(thin(given, step), step * times)
    assert [(point.at, point.values.keys()) for point in once] == [(point.at, point.values.keys()) for point in twice]
    for one, other in zip(once, twice, strict=True):
        for name, value in one.values.items():
            again = other.values[name]
            assert (value.min, value.max, value.count) == (again.min, again.max, again.count)
            assert math.isclose(value.mean, again.mean, rel_tol=1e-9, abs_tol=1e-3)


@given(points, st.integers(1, 100_000))
def test_it_is_what_lists_say(given: list[Point], step: int) -> None:
    thinned = thin(given, step)
    assert [point.at for point in thinned] == sorted({point.at // step * step for point in given})
    for point in thinned:
        inside = [one.values for one in given if 0 <= one.at - point.at < step]
        for name in {name for values in inside for name in values}:
            all_ = [values[name].mean for values in inside if name in values]
            found = point.values[name]
            assert (found.min, found.max, found.count) == (min(all_), max(all_), len(all_))
            assert found.min <= found.mean <= found.max
            assert math.isclose(found.mean, sum(all_) / len(all_), rel_tol=1e-9, abs_tol=1e-3)


def test_a_gap_is_a_gap() -> None:
    thinned = thin([Point(at, {"a": single(at)}) for at in (0, 1_000, 180_500)], 60_000)
    assert thinned == [Point(0, {"a": Range(0, 500, 1000, 2)}), Point(180_000, {"a": single(180_500)})]


def test_what_is_given_is_left_as_it_was() -> None:
    given = [Point(0, {"a": single(1.0)}), Point(1, {"a": single(2.0), "b": single(3.0)})]
    thin(given, 10)
    assert given[0].values == {"a": single(1.0)}


def test_each_tier_is_kept_until_the_next_has_it() -> None:
    assert tiers(600, [(900, 86400), (60, 300)]) == (Tier(0, 600_000), Tier(60_000, 900_000), Tier(900_000, 86_400_000))
    assert tiers(10, [(60, 3600)])[0] == Tier(0, 60_000)
    assert tiers(10, []) == (Tier(0, 10_000),)


@pytest.mark.parametrize(
    ("reach", "step", "tier"),
    [
        (600, None, 0),  # as it was measured
        (601, None, 0),  # the answer comes a moment later
        (700, None, 1),
        (86_400, None, 1),
        (90_000, None, 2),
        (10**8, None, 2),
        (300, 60, 1),  # fewer rows, the same numbers
        (300, 59, 0),
        (300, 3600, 2),
        (90_000, 1, 2),  # there is nothing finer
    ],
)
def test_which_tier_suits(reach: int, step: int | None, tier: int) -> None:
    of = tiers(600, [(60, 86_400), (900, 30 * 86_400)])
    assert suited(of, reach * 1000, None if step is None else step * 1000) == tier
