"""How values are written: in the file, on the command line, and what of the one goes into the other."""

import re
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import msgspec

from llamactl.config.values import (
    Duration,
    FilePath,
    Idleness,
    Program,
    Rate,
    Size,
    Tier,
    is_secret,
    read,
    untext,
    without_none,
)
from llamactl.core.errors import BadRequest

Plain = str | int | float | bool | list[Any] | dict[str, Any]
"""What TOML knows, as far as we need it."""

HIDDEN = "(hidden)"


def given(kind: Any, text: str, base: Path) -> Plain:
    """What to put into the file for a `text` from the command line: lists as in the environment, or as in TOML.

    Relative paths are made absolute from `base`; units stay as they were typed. Raises `BadRequest`, which
    does not say which key it was.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRequest("not a text in UTF-8") from None
    raw = _numbers(without_none(kind), untext(kind, text))
    if raw is None:
        raise BadRequest("nothing is no value for it", "llamactl config unset takes it out of the file")
    return _given(kind, raw, read(kind, raw, base, text=True))


def taken(kind: Any, value: Any, base: Path) -> Plain:
    """As `given`, for a value from a call: as the file would have it, or a text as on the command line.

    Raises `BadRequest`.
    """
    return given(kind, value, base) if isinstance(value, str) else _given(kind, value, read(kind, value, base))


def _given(kind: Any, raw: Any, value: Any) -> Plain:
    kind = without_none(kind)
    if value is None:
        return ""
    if isinstance(value, tuple):
        return [_given(get_args(kind)[0], *pair) for pair in zip(raw, value, strict=True)]
    if isinstance(value, dict):
        return {name: _given(get_args(kind)[1], raw[name], each) for name, each in value.items()}
    if kind in (FilePath, Program):
        return str(raw) if raw.startswith("~") else str(value)
    plain: Plain = raw if kind is Tier or kind in _UNITS else value
    return plain


def _numbers(kind: Any, raw: Any) -> Any:
    """`raw` with numbers for those that may have a unit and have none."""
    if isinstance(raw, list):
        return [_numbers(get_args(kind)[0], each) for each in raw]
    if isinstance(raw, dict):
        return {name: _numbers(get_args(kind)[1], each) for name, each in raw.items()}
    if kind not in _UNITS or not isinstance(raw, str):
        return raw
    if re.fullmatch(r"-1|[0-9]{1,19}", raw.strip()):
        return int(raw)
    return float(raw) if kind is not Size and re.fullmatch(r"[0-9]*\.[0-9]+", raw.strip()) else raw


def shown(kind: Any, value: Any) -> str:
    """For people: as it would stand in the file, but for secrets."""
    if value is None:
        return "(not set)"
    return HIDDEN if is_secret(kind) else toml(kind, value)


def toml(kind: Any, value: Any) -> str:
    """As it would stand in the file; what is not set is an empty text."""
    kind = without_none(kind)
    if isinstance(value, tuple):
        return f"[{', '.join(toml(get_args(kind)[0], each) for each in value)}]"
    if isinstance(value, dict):
        pairs = [f"{_name(name)} = {toml(get_args(kind)[1], each)}" for name, each in value.items()]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    text = plain(kind, value)
    number = isinstance(value, int | float) and (kind not in _UNITS or re.fullmatch(r"-?[0-9.]+", text))
    return text if number else _quoted(text)


def plain(kind: Any, value: Any) -> str:
    """As it may be typed on the command line; what is not set is empty."""
    if value is None:
        return ""
    if isinstance(value, tuple | dict):
        return toml(kind, value) if untext(kind, "") == "" and not value else _joined(without_none(kind), value)
    kind = without_none(kind)
    if isinstance(value, bool):
        return str(value).lower()
    if kind in _UNITS:
        return _in_units(kind, value)
    if isinstance(value, Tier):
        return f"{_in_units(Duration, value.step)}:{_in_units(Duration, value.keep)}"
    return str(value)


def _joined(kind: Any, value: Any) -> str:
    whole: Any
    if isinstance(value, dict):
        whole = {name: plain(get_args(kind)[1], each) for name, each in value.items()}
        text = ":".join(f"{name}={each}" for name, each in whole.items())
    else:
        whole = [plain(get_args(kind)[0], each) for each in value]
        text = ("," if Tier in get_args(kind) else ":").join(whole)
    with suppress(BadRequest):
        if untext(kind, text) == whole:
            return text
    return toml(kind, value)


# --- units ---------------------------------------------------------------------------------------

_STEPS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def _duration(seconds: float) -> str:
    return next((f"{seconds / step:.0f}{unit}" for step, unit in _STEPS if seconds >= step and seconds % step == 0), "")


def _size(size: int) -> str:
    powers = ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB"))
    return next((f"{size >> 10 * n}{unit}" for n, unit in powers if size and size % (1 << 10 * n) == 0), "")


_UNITS: dict[Any, Callable[[Any], str]] = {
    Duration: _duration,
    Idleness: _duration,
    Size: _size,
    Rate: lambda rate: f"{rate:.0f}/min" if rate else "",
}


def _in_units(kind: Any, value: Any) -> str:
    """With a unit where one fits exactly, else the number itself."""
    text = _UNITS[kind](value)
    if text and read(kind, text, Path("/")) == value:
        return text
    return str(int(value)) if value == int(value) else f"{Decimal(repr(value)):f}"


# --- TOML ----------------------------------------------------------------------------------------


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")


def _name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)
