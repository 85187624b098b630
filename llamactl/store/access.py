"""How the tables are reached."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import peewee

from llamactl.store.failures import told_of


class Access:
    """The connection of a `Database`, in transactions only. What fails in one comes out as `StoreFailed`."""

    def __init__(self, db: peewee.SqliteDatabase, path: Path, now: Callable[[], float]) -> None:
        self._db = db
        self._path = path
        self._now = now

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """All that is read inside is of the same moment."""
        with told_of(self._path), self._db.atomic():
            yield self.connection()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All that is written inside is there afterwards, or nothing of it."""
        with told_of(self._path), self._db.atomic("IMMEDIATE"):
            yield self.connection()

    def connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = self._db.connection()  # type: ignore[no-untyped-call, unused-ignore]
        return connection

    def milliseconds(self) -> int:
        """Since the epoch."""
        return round(self._now() * 1000)
