"""How the tables are reached."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import peewee

from llamactl.store.failures import told_of


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Peewee's own would end one that a full disk has ended already, and tell of that instead of the disk."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


class Access:
    """The connection of a `Database`, in transactions only. What fails in one comes out as `StoreFailed`."""

    def __init__(self, db: peewee.SqliteDatabase, path: Path, now: Callable[[], float]) -> None:
        self._db = db
        self._path = path
        self._now = now
        self.renamed: Callable[[], object] = lambda: None
        """Called when names may have come or gone."""

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """All that is read inside is of the same moment."""
        with told_of(self._path), self._db.atomic():
            yield self.connection()

    @contextmanager
    def writing(self, *, names: bool = False) -> Iterator[sqlite3.Connection]:
        """All that is written inside is there afterwards, or nothing of it. `names`: somebody may want to know."""
        connection = self.connection()
        with told_of(self._path), transaction(connection):
            yield connection
        if names:
            self.renamed()

    def connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = self._db.connection()  # type: ignore[no-untyped-call, unused-ignore]
        return connection

    def milliseconds(self) -> int:
        """Since the epoch."""
        return round(self._now() * 1000)
