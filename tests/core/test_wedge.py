"""What moves, and what does not."""

import pytest

from llamactl.core.wedge import Look, Watch, compare

HERE, FURTHER = object(), object()
STILL = Look({1: HERE, 2: HERE}, 100, 7)
SINCE = Watch(5.0, STILL)


def test_it_begins_with_the_first_look() -> None:
    assert compare(None, STILL, 9.0) == Watch(9.0, STILL)


@pytest.mark.parametrize(
    "look",
    [
        STILL,
        Look({1: HERE}, 100, 7),  # one gave up
        Look({1: HERE, 2: HERE, 3: FURTHER}, 100, 7),  # one has come
        Look({3: HERE}, 100, 7),
        Look({1: HERE, 2: HERE}, 100, None),  # no answer
    ],
)
def test_nothing_has_moved(look: Look) -> None:
    assert compare(SINCE, look, 9.0).since == 5.0


@pytest.mark.parametrize(
    "look", [Look({1: HERE, 2: FURTHER}, 100, 7), Look({1: HERE, 2: HERE}, 101, 7), Look({1: HERE, 2: HERE}, 100, 8)]
)
def test_something_has_moved(look: Look) -> None:
    assert compare(SINCE, look, 9.0) == Watch(9.0, look)


def test_two_pieces_that_look_the_same_are_two() -> None:
    one, other = (bytes(bytearray(b"\n\n\r\n")) for _ in range(2))
    assert compare(Watch(5.0, Look({1: one}, 0)), Look({1: other}, 0), 9.0).since == 9.0


def test_the_count_is_kept_while_no_answer_comes() -> None:
    watch = compare(SINCE, Look(STILL.answers, 100, None), 9.0)
    assert watch.look.decodes == 7
    assert compare(watch, Look(STILL.answers, 100, 8), 10.0).since == 10.0


def test_the_first_count_is_no_movement() -> None:
    watch = compare(None, Look({1: HERE}, 100), 1.0)
    assert compare(watch, Look({1: HERE}, 100, 3), 2.0).since == 1.0
