"""What a value in the file, or a text in the environment, means for a key of a given type."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, NewType, Union, get_args, get_origin

import msgspec

from llamactl.core.errors import BadRequest
from llamactl.core.model import Setting
from llamactl.core.parameters import Parameter, allowed
from llamactl.core.parameters.values import value_of
from llamactl.core.scheduler.limits import Group
from llamactl.core.units import parse_duration, parse_rate, parse_size

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
GroupText = NewType("GroupText", str)
"""A set of models, as `core.scheduler.Group` reads it."""
Secret = NewType("Secret", str)
"""Text that is neither shown nor quoted in an error."""
SecretUrl = NewType("SecretUrl", str)
"""Of http or https; as secret as what it may have in it."""


Reader = Callable[[object, Path], object]
"""From the raw value and the directory that relative paths start at; raises `BadRequest`."""


class Of(NamedTuple):
    """In the annotation of a key: it is a setting of llama-server, and this says what it may be."""

    parameter: Parameter


class Tier(msgspec.Struct, frozen=True):
    """One value each `step` seconds, kept for `keep` seconds; written `1m:24h`."""

    step: float
    keep: float


_BETWEEN_ADDRESSES = re.compile(r",|:(?!//|\d+(?:[:,]|$)|[^\[]*\])")
"""A comma, or a colon that is not part of an address: before `//`, before a port, inside brackets."""


def read(kind: Any, raw: object, base: Path, text: bool = False) -> Any:
    """`raw` as `kind`, the type of a key. Raises `BadRequest`, which does not say which key it was.

    `raw` is what TOML gives, or with `text` a string that stands for it. Relative paths start at `base`.
    """
    if NoneType in get_args(kind) and raw == "":
        return None
    kind = without_none(kind)
    if kind in _READERS:
        return _finite(_READERS[kind], raw, base)
    if parameter := parameter_of(kind):
        return _setting(parameter, raw, base)
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
    except msgspec.ValidationError:
        raise BadRequest(f"expected {expected(kind)}, got {_called(raw) if kind is Secret else _quoted(raw)}") from None


def untext(kind: Any, text: str) -> object:
    """The raw value that `text` in the environment stands for; None where it is as good as not set.

    Lists and tables may also be written as in the file.
    """
    optional = NoneType in get_args(kind)
    if optional and not text:
        return ""
    kind = without_none(kind)
    if get_origin(kind) is tuple:
        as_in_file = _literal(text, list)
        item = get_args(kind)[0]
        return [part for part in _split(item, text) if part] if as_in_file is None else as_in_file
    if get_origin(kind) is dict:
        as_in_file = _literal(text, dict)
        return dict(_pair(part) for part in text.split(":") if part) if as_in_file is None else as_in_file
    return text if text or kind is str else None


def _literal(text: str, kind: type) -> object:
    """What `text` is in TOML, if it is that and of that kind."""
    if text[:1] not in ("[", "{"):
        return None
    import tomllib

    try:
        parsed = tomllib.loads(f"it = {text}")
    except (ValueError, RecursionError):
        return None
    return parsed["it"] if len(parsed) == 1 and isinstance(parsed["it"], kind) else None


def _split(item: Any, text: str) -> list[str]:
    if item is Address:
        return _BETWEEN_ADDRESSES.split(text)
    if item is GroupText:
        return text.split("|")  # all else may be part of one
    # Colons may be part of a model's name: commas, where there are any, come first.
    return text.split("," if item is Tier or (item is str and "," in text) else ":")


def _pair(part: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    if not equals:
        raise BadRequest(f"expected name=value, got {part!r}")
    return name, value


def parameter_of(kind: Any) -> Parameter | None:
    """The setting of llama-server that such a key is, if it is one."""
    marks = getattr(without_none(kind), "__metadata__", ())
    return marks[0].parameter if marks and isinstance(marks[0], Of) else None


def is_secret(kind: Any) -> bool:
    parameter = parameter_of(kind)
    return without_none(kind) in (Secret, SecretUrl) or (parameter is not None and parameter.secret)


def _setting(parameter: Parameter, raw: object, base: Path) -> Setting:
    if parameter.kind == "path" and isinstance(raw, str) and raw:
        raw = _file(raw, base)
    try:
        return value_of(parameter, raw)
    except BadRequest as error:
        raise BadRequest(error.message.removeprefix(f"{parameter.name} "), error.hint) from None


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
    if isinstance(raw, bool):
        raise BadRequest(f"expected a rate like 60/min, got {raw!r}")
    return parse_rate(str(raw))


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


def _group(raw: object, _: Path) -> str:
    if not isinstance(raw, str):
        raise BadRequest(f"expected a text like NAME=MODEL,MODEL;max=1, got {_called(raw)}")
    Group.read(raw)
    return raw


def _secret_url(raw: object, _: Path) -> str:
    if not isinstance(raw, str) or not re.fullmatch(r"https?://[^/@\s]+(/\S*)?", raw):
        raise BadRequest("expected a URL like https://host/path")
    return raw


_READERS: dict[Any, Reader] = {
    Duration: _duration,
    Idleness: _idleness,
    Size: _size,
    Rate: _rate,
    FilePath: _file,
    Program: _program,
    Tier: _tier,
    GroupText: _group,
    SecretUrl: _secret_url,
}


def _called(raw: object) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a table"}
    return names.get(type(raw), type(raw).__name__)


def _quoted(raw: object) -> str:
    if not isinstance(raw, str | int | float):
        return _called(raw)
    quoted = str(raw).lower() if isinstance(raw, bool) else repr(raw)
    return quoted if len(quoted) <= 60 else f"{quoted[:57]}…"


def without_none(kind: Any) -> Any:
    """`X` for `X | None`, `X | Y` for `X | Y | None`; anything else as it is."""
    members = get_args(kind)
    return Union[tuple(member for member in members if member is not NoneType)] if NoneType in members else kind  # noqa: UP007


# --- for people ----------------------------------------------------------------------------------

_EXPECTED: dict[Any, str] = {
    Duration: "a duration like 15m, or seconds",
    Idleness: "a duration like 15m, or -1 for never",
    Size: "a size like 12GiB, or bytes",
    Rate: "a rate like 60/min",
    FilePath: "a path",
    Program: "the path or name of a program",
    Address: "an address",
    Secret: "a text",
    SecretUrl: "a URL",
    Tier: "step:kept like 1m:24h",
    GroupText: "a text like NAME=MODEL,MODEL;max=1",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
}


def expected(kind: Any) -> str:
    """What may be written for a key of that type: `a whole number from 0 to 65535`, `auto or all`."""
    kind = without_none(kind)
    origin, members = get_origin(kind), get_args(kind)
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    if parameter := parameter_of(kind):
        return _EXPECTED[bool] if parameter.kind == "switch" else allowed(parameter)
    if origin is Literal:
        return f"{', '.join(members[:-1])} or {members[-1]}"
    if origin is tuple:
        return f"a list, each {expected(members[0])}"
    if origin is dict:
        return f"a table, each {expected(members[1])}"
    if origin is Annotated:
        return f"{expected(members[0])}{_bounds(members[1])}"
    return " or ".join(expected(member) for member in members)


def _bounds(meta: msgspec.Meta) -> str:
    if meta.min_length:
        return " that is not empty"
    if meta.ge is not None and meta.le is not None:
        return f" from {meta.ge:g} to {meta.le:g}"
    return f" of at least {meta.ge:g}"
