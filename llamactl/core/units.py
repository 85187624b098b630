"""Sizes and durations as people write them: `12GiB`, `1.5g`, `15m`, `1h30m`, `90`."""

import math
import re
from datetime import UTC, datetime

from llamactl.core.errors import BadRequest

_NUMBER = r"(\d{1,18}(?:\.\d{1,18})?)"
_SIZE = re.compile(rf"\s*{_NUMBER}\s*(?:([kmgt])(i?)b?|b)?\s*", re.IGNORECASE | re.ASCII)
_POWER = {"k": 1, "m": 2, "g": 3, "t": 4}
_PART = re.compile(rf"{_NUMBER}\s*(ms|s|m|h|d|w)\s*", re.IGNORECASE | re.ASCII)
_DURATION = re.compile(rf"\s*(?:{_NUMBER}|(?:{_PART.pattern})+)\s*", re.IGNORECASE | re.ASCII)
_RATE = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)\s*(?:/\s*(s|sec|second|m|min|minute|h|hour))?", re.ASCII)
_PER_MINUTE = {"s": 60.0, "m": 1.0, "h": 1 / 60, None: 1.0}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def parse_size(text: str | int) -> int:
    """Bytes. `k`, `m`, `g`, `t` count in 1024, as memory does; so do `KiB` …; `KB` … count in 1000.

    Raises `BadRequest` for anything else, negative numbers included.
    """
    if isinstance(text, int):
        if text < 0:
            raise BadRequest(f"a size cannot be negative: {text}")
        return text
    match = _SIZE.fullmatch(text)
    if match is None:
        raise BadRequest(f"not a size: {text!r}", "write it like 12GiB, 500MB or 1048576")
    number, letter, binary = match[1], (match[2] or "").lower(), match[3]
    decimal = bool(letter) and not binary and text.rstrip().lower().endswith("b")
    factor: int = (1000 if decimal else 1024) ** _POWER.get(letter, 0)
    return round(float(number) * factor) if "." in number else int(number) * factor


def parse_duration(text: str | float) -> float:
    """Seconds. `-1` (never) passes through; any other negative number raises `BadRequest`."""
    if isinstance(text, str) and text.strip() == "-1":
        return -1.0
    if isinstance(text, int | float):
        if text < 0 and text != -1:
            raise BadRequest(f"a duration cannot be negative: {text}", "-1 means never")
        if not math.isfinite(text):
            raise BadRequest(f"not a duration: {text}", "-1 means never")
        return float(text)
    match = _DURATION.fullmatch(text)
    if match is None:
        raise BadRequest(f"not a duration: {text!r}", "write it like 90, 15m or 1h30m")
    if match[1]:
        return float(match[1])
    return sum(float(number) * _SECONDS[unit.lower()] for number, unit in _PART.findall(text))


def parse_rate(text: str) -> float:
    """So many a minute, of `60/min`, `5/s`, `100/h` or `60`. Raises `BadRequest` for anything else."""
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise BadRequest(f"expected a rate like 60/min, got {text!r}")
    return float(match[1]) * _PER_MINUTE[match[2] and match[2][0]]


def show_size(size: float) -> str:
    """`1.5 GiB`: binary units, no more than three figures where there are decimals."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(size) < 1023.5 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" or abs(size) >= 100 else f"{size:.3g} {unit}"


def show_count(count: float) -> str:
    """`8.19B`, `135M`: three figures at most, in thousands, millions and so on."""
    for unit in ("", "K", "M", "B", "T"):
        if abs(count) < 999.5 or unit == "T":
            break
        count /= 1000
    return f"{count:.0f}{unit}" if not unit or abs(count) >= 100 else f"{count:.3g}{unit}"


def show_time(seconds: float) -> str:
    """`2026-01-31T10:30:00.000Z`, as RFC 3339 has it; `seconds` since the epoch."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def show_duration(seconds: float) -> str:
    """`3s`, `2m05s`, `1h02m`, `3d04h`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"
