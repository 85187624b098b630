"""Records as lines on stderr: for a terminal, for the journal, or for a file."""

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal, TextIO

from llamactl.core.lines import Level
from llamactl.logs.daily import Entry

Kind = Literal["plain", "colour", "journal"]

_PRIORITIES: dict[Level, int] = {"error": 3, "warn": 4, "info": 6, "debug": 7}
"""Those of syslog, as sd-daemon(3) has them."""
_COLOURS: dict[Level, str] = {"error": "\x1b[31m", "warn": "\x1b[33m", "info": "\x1b[32m", "debug": "\x1b[2m"}


def kind(stream: TextIO, environment: Mapping[str, str]) -> Kind:
    """systemd says which stream goes to the journal: `JOURNAL_STREAM` is its device and inode."""
    with suppress(OSError, ValueError):
        found = os.fstat(stream.fileno())
        if environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}":
            return "journal"
    plain = environment.get("NO_COLOR") or environment.get("TERM") == "dumb"
    return "colour" if stream.isatty() and not plain else "plain"


def shown(entry: Entry, kind: Kind) -> str:
    """With the newline. The journal takes the time itself, and a priority before each line."""
    if kind == "journal":
        lines = f"{entry.logger}: {entry.message}".splitlines()
        return "".join(f"<{_PRIORITIES[entry.level]}>{line}\n" for line in lines)
    local = entry.time.astimezone()
    time = f"{local:%Y-%m-%d %H:%M:%S},{local.microsecond // 1000:03}"
    level = f"{entry.level:5}"
    if kind == "colour":
        return f"\x1b[2m{time}\x1b[0m {_COLOURS[entry.level]}{level}\x1b[0m {entry.logger}: {entry.message}\n"
    return f"{time} {level} {entry.logger}: {entry.message}\n"
