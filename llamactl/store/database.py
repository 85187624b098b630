"""The database file: opened, checked, made if it is not there, brought up to date if it is old."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import peewee

from llamactl.core.errors import StoreFailed
from llamactl.core.parameters import GROUPS, columns
from llamactl.store.access import Access
from llamactl.store.copying import copy
from llamactl.store.events import Events
from llamactl.store.exits import Exits
from llamactl.store.failures import CHECK, corrupt, told_of
from llamactl.store.fits import Fits
from llamactl.store.footprints import Footprints
from llamactl.store.keys import Keys
from llamactl.store.lock import Lock
from llamactl.store.models import Models
from llamactl.store.presets import Presets
from llamactl.store.requests import Requests
from llamactl.store.samples import Samples
from llamactl.store.server import ServerSettings
from llamactl.store.tables import MEASURED, TABLE_OF, TABLES, declared
from llamactl.store.versions import MIGRATIONS, VERSION, Version, identify, show
from llamactl.store.writer import Writer

PRAGMAS: dict[str, str | int] = {"foreign_keys": 1, "synchronous": "normal"}
"""Of each connection; that we write ahead and vacuum incrementally is written in the file."""


MANY_FREE, MOST_GIVEN = 256, 4096
"""Pages of 4 KiB: so many that are free are worth giving back, and so many at most go when a daemon starts."""


SHORT = 0.5
"""Seconds to wait for a lock of somebody else where the event loop waits, too."""


class Database:
    """An open database; close it. To be used by the thread that opened it, and by no other.

    `patience` is how many seconds to wait for a lock of somebody else when it is opened, and in the thread that
    writes; else it is no more than `SHORT`. `now` gives seconds since the epoch.
    Raises `Refused` for a database that another daemon uses, of another program or of a newer llamactl, which is
    left as it is, and `StoreFailed` for one that cannot be used. So does everything that is reached through it.
    """

    def __init__(self, path: Path, patience: float = 5.0, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self._db = peewee.SqliteDatabase(str(path), pragmas=PRAGMAS, timeout=patience, autoconnect=False)
        self._access = access = Access(self._db, path, now)
        self.models = Models(access)
        self.server = ServerSettings(access)
        """The settings of all models that have no other."""
        self.presets = Presets(access)
        self.fits = Fits(access)
        """What llama-fit-params said of each model."""
        self.exits = Exits(access)
        """How the llama-servers of each model ended."""
        self.footprints = Footprints(access)
        """What models were measured to take."""
        self._writer = Writer(path, patience)
        self.samples = Samples(path, self._writer, access.milliseconds)
        """Measurements; they are written in a thread of their own."""
        self.events = Events(access, self._writer)
        """What happened; it is written in that thread, too."""
        self.keys = Keys(access, self._writer)
        self.requests = Requests(access, self._writer)
        """Requests that have ended; in the same thread."""
        self._lock = Lock(path)
        try:
            with told_of(path):
                self._db.connect()
                found = identify(self._access.connection(), path)
                if found is None:
                    self._db.pragma("auto_vacuum", "incremental")  # means something before the first table only
                else:
                    self._check()
                self._db.pragma("journal_mode", "wal")
                if found is not None and found != VERSION:
                    self._keep_a_copy(found)
                self._make(found)
                self._give_back()
                self._db.pragma("busy_timeout", round(1000 * min(patience, SHORT)))
                self.models.prepare()
                self.server.prepare()
        except BaseException:
            self.close()
            raise

    def changes(self) -> int:
        """How many rows were written through it so far: while this stays, so does all that it keeps.

        Measurements of the machine and requests do not count.
        """
        return self._access.connection().total_changes

    def on_renamed(self, call: Callable[[], object]) -> None:
        """It is called after each change of models, presets or keys, by whose names they may be asked for."""
        self._access.renamed = call

    def close(self) -> None:
        """Nothing happens the second time."""
        self._writer.close()
        self._db.close()
        self._lock.release()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _keep_a_copy(self, version: Version) -> None:
        """Beside it, of the file as it was before it is changed: `llamactl.db.1.0.bak`."""
        backup = self.path.with_name(f"{self.path.name}.{show(version)}.bak")
        try:
            copy(self._access.connection(), backup, replace=True)
        except OSError as error:
            raise StoreFailed(
                f"the database {self.path} needs another schema, and cannot be copied to {backup} before: "
                f"{error.strerror}",
                f"free some space, or make the directory writable; then: {CHECK}",
            ) from error

    def _make(self, found: Version | None) -> None:
        """All tables, columns and indexes that are not there. One that is up to date is not written to."""
        with self._access.writing() as connection:
            fill = MIGRATIONS[found](connection) if found in MIGRATIONS else None
            for table in TABLES:
                peewee.SchemaManager(table, self._db).create_all(safe=True)
            for group in GROUPS:
                new = {parameter.name: declared(parameter.kind) for parameter in columns(group)}
                if group == "model":
                    new |= {"preset": "TEXT", "shapes": "TEXT"}
                _add(connection, TABLE_OF[group], new)
            _add(connection, "keys", {"wait": "TEXT NOT NULL DEFAULT ''"})
            if fill is not None:
                self.models.prepare()
                fill(self.models)
            connection.execute(
                "UPDATE metadata SET value = value WHERE 0"
            )  # fails at once where nothing can be written
            if found != VERSION:
                connection.execute(_VERSION, (show(VERSION), self._access.milliseconds()))

    def _check(self) -> None:
        """All but those that may be large."""
        connection = self._access.connection()
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0").fetchall()
        large = {table._meta.table_name for table in MEASURED}
        for (table,) in tables:
            if table not in large:
                (said,) = connection.execute(f'PRAGMA quick_check("{table}")').fetchone()
                if said != "ok":
                    raise corrupt(self.path, said)

    def _give_back(self) -> None:
        """What is free inside, if that is much; a running daemon soon uses again what it frees."""
        connection = self._access.connection()
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        if free >= MANY_FREE:
            give_back(connection, MOST_GIVEN)


def _add(connection: sqlite3.Connection, table: str, columns: dict[str, str]) -> None:
    """Those that are not there."""
    there = {row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')}
    for column, kind in columns.items():
        if column not in there:
            connection.execute(f'ALTER TABLE "{table}" ADD COLUMN "{column}" {kind}')


def give_back(connection: sqlite3.Connection, pages: int) -> None:
    """To the file system, so many of the pages that are free. In a transaction of its own."""
    connection.executescript(f"PRAGMA incremental_vacuum({pages})")  # `execute` would stop after the first page


_VERSION = 'INSERT OR REPLACE INTO "metadata" ("key", "value", "updated_at") VALUES (\'db_version\', ?, ?)'
