"""What a value in the file, or a text in the environment, means for a key of a given type."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Any, Literal, NewType, get_args, get_origin

import msgspec

from llamactl.core.errors import BadRequest
from llamactl.core.units import parse_duration, parse_size

Duration = NewType("Duration", float)
"""Seconds; written as such or like `15m`."""
Idleness = NewType("Idleness", float)
"""Seconds, or -1: never."""
Size = NewType("Size", int)
"""Bytes; written as such or like `12GiB`."""
Rate = NewType("Rate", float)
"""Per minute; written as such or like `60/min`, `5/s`, `100/h`."""
FilePath = NewType("FilePath", str)
"""Absolute. A relative one is meant from the directory of the file that names it; `~` is a home."""
Program = NewType("Program", str)
"""A `FilePath`, or a name without any slash."""
Address = NewType("Address", str)
"""Text with colons of its own: `host:port`, `unix:///path`, `https://host`."""


Reader = Callable[[object, Path], object]
"""From the raw value and the directory that relative paths start at; raises `BadRequest`."""


class Tier(msgspec.Struct, frozen=True):
    """One value each `step` seconds, kept for `keep` seconds; written `1m:24h`."""

    step: float
    keep: float


_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/\s*(s|sec|second|m|min|minute|h|hour))?")
_PER_MINUTE = {"s": 60.0, "m": 1.0, "h": 1 / 60, None: 1.0}

_BETWEEN_ADDRESSES = re.compile(r",|:(?!//|\d+(?:[:,]|$)|[^\[]*\])")
"""A comma, or a colon that is not part of an address: before `//`, before a port, inside brackets."""


def read(kind: Any, raw: object, base: Path, text: bool = False) -> Any:
    """`raw` as `kind`, the type of a key. Raises `BadRequest`, which does not say which key it was.

    `raw` is what TOML gives, or with `text` a string that stands for it. Relative paths start at `base`.
    """
    if NoneType in get_args(kind) and raw == "":
        return None
    kind = _without_none(kind)
    if kind in _READERS:
        return _finite(_READERS[kind], raw, base)
    if get_origin(kind) is tuple:
        if not isinstance(raw, list):
            raise BadRequest(f"expected a list, got {_called(raw)}")
        return tuple(read(get_args(kind)[0], item, base) for item in raw)
    if get_origin(kind) is dict:
        if not isinstance(raw, dict):
            raise BadRequest(f"expected a table, got {_called(raw)}")
        return {str(name): read(get_args(kind)[1], item, base) for name, item in raw.items()}
    try:
        return msgspec.convert(raw, kind, strict=not text)
    except msgspec.ValidationError as error:
        choices = _choices(kind)
        if choices and not (isinstance(raw, int) and choices[0] == _NUMBER):
            raise BadRequest(f"expected {' or '.join(choices)}, got {raw!r}") from None
        raise BadRequest(str(error).replace("`", "").replace("Expected", "expected").replace("str", "text")) from None


def untext(kind: Any, text: str) -> object:
    """The raw value that `text` in the environment stands for; None where it is as good as not set."""
    optional = NoneType in get_args(kind)
    if optional and not text:
        return ""
    kind = _without_none(kind)
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        return [part for part in _split(item, text) if part]
    if get_origin(kind) is dict:
        return dict(_pair(part) for part in text.split(":") if part)
    return text if text or kind is str else None


def _split(item: Any, text: str) -> list[str]:
    if item is Address:
        return _BETWEEN_ADDRESSES.split(text)
    return text.split("," if item is Tier else ":")


def _pair(part: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    if not equals:
        raise BadRequest(f"expected name=value, got {part!r}")
    return name, value


def _finite(reader: Reader, raw: object, base: Path) -> object:
    try:
        value = reader(raw, base)
    except OverflowError:
        value = math.inf
    if isinstance(value, float) and not math.isfinite(value):
        raise BadRequest(f"not a number to work with: {raw}")
    return value


def _duration(raw: object, _: Path) -> float:
    seconds = _idleness(raw, _)
    if seconds < 0:
        raise BadRequest("a duration cannot be negative here")
    return seconds


def _idleness(raw: object, _: Path) -> float:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise BadRequest(f"expected a duration like 15m or seconds, got {_called(raw)}")
    return parse_duration(raw)


def _size(raw: object, _: Path) -> int:
    if isinstance(raw, bool) or not isinstance(raw, str | int):
        raise BadRequest(f"expected a size like 12GiB or bytes, got {_called(raw)}")
    return parse_size(raw)


def _rate(raw: object, _: Path) -> float:
    match = _RATE.fullmatch(str(raw).strip()) if not isinstance(raw, bool) else None
    if match is None:
        raise BadRequest(f"expected a rate like 60/min, got {raw!r}")
    return float(match[1]) * _PER_MINUTE[match[2] and match[2][0]]


def _file(raw: object, base: Path) -> str:
    if not isinstance(raw, str) or not raw or "\0" in raw:
        raise BadRequest(f"expected the path of a file or directory, got {raw!r}")
    try:
        return str(base / Path(raw).expanduser())
    except RuntimeError:
        raise BadRequest(f"no home directory for {raw!r}") from None


def _program(raw: object, base: Path) -> str:
    return raw if isinstance(raw, str) and raw and "/" not in raw and raw[0] != "~" else _file(raw, base)


def _tier(raw: object, base: Path) -> Tier:
    step, colon, keep = raw.partition(":") if isinstance(raw, str) else ("", "", "")
    if not colon:
        raise BadRequest(f"expected step:kept like 1m:24h, got {raw!r}")
    return Tier(read(Duration, step, base), read(Duration, keep, base))


_READERS: dict[Any, Reader] = {
    Duration: _duration,
    Idleness: _idleness,
    Size: _size,
    Rate: _rate,
    FilePath: _file,
    Program: _program,
    Tier: _tier,
}


def _called(raw: object) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a table"}
    return names.get(type(raw), type(raw).__name__)


def _without_none(kind: Any) -> Any:
    """`X` for `X | None`; anything else as it is."""
    rest = [member for member in get_args(kind) if member is not NoneType]
    return rest[0] if len(rest) == 1 and NoneType in get_args(kind) else kind


_NUMBER = "a number"


def _choices(kind: Any) -> list[str]:
    """The words that `kind` allows, after `a number` if it allows that too; none where it is not about words."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    words = [word for member in get_args(kind) if get_origin(member) is Literal for word in get_args(member)]
    return [_NUMBER, *words] if words else []
