"""What is done to requests: changed, laid over each other, found by name."""

import pytest

from llamactl.core.errors import BadRequest, NotFound
from llamactl.core.shape import Shape, changed, split


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("qwen3:fast", ("qwen3", "fast")),
        ("org/a:7b:fast", ("org/a:7b", "fast")),
        ("qwen3", ("qwen3", "")),
        ("qwen3:", ("qwen3:", "")),
        (":fast", ("", "fast")),
        ("a:b/c", ("a:b/c", "")),
        ("a:" + "x" * 65, ("a:" + "x" * 65, "")),
    ],
)
def test_split(name: str, parts: tuple[str, str]) -> None:
    assert split(name) == parts


def test_a_change_leaves_the_rest() -> None:
    shape = changed(Shape(), {"a": 1, "b": [1]}, ["c"], [])
    assert shape == Shape({"a": 1, "b": [1]}, ("c",))
    assert changed(shape, {"c": 2}, ["a"], []) == Shape({"b": [1], "c": 2}, ("a",))
    assert changed(shape, {"b": None}, [], ["a", "c"]) == Shape({"b": None})


@pytest.mark.parametrize(
    ("set", "strip", "unset", "error"),
    [
        ({"model": "x"}, [], [], BadRequest),
        ({}, ["stream"], [], BadRequest),
        ({"": 1}, [], [], BadRequest),
        ({"a": 1}, ["a"], [], BadRequest),
        ({"a": 1}, [], ["a"], BadRequest),
        ({}, ["a"], ["a"], BadRequest),
        ({}, [], ["x"], NotFound),
    ],
)
def test_what_cannot_be(set: dict[str, object], strip: list[str], unset: list[str], error: type[Exception]) -> None:
    with pytest.raises(error):
        changed(Shape({"a": 1}), set, strip, unset)


def test_a_variant_lies_over_what_counts_for_all() -> None:
    base = Shape({"a": 1, "b": 2}, ("c", "d"))
    assert Shape({"c": 3}, ("b",)).over(base) == Shape({"a": 1, "c": 3}, ("d", "b"))
    assert Shape().over(base) == base
    assert base.over(Shape()) == base
