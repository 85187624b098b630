"""The database, and the space that it, logs and models have."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from llamactl.core.errors import LlamactlError, NotFound
from llamactl.core.finding import Finding, ok, problem, warning
from llamactl.core.units import show_size
from llamactl.doctor.case import Case
from llamactl.store import upkeep

SCARCE, NONE = 1 << 30, 64 << 20
"""Bytes that are free of a file system: so few are worth a warning; with so few nothing can be kept."""

LARGE = 1.25
"""So much of what logs may take is more than a run that is being written to explains."""


def check_database(case: Case) -> Iterator[Finding]:
    if case.remote:
        return
    path = case.directories.database
    try:
        found = upkeep.check(path, quick=True)
    except NotFound:
        yield ok("database", f"{path} is made when a daemon starts")
        return
    except LlamactlError as error:
        if case.owner != case.here.uid:
            yield warning("database-closed", f"{path} cannot be looked at", error.message, "sudo llamactl doctor")
        else:
            yield problem("database-unusable", f"{path} cannot be used", error.message, error.hint)
        return
    if found.problems:
        yield problem("database-broken", f"{path} is not sound", found.problems[0], "llamactl db check")
    else:
        yield ok("database", f"{path} is sound ({show_size(found.size)})")


def check_space(case: Case) -> Iterator[Finding]:
    if case.remote:
        return
    directories = case.directories
    sound, seen = True, set[int]()
    free: list[str] = []
    places = [("data", directories.data), ("logs", directories.log)]
    for what, path in places + [("models", Path(str(path))) for path in case.config.models.directories]:
        there = next(each for each in (path, *path.parents) if each.exists())
        device = there.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        found = os.statvfs(there)
        left = found.f_bavail * found.f_frsize
        if left < SCARCE:
            sound = False
            full = left < NONE
            yield (problem if full else warning)(
                "disk-full" if full else "disk-low",
                f"{show_size(left)} are free for {what} in {path}",
                f"the file system of {there} is full to {100 - 100 * left // max(1, found.f_blocks * found.f_frsize)}%",
                f"du -xh -d 2 {there} | sort -h | tail",
            )
        else:
            free.append(f"{show_size(left)} for {what}")
    taken, most = _taken(directories.log), case.config.logging.max_total
    if taken > most * LARGE:
        sound = False
        yield warning(
            "logs-large",
            f"the logs in {directories.log} take {show_size(taken)}",
            f"logging.max_total is {show_size(most)}; they are thinned out while a daemon runs",
            "llamactl daemon start" if case.status is None else "llamactl config get logging.max_total",
        )
    if sound:
        yield ok("disk", f"free: {', '.join(free)}; logs take {show_size(taken)}")


def _taken(directory: Path) -> int:
    """Bytes on disk; a hole takes nothing."""
    taken = 0
    for where, _, names in os.walk(directory):
        for name in names:
            with suppress(FileNotFoundError):  # put aside meanwhile
                taken += Path(where, name).lstat().st_blocks * 512
    return taken
