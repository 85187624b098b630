"""What is found wrong with an installation, and what can be done about it."""

from typing import Literal

import msgspec

Level = Literal["ok", "warning", "problem"]

Code = Literal[
    "address-unusable",
    "check-failed",
    "check-unfinished",
    "companion-unusable",
    "configuration",
    "configuration-invalid",
    "daemon",
    "daemon-absent",
    "daemon-busy",
    "daemon-forbidden",
    "daemon-silent",
    "daemon-unreachable",
    "database",
    "database-broken",
    "database-closed",
    "database-unusable",
    "disk",
    "disk-full",
    "disk-low",
    "engine",
    "engine-silent",
    "engine-unusable",
    "files-low",
    "gpu-driver",
    "gpu-forbidden",
    "gpu-hidden",
    "gpu-unused",
    "leftovers",
    "linger",
    "linger-off",
    "logs-large",
    "memlock-low",
    "mode-open",
    "model-changed",
    "model-failed",
    "model-missing",
    "models",
    "not-a-socket",
    "orphan-running",
    "owner-differs",
    "pid-file-stale",
    "port-privileged",
    "port-taken",
    "ports",
    "records-stale",
    "restart-pending",
    "service-down",
    "settings-refused",
    "socket-stale",
    "sockets",
    "version-differs",
]
"""A stable word for scripts. Those of one word say that all is well with what they name."""


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
    """`fix` is the command to try next.

    `repair` is what may be done without asking; `repaired` when it has been.
    """

    code: Code
    level: Level
    message: str
    cause: str = ""
    fix: str = ""
    repair: Repair | None = None
    repaired: bool = False


def ok(code: Code, message: str) -> Finding:
    return Finding(code=code, level="ok", message=message)


def warning(code: Code, message: str, cause: str = "", fix: str = "", repair: Repair | None = None) -> Finding:
    return Finding(code=code, level="warning", message=message, cause=cause, fix=fix, repair=repair)


def problem(code: Code, message: str, cause: str = "", fix: str = "", repair: Repair | None = None) -> Finding:
    return Finding(code=code, level="problem", message=message, cause=cause, fix=fix, repair=repair)
