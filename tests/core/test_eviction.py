from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.core.eviction import HALF_LIFE, Candidate, Memory, choose, exceeds, give, loss, rank, take

DEVICES = ("host", "gpu", "places")
sizes = st.dictionaries(st.sampled_from(DEVICES), st.integers(0, 9))
rooms = st.dictionaries(st.sampled_from(DEVICES), st.integers(-5, 12))
needs = st.dictionaries(st.sampled_from(DEVICES), st.integers(0, 30))
crowds = st.lists(st.tuples(sizes, st.integers(1, 50), st.integers(1, 9), st.booleans()), max_size=6).map(
    lambda rows: sorted((Candidate(f"m{i}", *row) for i, row in enumerate(rows)), key=rank)
)


def suffices(going: list[Candidate], room: Memory, need: Memory) -> bool:
    """The same question as simply as it can be put."""
    return all(
        size == 0 or size <= room.get(device, 0) + sum(candidate.frees.get(device, 0) for candidate in going)
        for device, size in need.items()
    )


@given(crowds, rooms, needs)
def test_the_chosen_suffice_and_none_of_them_can_be_spared(
    candidates: list[Candidate], room: dict[str, int], need: dict[str, int]
) -> None:
    chosen = choose(candidates, room, need)
    if chosen is None:
        assert not suffices(candidates, room, need)
        return
    assert suffices(chosen, room, need)
    assert all(candidate in candidates for candidate in chosen)
    assert len({candidate.model for candidate in chosen}) == len(chosen)
    for spared in chosen:
        assert not suffices([candidate for candidate in chosen if candidate is not spared], room, need)


@given(crowds, rooms, needs)
def test_no_single_one_would_have_been_a_smaller_loss(
    candidates: list[Candidate], room: dict[str, int], need: dict[str, int]
) -> None:
    chosen = choose(candidates, room, need)
    if chosen and not any(candidate.draining for candidate in candidates):
        alone = [candidate.loss for candidate in candidates if suffices([candidate], room, need)]
        assert len(chosen) == 1 or sum(candidate.loss for candidate in chosen) <= min(alone, default=99999)


def idle(model: str, size: int, lost: float, draining: bool = False) -> Candidate:
    return Candidate(model, {"host": size}, lost, size, draining)


def chosen(candidates: list[Candidate], room: int, need: int) -> list[str] | None:
    going = choose(sorted(candidates, key=rank), {"host": room}, {"host": need})
    return None if going is None else [candidate.model for candidate in going]


@pytest.mark.parametrize(
    ("room", "need", "gone"),
    [
        (0, 0, []),
        (3, 3, []),
        (0, 3, ["old"]),
        (0, 4, ["old", "mid"]),
        (0, 5, ["old", "mid"]),
        (1, 4, ["old"]),
        (0, 8, ["old", "new"]),
        (0, 9, ["old", "new"]),
        (0, 10, ["old", "mid", "new"]),
        (0, 11, ["old", "mid", "new"]),
        (0, 12, None),
    ],
)
def test_the_least_loss_per_byte_first_and_no_more_than_needed(room: int, need: int, gone: list[str] | None) -> None:
    assert chosen([idle("new", 6, 18.0), idle("old", 3, 3.0), idle("mid", 2, 4.0)], room, need) == gone


def test_one_that_suffices_is_preferred_to_two_that_cost_more() -> None:
    """By the byte `a` is the cheapest, but with it alone it is not done."""
    assert chosen([idle("a", 4, 3.0), idle("b", 4, 4.0), idle("c", 8, 6.5)], 0, 8) == ["c"]
    assert chosen([idle("a", 4, 3.0), idle("b", 4, 4.0), idle("c", 8, 8.0)], 0, 8) == ["a", "b"]


def test_no_set_is_a_smaller_loss_when_all_are_of_one_size() -> None:
    crowd = [idle(name, 2, lost) for name, lost in zip("abcdef", (5.0, 1.0, 4.0, 2.0, 8.0, 3.0), strict=True)]
    for need in range(13):
        going = choose(sorted(crowd, key=rank), {}, {"host": need})
        assert going is not None
        sets = [combinations(crowd, number) for number in range(7)]
        best = min(sum(c.loss for c in some) for each in sets for some in each if suffices([*some], {}, {"host": need}))
        assert sum(candidate.loss for candidate in going) == best


def test_what_frees_nothing_of_what_is_short_stays() -> None:
    cheap = Candidate("cheap", {"host": 9}, 0.1, 9)
    right = Candidate("right", {"gpu": 2}, 9.0, 2)
    assert choose([cheap, right], {"host": 5}, {"host": 1, "gpu": 1}) == [right]


def test_what_is_draining_already_goes_before_what_is_not() -> None:
    assert chosen([idle("old", 3, 1.0), idle("draining", 3, 9.0, draining=True)], 0, 3) == ["draining"]
    both = [idle("x", 2, 9.0, draining=True), idle("y", 2, 9.0, draining=True), idle("large", 4, 0.1)]
    assert chosen(both, 0, 4) == ["x", "y"]


def test_a_slow_load_weighs_as_much_as_a_late_use() -> None:
    assert loss(1.0, HALF_LIFE) == pytest.approx(loss(0.5, 0.0))
    assert loss(1.0, 10.0) < loss(1.0, 9.0) < loss(2.0, 9.0)
    before, after = (loss(60.0, 2000.0 + t) / loss(0.5, 7.0 + t) for t in (0.0, 5000.0))
    assert before == pytest.approx(after), "or the choice between two would change without anything happening"
    assert loss(1.0, -0.5) == loss(1.0, 0.0)


def test_nothing_needed_of_a_device_is_there_even_when_it_is_oversold() -> None:
    assert not exceeds({"gpu": 0}, {"gpu": -4})
    assert exceeds({"gpu": 1}, {"gpu": -4})
    assert exceeds({"gpu": 1}, {})
    assert not exceeds({"gpu": 1}, {"gpu": 1})
    assert exceeds({"host": 1, "gpu": 2}, {"host": 1, "gpu": 1})


def test_what_was_taken_is_given_back() -> None:
    room = {"host": 5}
    take(room, {"host": 3, "gpu": 1})
    assert room == {"host": 2, "gpu": -1}
    give(room, {"host": 3, "gpu": 1})
    assert room == {"host": 5, "gpu": 0}
