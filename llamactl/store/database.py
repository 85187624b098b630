"""The database file: opened, checked, made if it is not there."""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import peewee

from llamactl.core.errors import Refused
from llamactl.store.failures import told_of
from llamactl.store.models import Models
from llamactl.store.tables import TABLES, Metadata

VERSION = (1, 0)
"""Of the schema that this code reads and writes."""


class Database:
    """An open database; close it. To be used by the thread that opened it, and by no other.

    `patience` is how many seconds to wait for a lock of somebody else; `now` gives seconds since the epoch.
    Raises `Refused` for a database of another program or of a newer llamactl, which is left as it is, and
    `StoreFailed` for one that cannot be used. So does everything that is reached through it.
    """

    def __init__(self, path: Path, patience: float = 5.0, now: Callable[[], float] = time.time) -> None:
        self.path = path
        pragmas = {"foreign_keys": 1, "synchronous": "normal"}
        self._db = peewee.SqliteDatabase(str(path), pragmas=pragmas, timeout=patience, autoconnect=False)
        self.models = Models(self._db, path, now)
        """The catalogue's table."""
        try:
            with told_of(path):
                self._db.connect()
                self._check()
                self._db.pragma("auto_vacuum", "incremental")  # means something before the first table only
                self._db.pragma("journal_mode", "wal")
                self._make(now)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Nothing happens the second time."""
        self._db.close()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _check(self) -> None:
        """Reads only: what is not ours, or not yet, stays untouched."""
        tables = self._db.get_tables()
        if not tables:
            return
        if Metadata._meta.table_name not in tables:
            raise Refused(f"{self.path} is the database of another program", "move it away, or set XDG_DATA_HOME")
        found = Metadata.select(Metadata.value).where(Metadata.key == "db_version").tuples().execute(self._db)
        version = [value for (value,) in found]
        if not version or not _is_version(version[0]):
            raise Refused(f"{self.path} does not say which version it has", "move it away, or set XDG_DATA_HOME")
        if tuple(map(int, version[0].split("."))) > VERSION:
            raise Refused(
                f"{self.path} was written by a newer llamactl (schema {version[0]}, this one knows "
                f"{_show(VERSION)}); it was not touched",
                "use that llamactl, or set XDG_DATA_HOME to start afresh",
            )

    def _make(self, now: Callable[[], float]) -> None:
        with self._db.atomic("IMMEDIATE"):
            for table in TABLES:
                peewee.SchemaManager(table, self._db).create_all(safe=True)
            version = {"key": "db_version", "value": _show(VERSION), "updated_at": round(now() * 1000)}
            Metadata.insert(version).on_conflict_ignore().execute(self._db)


def _is_version(text: str) -> bool:
    return all(part.isascii() and part.isdigit() for part in text.split("."))


def _show(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
