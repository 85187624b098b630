"""A copy of a database, complete or not there, while others may write."""

import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from llamactl.core.errors import StoreFailed
from llamactl.store.failures import CHECK

PAGES = 256
"""Copied at once: 1 MiB."""


def copy(source: sqlite3.Connection, to: Path, replace: bool, told: Callable[[int, int], object] | None = None) -> None:
    """The database of a connection that is in no transaction, as one file that only its owner may read.

    `told` hears how many pages are left, and of how many. Raises `FileExistsError` unless it may `replace`,
    and other `OSError`s of the target; `sqlite3.Error`.
    """
    handle, name = tempfile.mkstemp(dir=to.parent, prefix=f".{to.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        # A snapshot that lasts until the end: else the copying would start anew after each change by others.
        source.execute("BEGIN")
        try:
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            with closing(sqlite3.connect(part, isolation_level=None)) as target:
                target.execute("PRAGMA synchronous=FULL")
                progress = None if told is None else lambda _, left, total: told(left, total)
                source.backup(target, pages=PAGES, progress=progress)
                target.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
                (said,) = target.execute("PRAGMA quick_check(1)").fetchone()
                if said != "ok":
                    raise StoreFailed(f"the database is corrupt ({said}); {to} was not written", CHECK)
        finally:
            source.execute("ROLLBACK")
        _flush(part)
        if replace:
            part.replace(to)
        else:
            os.link(part, to)  # unlike a rename it fails if the name is taken
        _flush(to.parent)
    finally:
        for leftover in (part, Path(f"{part}-wal"), Path(f"{part}-shm"), Path(f"{part}-journal")):
            with suppress(FileNotFoundError):
                leftover.unlink()


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
