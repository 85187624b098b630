"""Looking after the file, whether a daemon uses it or not: is it sound, a copy of it, less of it."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from llamactl.core.database import Health, Vacuumed
from llamactl.core.errors import BadRequest, LlamactlError, NotFound, Refused
from llamactl.store.copying import copy
from llamactl.store.database import give_back
from llamactl.store.failures import told_of
from llamactl.store.lock import Lock
from llamactl.store.versions import VERSION, identify, show

PATIENCE = 5.0
"""Seconds to wait for a lock of somebody else."""

STEP = 64
"""Pages given back at once while a daemon works with the file."""

_SHOWN = 100
_MAGIC = b"SQLite format 3\0"
"""What a database begins with: https://www.sqlite.org/fileformat.html. An empty file is one, too."""
_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def check(path: Path, quick: bool = False) -> Health:
    """Read all of it; `quick` leaves out whether each index has what its table has.

    Raises `NotFound`, and `StoreFailed` for one that cannot be read at all.
    """
    size, wal_size = _present(path), _size(Path(f"{path}-wal"))
    problems: list[str] = []
    version: str | None = None
    models: int | None = None
    free = 0
    with told_of(path), closing(_reader(path)) as connection:
        try:
            free = _number(connection, "freelist_count") * _number(connection, "page_size")
            try:
                found = identify(connection, path)
                version = None if found is None else show(found)
            except LlamactlError as error:
                problems.append(error.message)
            problems += _unsound(connection, quick)
            if version is not None:
                models = connection.execute("SELECT count(*) FROM models").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _BROKEN:
                raise
            problems.append(str(error))
    return Health(
        path=str(path),
        version=version,
        current=show(VERSION),
        size=size,
        wal_size=wal_size,
        free=free,
        models=models,
        problems=tuple(problems[:_SHOWN]),
    )


def backup(path: Path, to: Path, replace: bool = False, told: Callable[[int, int], object] | None = None) -> int:
    """A consistent copy of it, of one moment, while others may write: one file, there when it is complete.

    Returns its size in bytes. `told` hears the pages left, and of how many. Raises `Refused` if there is such a
    file, unless it may `replace` it, and it is a database.
    """
    _present(path)
    if to.is_dir():
        raise BadRequest(f"{to} is a directory", f"llamactl db backup {to / path.name}")
    for own in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        with suppress(FileNotFoundError):
            if own.samefile(to):
                raise Refused(f"{to} is the database itself", "name another file")
    exists = Refused(f"{to} is there already", f"to replace it: llamactl db backup --force {to}")
    if to.exists() and not replace:
        raise exists
    if to.exists() and not _is_database(to):
        raise Refused(f"{to} is no database, so it is not replaced by one", "name another file")
    try:
        with told_of(path), closing(_reader(path)) as connection:
            copy(connection, to, replace, told)
    except FileExistsError:
        raise exists from None
    except OSError as error:
        raise LlamactlError(f"cannot write {to}: {error.strerror}", f"ls -ld {to.parent}") from error
    return to.stat().st_size


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) in (_MAGIC, b"")
    except OSError:
        return False


def vacuum(path: Path) -> Vacuumed:
    """Give what is free inside back to the file system.

    The whole file is written anew if no daemon uses it; else what is free is given back in short steps. Raises
    `NotFound`, `Refused` for a database that is not ours, `StoreFailed`.
    """
    _present(path)
    lock: Lock | None = None
    with suppress(Refused):
        lock = Lock(path)
    try:
        with told_of(path), closing(_opened(path, "rw")) as connection:
            identify(connection, path)
            before = _number(connection, "page_count") * _number(connection, "page_size")
            if lock is not None:
                connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            else:
                free = _number(connection, "freelist_count")
                while free:
                    give_back(connection, STEP)
                    free, last = _number(connection, "freelist_count"), free
                    if free >= last:
                        break
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            after = _number(connection, "page_count") * _number(connection, "page_size")
    finally:
        if lock is not None:
            lock.release()
    return Vacuumed(path=str(path), before=before, after=after, complete=lock is not None)


def _unsound(connection: sqlite3.Connection, quick: bool) -> list[str]:
    pragma = "quick_check" if quick else "integrity_check"
    said = [text for (text,) in connection.execute(f"PRAGMA {pragma}({_SHOWN})") if text != "ok"]
    orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
    return said + [f"row {row} of {table} belongs to nothing in {parent}" for table, row, parent, _ in orphans]


def _present(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        raise NotFound(f"there is no database {path}", "llamactl daemon start makes it") from None
    except OSError as error:
        raise LlamactlError(f"cannot look at {path}: {error.strerror}", f"ls -l {path}") from error


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    value: int = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
    return value


def _reader(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, also where nothing can be written."""
    connection = _opened(path, reading_mode(path))
    connection.execute("PRAGMA query_only=ON")
    return connection


def reading_mode(path: Path) -> str:
    """How to open one that is only to be read."""
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return "rw"  # one that may only read would leave the files beside it behind
    # One that cannot make those files must know that nobody else writes.
    return "ro" if _size(Path(f"{path}-wal")) else "ro&immutable=1"


def uri(path: Path, mode: str) -> str:
    return f"file:{quote(str(path))}?mode={mode}"


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(uri(path, mode), uri=True, timeout=PATIENCE, isolation_level=None)
