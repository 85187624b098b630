"""What a broken database looks like to the user."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import peewee

from llamactl.core.errors import BadRequest, StoreFailed

CHECK = "llamactl db check"

_CORRUPT = (
    f"{CHECK} says what is wrong; put a backup in its place, or move it and its -wal and -shm files away: "
    "a new one is made, and `llamactl models scan` fills it"
)
_WRITABLE = f"the daemon's user must be able to write the file and its directory; then: {CHECK}"
_LOCKED = f"llamactl daemon status shows whether a daemon has it; {CHECK}"

_FAILURES = {
    sqlite3.SQLITE_BUSY: ("is locked by another process", _LOCKED),
    sqlite3.SQLITE_LOCKED: ("is locked by another process", _LOCKED),
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", f"free some space on its file system; then: {CHECK}"),
    sqlite3.SQLITE_READONLY: ("is read-only", f"make it writable: {_WRITABLE}"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", _WRITABLE),
    sqlite3.SQLITE_PERM: ("cannot be opened", _WRITABLE),
    sqlite3.SQLITE_NOTADB: ("is not a database", _CORRUPT),
    sqlite3.SQLITE_CORRUPT: ("is corrupt", _CORRUPT),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", f"look at the health of its disk; then: {CHECK}"),
}
"""What happened and the way out, by SQLite's primary error code."""


def corrupt(path: Path, said: str) -> StoreFailed:
    """`said` is what SQLite found."""
    what, hint = _FAILURES[sqlite3.SQLITE_CORRUPT]
    return StoreFailed(f"the database {path} {what} ({said.replace(chr(10), ' ')})", hint)


@contextmanager
def told_of(path: Path) -> Iterator[None]:
    """Failures of the database inside come out as `StoreFailed`, which names the file."""
    try:
        yield
    except (peewee.DatabaseError, sqlite3.DatabaseError) as error:  # peewee lets those of fetching rows through
        cause = error if isinstance(error, sqlite3.DatabaseError) else error.__cause__ or error.__context__
        code = getattr(cause, "sqlite_errorcode", None)
        what, hint = _FAILURES.get(-1 if code is None else code & 0xFF, ("failed", CHECK))
        raise StoreFailed(f"the database {path} {what} ({error})", hint) from error
    except msgspec.MsgspecError as error:
        raise StoreFailed(f"the database {path} holds a row that cannot be read ({error})", _CORRUPT) from error
    except UnicodeEncodeError as error:
        raise BadRequest(f"{error.object[:80]!r} is not valid text") from error
