"""What is found wrong with an installation, and what can be done about it."""

from typing import Literal

import msgspec

Level = Literal["ok", "warning", "problem"]


class Remove(msgspec.Struct, frozen=True, tag="remove"):
    """A file that a daemon left behind."""

    path: str


class SetMode(msgspec.Struct, frozen=True, tag="mode"):
    """Close something to other users."""

    path: str
    mode: int


class PutDown(msgspec.Struct, frozen=True, tag="put down"):
    """End the processes that an earlier daemon left with their records in this directory, and remove these."""

    directory: str


Repair = Remove | SetMode | PutDown


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`code` is a stable word for scripts, `fix` the command to try next.

    `repair` is what may be done without asking; `repaired` when it has been.
    """

    code: str
    level: Level
    message: str
    cause: str = ""
    fix: str = ""
    repair: Repair | None = None
    repaired: bool = False

    @property
    def name(self) -> str:
        return self.code


def ok(code: str, message: str) -> Finding:
    return Finding(code=code, level="ok", message=message)


def warning(code: str, message: str, cause: str = "", fix: str = "", repair: Repair | None = None) -> Finding:
    return Finding(code=code, level="warning", message=message, cause=cause, fix=fix, repair=repair)


def problem(code: str, message: str, cause: str = "", fix: str = "", repair: Repair | None = None) -> Finding:
    return Finding(code=code, level="problem", message=message, cause=cause, fix=fix, repair=repair)
