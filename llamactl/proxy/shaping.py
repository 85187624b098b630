"""Changes to the top level of a JSON object that leave every other byte as it was. (pure)"""

import mmap
import re
from collections.abc import Collection, Iterator, Mapping

import msgspec

from llamactl.core.errors import BadRequest

_raw_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_key = msgspec.json.Decoder(str).decode

_BLANK = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^ \t\r\n,}]++")
_TO_BRACKET = re.compile(rb'(?:[^][{}"]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)


def edit(body: bytes | mmap.mmap, set: Mapping[str, bytes], strip: Collection[str] = ()) -> bytes:
    """`body` with each member of `set` (its value as JSON) and without those of `strip` that are not set.

    A member that is there keeps its place, one that is not comes last; of a name that is there twice each is changed.
    Raises `BadRequest` when the body is no JSON object.
    """
    there = members(body)
    if there.keys().isdisjoint(set) and there.keys().isdisjoint(strip):
        end, filled = body.rfind(b"}"), bool(there)
        return b"".join((body[:end], *_inserted(set, filled), body[end:]))
    pieces: list[bytes] = []
    filled, last = False, 0
    for name, start, at, end in _places(body):
        if not pieces:
            pieces.append(body[:start])  # the bracket, and what is blank
        if name in set or name not in strip:
            pieces.append(body[last if filled else start : at])  # with the comma before it
            pieces.append(set[name] if name in set else body[at:end])
            filled = True
        last = end
    new = {name: value for name, value in set.items() if name not in there}
    return b"".join((*pieces, *_inserted(new, filled), body[last:]))


def members(body: bytes | mmap.mmap) -> dict[str, msgspec.Raw]:
    """Of the object that `body` is; the values as they stand there. Raises `BadRequest` when it is none."""
    try:
        return _raw_members(body)
    except msgspec.ValidationError:
        raise BadRequest("the body is not a JSON object") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise BadRequest("the body's JSON is nested too deep") from None


def _inserted(set: Mapping[str, bytes], filled: bool) -> Iterator[bytes]:
    for name, value in set.items():
        yield b"," if filled else b""
        yield msgspec.json.encode(name)
        yield b":"
        yield value
        filled = True


def _places(body: bytes | mmap.mmap) -> Iterator[tuple[str, int, int, int]]:
    """Of each member: its name, where it begins, where its value begins and ends. `body` is known to be an object."""
    at = _blank(body, _blank(body, 0) + 1)
    while body[at] != ord("}"):
        key_end = _end(_STRING, body, at)
        value_at = _blank(body, _blank(body, key_end) + 1)
        value_end = _value_end(body, value_at)
        yield _key(body[at:key_end]), at, value_at, value_end
        at = _blank(body, value_end)
        if body[at] == ord(","):
            at = _blank(body, at + 1)


def _value_end(body: bytes | mmap.mmap, at: int) -> int:
    first = body[at]
    if first == ord('"'):
        return _end(_STRING, body, at)
    if first not in b"[{":
        return _end(_SCALAR, body, at)
    depth = 0
    while True:
        at = _end(_TO_BRACKET, body, at)
        depth += 1 if body[at] in b"[{" else -1
        at += 1
        if depth == 0:
            return at


def _blank(body: bytes | mmap.mmap, at: int) -> int:
    return _end(_BLANK, body, at)


def _end(pattern: re.Pattern[bytes], body: bytes | mmap.mmap, at: int) -> int:
    found = pattern.match(body, at)
    assert found is not None, "msgspec has read it as JSON"
    return found.end()
