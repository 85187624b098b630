import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.core.eviction import Candidate, Memory, Space, choose, exceeds

DEVICES = ("host", "gpu")
sizes = st.dictionaries(st.sampled_from(DEVICES), st.integers(0, 9))
rooms = st.dictionaries(st.sampled_from(DEVICES), st.integers(-5, 12))
needs = st.dictionaries(st.sampled_from(DEVICES), st.integers(0, 30))
crowds = st.lists(st.tuples(sizes, st.integers(0, 5), st.booleans()), max_size=7).map(
    lambda rows: [Candidate(f"m{i}", frees, used, draining) for i, (frees, used, draining) in enumerate(rows)]
)
places_left = st.none() | st.integers(-3, 2)


def suffices(going: list[Candidate], room: Memory, places: int | None, need: Memory) -> bool:
    """The same question as simply as it can be put."""
    if places is not None and places + len(going) < 1:
        return False
    return all(
        size == 0 or size <= room.get(device, 0) + sum(candidate.frees.get(device, 0) for candidate in going)
        for device, size in need.items()
    )


@given(crowds, rooms, places_left, needs)
def test_the_chosen_suffice_and_none_of_them_can_be_spared(
    candidates: list[Candidate], room: dict[str, int], places: int | None, need: dict[str, int]
) -> None:
    chosen = choose(candidates, room, places, need)
    if chosen is None:
        assert not suffices(candidates, room, places, need)
        return
    assert suffices(chosen, room, places, need)
    assert all(candidate in candidates for candidate in chosen)
    assert len({candidate.model for candidate in chosen}) == len(chosen)
    for spared in chosen:
        assert not suffices([candidate for candidate in chosen if candidate is not spared], room, places, need)


@given(crowds, rooms, places_left, needs)
def test_the_order_of_the_candidates_is_no_matter(
    candidates: list[Candidate], room: dict[str, int], places: int | None, need: dict[str, int]
) -> None:
    unlike = [Candidate(c.model, c.frees, used, c.draining) for used, c in enumerate(candidates)]
    forwards, backwards = (choose(order, room, places, need) for order in (unlike, unlike[::-1]))
    assert forwards == backwards


def idle(model: str, size: int, used: float, draining: bool = False) -> Candidate:
    return Candidate(model, {"host": size}, used, draining)


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
def test_least_recently_used_first_and_no_more_than_needed(room: int, need: int, gone: list[str] | None) -> None:
    candidates = [idle("new", 6, 3.0), idle("old", 3, 1.0), idle("mid", 2, 2.0)]
    chosen = choose(candidates, {"host": room}, None, {"host": need})
    assert (None if chosen is None else [candidate.model for candidate in chosen]) == gone


def test_what_is_draining_already_goes_before_what_is_not() -> None:
    candidates = [idle("old", 3, 1.0), idle("draining", 3, 9.0, draining=True)]
    assert choose(candidates, {}, None, {"host": 3}) == [candidates[1]]


def test_places_count_like_memory() -> None:
    candidates = [idle("old", 1, 1.0), idle("new", 1, 2.0)]
    assert choose(candidates, {"host": 9}, 1, {"host": 1}) == []
    assert choose(candidates, {"host": 9}, 0, {"host": 1}) == candidates[:1]
    assert choose(candidates, {"host": 9}, -1, {"host": 1}) == candidates
    assert choose(candidates, {"host": 9}, -2, {"host": 1}) is None


def test_nothing_needed_of_a_device_is_there_even_when_it_is_oversold() -> None:
    assert not exceeds({"gpu": 0}, {"gpu": -4})
    assert exceeds({"gpu": 1}, {"gpu": -4})
    assert exceeds({"gpu": 1}, {})
    assert not exceeds({"gpu": 1}, {"gpu": 1})
    assert exceeds({"host": 1, "gpu": 2}, {"host": 1, "gpu": 1})


def test_a_space_gives_back_what_was_taken() -> None:
    space = Space({"host": 5}, 2)
    space.take({"host": 3, "gpu": 1})
    assert (space.memory, space.places) == ({"host": 2, "gpu": -1}, 1)
    assert space.fits({"host": 2}) and not space.fits({"host": 3}) and not space.fits({"gpu": 1})
    space.take({})
    assert not space.fits({})
    space.give({})
    space.give({"host": 3, "gpu": 1})
    assert (space.memory, space.places) == ({"host": 5, "gpu": 0}, 2)


def test_what_is_left_in_both_of_two_spaces() -> None:
    both = Space({"host": 5, "gpu": 2}, 1).least(Space({"host": 3, "npu": -1}, 4))
    assert (both.memory, both.places) == ({"host": 3, "gpu": 0, "npu": -1}, 1)
