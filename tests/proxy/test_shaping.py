"""Checked against Python's own reader of JSON."""

import json
import mmap
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.core.errors import BadRequest
from llamactl.proxy.shaping import edit


class _Member(NamedTuple):
    name: str
    value: Any
    text: str
    """From the first quote of its name to the end of its value."""


_NAMES = st.sampled_from(["model", "stream", "temperature", "ключ", 'q"uo\\te', "", "a/b", "\n"]) | st.text(max_size=4)
_SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.recursive(
    _SCALARS | st.text('{}[],:"\\ \taé😀') | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
_BLANKS = st.text(" \t\r\n", max_size=3)


def _spelled(name: str, escaped: bool) -> str:
    if not escaped:
        return json.dumps(name, ensure_ascii=False)
    units = name.encode("utf-16-be")
    return '"' + "".join(f"\\u{units[i]:02x}{units[i + 1]:02X}" for i in range(0, len(units), 2)) + '"'


@st.composite
def _members(draw: st.DrawFn) -> _Member:
    name, value = draw(_NAMES), draw(_VALUES)
    colon = f"{draw(_BLANKS)}:{draw(_BLANKS)}"
    written = json.dumps(value, indent=draw(st.sampled_from([None, 1])), ensure_ascii=draw(st.booleans()))
    return _Member(name, value, _spelled(name, draw(st.booleans())) + colon + written)


@st.composite
def _objects(draw: st.DrawFn) -> tuple[list[_Member], bytes]:
    """An object, names twice in it, and a way to write it down."""
    members = draw(st.lists(_members(), max_size=6))
    inside = ",".join(f"{draw(_BLANKS)}{member.text}{draw(_BLANKS)}" for member in members)
    return members, f"{draw(_BLANKS)}{{{inside or draw(_BLANKS)}}}{draw(_BLANKS)}".encode()


@given(_objects(), st.dictionaries(_NAMES, _VALUES, max_size=3), st.sets(_NAMES, max_size=3))
def test_only_what_is_named_changes(
    written: tuple[list[_Member], bytes], set: dict[str, Any], strip: frozenset[str]
) -> None:
    members, body = written

    edited = edit(body, {name: json.dumps(value).encode() for name, value in set.items()}, strip)

    stay = [member for member in members if member.name in set or member.name not in strip]
    added = [(name, value) for name, value in set.items() if all(member.name != name for member in members)]
    assert _pairs(edited) == [(member.name, set.get(member.name, member.value)) for member in stay] + added
    at = 0
    for member in stay:
        if member.name not in set:
            at = edited.index(member.text.encode(), at) + len(member.text.encode())


def _pairs(body: bytes) -> list[tuple[str, Any]]:
    """The members of the outermost object in their order, each with its value."""
    outermost: list[tuple[str, Any]] = []

    def remember(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        outermost[:] = pairs  # called for the outermost last
        return dict(pairs)

    json.loads(body, object_pairs_hook=remember)
    return outermost


@given(_objects(), st.sets(_NAMES, max_size=3))
def test_nothing_to_change(written: tuple[list[_Member], bytes], names: frozenset[str]) -> None:
    members, body = written
    assert edit(body, {}, names - {member.name for member in members}) == body


@pytest.mark.parametrize(
    ("body", "strip", "expected"),
    [
        (b'{"a": 1, "b": [2, {"a": 3}], "c": 4}', ("a",), b'{"b": [2, {"a": 3}], "c": 4,"s":true}'),
        (b'{"a": 1, "b": 2,  "c": 3\n}', ("b", "c"), b'{"a": 1,"s":true\n}'),
        (b'{ "a" : 1 }', ("a",), b'{ "s":true }'),
        (b'{"s" : null , "a":"}"}', (), b'{"s" : true , "a":"}"}'),
        (b'{"s":1,"a":"\\"}","s":{"s":[]}}', (), b'{"s":true,"a":"\\"}","s":true}'),
        (b"{}", (), b'{"s":true}'),
    ],
)
def test_what_it_looks_like(body: bytes, strip: tuple[str, ...], expected: bytes) -> None:
    assert edit(body, {"s": b"true"}, strip) == expected


def test_of_a_member_set_and_stripped_there_remains_what_is_set() -> None:
    assert edit(b'{"a":1,"b":2}', {"a": b"3"}, ("a", "b")) == b'{"a":3}'


def test_deep_and_long() -> None:
    deep = b"[" * 500 + b'"]"' + b"]" * 500
    long = b'"' + b'\\n\\\\\\"}' * 200_000 + b'"'
    body = b'{"deep":%b,"s":false,"long":%b}' % (deep, long)
    assert edit(body, {"s": b"true"}, ["long"]) == b'{"deep":%b,"s":true}' % deep


def test_of_a_large_body_in_mapped_memory() -> None:
    body = b'{"a":"' + b"x" * 10_000 + b'","s":1}'
    mapped = mmap.mmap(-1, len(body))
    mapped[:] = body
    assert edit(mapped, {"s": b"2"}) == body[:-2] + b"2}"
    assert edit(mapped, {"t": b"2"}) == body[:-1] + b',"t":2}'


@pytest.mark.parametrize("body", [b"", b"[]", b'"a"', b"{", b'{"a":1', b'{"a":1}}', b'{"a" 1}', b"[" * 99_999, b"\xff"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        edit(body, {"s": b"true"}, ["a"])
