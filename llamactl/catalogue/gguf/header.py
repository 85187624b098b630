"""The values and the tensors that a header lists.

Refused is what llama.cpp's `gguf.cpp` refuses in every release, and nothing that one of them loads.
"""

import math
import struct
from itertools import zip_longest
from typing import NamedTuple

import msgspec

from llamactl.catalogue.gguf.opening import Header
from llamactl.catalogue.gguf.types import TENSOR_TYPES
from llamactl.catalogue.gguf.window import Malformed, TooLong, Window

MOST_VALUES = 1 << 14
MOST_TENSORS = 1 << 16
"""Read of one file; real ones have under 100 values and a few thousand tensors."""

KEPT = 256
"""Bytes of a string that are kept: names, not templates."""

MOST_ITEMS = 1 << 15
"""Items of arrays that are kept, of all arrays together: one for each layer, not for each token."""

_DIMENSIONS = 4
_ALIGNMENT = 32

_STRING, _ARRAY = 8, 9
_LETTERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_NUMBERS = {kind: struct.Struct("<" + letter) for kind, letter in _LETTERS.items()}
_U32 = struct.Struct("<I")
_ARRAY_HEAD = struct.Struct("<IQ")
_TENSOR_TAIL = struct.Struct("<IQ")
_SHAPES = [struct.Struct(f"<{dimensions}q") for dimensions in range(_DIMENSIONS + 1)]


class Array(NamedTuple):
    """`items` is empty where there are too many to keep, and for strings."""

    length: int
    items: tuple[int | float | bool, ...] = ()


Value = int | float | bool | bytes | Array


class Tensor(NamedTuple):
    """`size` is its bytes in the file; of a type we do not know, with what is left free after it."""

    name: bytes
    type: int
    elements: int
    size: int


class Contents(msgspec.Struct, frozen=True):
    """What is in a header, or in its beginning if it has no end within bounds."""

    values: dict[bytes, Value]
    tensors: list[Tensor]


class _Listed(NamedTuple):
    name: bytes
    shape: tuple[int, ...]
    type: int
    offset: int


def contents(window: Window, header: Header, size: int) -> Contents:
    """All that follows the 24 bytes of `header`, which are the first of the window. Raises as the window does."""
    window.skip(24)
    values: dict[bytes, Value] = {}
    try:
        _read_values(window, header.kv_count, values)
        alignment = _alignment(values)
        listed = _read_tensors(window, header.tensor_count)
    except TooLong:
        return Contents(values, [])
    return Contents(values, _measure(listed, -(-window.position // alignment) * alignment, alignment, size))


def _read_values(window: Window, count: int, into: dict[bytes, Value]) -> None:
    kept = 0
    for _ in range(min(count, MOST_VALUES)):
        key = window.string(KEPT)
        if not key:
            raise Malformed("it is corrupt (a key is empty)")
        if key in into and len(key) < KEPT:
            raise Malformed(f"it is corrupt ({_quoted(key)} is in it twice)")
        value = _read_value(window, key, kept)
        into[key] = value
        if isinstance(value, Array):
            kept += len(value.items)
    if count > MOST_VALUES:
        raise TooLong


def _read_value(window: Window, key: bytes, kept: int) -> Value:
    """One value; items of arrays are kept while there are few."""
    (kind,) = _U32.unpack(window.take(4))
    number = _NUMBERS.get(kind)
    if number is not None:
        found: int | float | bool = number.unpack(window.take(number.size))[0]
        return found
    if kind == _STRING:
        return window.string(KEPT)
    if kind != _ARRAY:
        raise Malformed(f"it is corrupt ({_quoted(key)} is of the unknown type {kind})")
    kind, count = _ARRAY_HEAD.unpack(window.take(_ARRAY_HEAD.size))
    if kind == _STRING:
        window.skip_strings(count)
        return Array(count)
    if kind not in _NUMBERS:
        what = "arrays" if kind == _ARRAY else f"the unknown type {kind}"
        raise Malformed(f"it is corrupt ({_quoted(key)} is an array of {what})")
    size = _NUMBERS[kind].size * count
    if kept + count > MOST_ITEMS:
        window.skip(size)
        return Array(count)
    return Array(count, struct.unpack(f"<{count}{_LETTERS[kind]}", window.take(size)))


def _alignment(values: dict[bytes, Value]) -> int:
    alignment = values.get(b"general.alignment", _ALIGNMENT)
    if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
        raise Malformed("it is corrupt (its general.alignment is no power of 2)")
    return alignment


def _read_tensors(window: Window, count: int) -> list[_Listed]:
    if count > MOST_TENSORS:
        raise TooLong
    listed = []
    names = set()
    for _ in range(count):
        name = window.string(KEPT)
        if name in names and len(name) < KEPT:
            raise Malformed(f"it is corrupt (the tensor {_quoted(name)} is in it twice)")
        names.add(name)
        (dimensions,) = _U32.unpack(window.take(4))
        if dimensions > _DIMENSIONS:
            raise Malformed(f"it is corrupt (the tensor {_quoted(name)} has {dimensions} dimensions)")
        shape = _SHAPES[dimensions].unpack(window.take(8 * dimensions))
        kind, offset = _TENSOR_TAIL.unpack(window.take(_TENSOR_TAIL.size))
        listed.append(_Listed(name, shape, kind, offset))
    return listed


def _measure(listed: list[_Listed], start: int, alignment: int, size: int) -> list[Tensor]:
    """The tensors with their sizes, their data beginning at `start`: one after the other, each aligned.

    How large one of an unknown type is tells the next one's offset.
    """
    tensors = []
    follows = missing = 0
    for one, after in zip_longest(listed, listed[1:]):
        elements = math.prod(one.shape)
        if min(one.shape, default=1) < 0 or elements >= 1 << 63:
            raise Malformed(f"it is corrupt (the tensor {_quoted(one.name)} has the shape {list(one.shape)})")
        if one.offset != follows:
            raise Malformed(f"it is corrupt (the tensor {_quoted(one.name)} is not where the one before it ends)")
        packing = TENSOR_TYPES.get(one.type)
        if packing is None:
            taken = max(after.offset - one.offset, 0) if after is not None else max(size - start - one.offset, 0)
            follows = one.offset + taken
        else:
            row = one.shape[0] if one.shape else 1
            if row % packing.block:
                raise Malformed(
                    f"it is corrupt (the tensor {_quoted(one.name)} of type {packing.name} has rows of {row} elements)"
                )
            taken = elements // packing.block * packing.size
            follows = one.offset + -(-taken // alignment) * alignment
        tensors.append(Tensor(one.name, one.type, elements, taken))
        missing = start + one.offset + taken - size
    if missing > 0:
        raise Malformed(f"it is truncated: {missing} bytes missing of {size + missing}")
    return tensors


def _quoted(name: bytes) -> str:
    return ascii(name[:64].decode("utf-8", "replace"))
