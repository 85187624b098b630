"""What writes all the time, off the event loop: one thread with a connection of its own."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, TypeVar

from llamactl.core.errors import StoreFailed
from llamactl.store.access import transaction
from llamactl.store.failures import CHECK, told_of

Item = TypeVar("Item")

WAITING = 1000
"""Batches that may wait to be written."""

TOGETHER = 500
"""Rows after which a transaction ends: it takes some 2 ms, and the event loop may be waiting to write, too."""


Work = Callable[[sqlite3.Connection], object]


class _Batch(NamedTuple):
    work: Work
    rows: int
    written: asyncio.Future[None]


class Writer:
    """Batches of rows into the tables of a `Database`. The thread is there from the first one until `close`.

    To be used by one thread, that of an event loop.
    """

    def __init__(self, path: Path, patience: float) -> None:
        self._path = path
        self._patience = patience
        self._queue: SimpleQueue[_Batch | None] = SimpleQueue()
        self._waiting = 0
        self._thread: Thread | None = None

    async def write(self, statement: str, items: Sequence[Item], row: Callable[[Item], Sequence[Any]]) -> None:
        """Run the statement with the row of each item; the rows are made in the thread. Raises as `run` does."""
        await self.run(lambda connection: connection.executemany(statement, map(row, items)), len(items))

    async def run(self, work: Work, rows: int) -> None:
        """Do what writes about so many rows, in a transaction of the thread; when this returns it has happened.

        Raises `StoreFailed`: nothing was written then. Who is cancelled meanwhile does not know.
        """
        if self._waiting >= WAITING:
            raise StoreFailed(f"the database {self._path} is written to more slowly than asked", CHECK)
        if self._thread is None:
            self._thread = Thread(target=self._run, name="store", daemon=True)
            self._thread.start()
        written = asyncio.get_running_loop().create_future()
        self._waiting += 1
        try:
            self._queue.put(_Batch(work, rows, written))
            await written
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """What waits is written first. Nothing happens the second time; a later `write` begins anew."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    # --- in the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        try:
            while batches := self._next():
                failed: Exception | None = None
                try:
                    with told_of(self._path):
                        connection = connection or self._connect()
                        with transaction(connection):
                            for batch in batches:
                                batch.work(connection)
                except Exception as error:  # it is for those who wait to deal with
                    failed = error
                for loop in {batch.written.get_loop() for batch in batches}:
                    with suppress(RuntimeError):  # it has ended: nobody waits any more
                        loop.call_soon_threadsafe(_tell, [b for b in batches if b.written.get_loop() is loop], failed)
        finally:
            if connection is not None:
                connection.close()

    def _next(self) -> list[_Batch]:
        """What waits, as far as it goes into one transaction, once there is something; nothing at the end."""
        batches: list[_Batch] = []
        rows = 0
        while not batches or (rows < TOGETHER and not self._queue.empty()):
            batch = self._queue.get()
            if batch is None:
                if batches:
                    self._queue.put(None)  # for the next time; nobody else puts anything any more
                break
            if not batch.written.cancelled():
                batches.append(batch)
                rows += batch.rows
        return batches

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=self._patience, isolation_level=None)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        return connection


def _tell(batches: list[_Batch], failed: Exception | None) -> None:
    """Called in the event loop: once for many, since waking it up is what takes its time."""
    for batch in batches:
        if batch.written.done():
            continue
        if failed is None:
            batch.written.set_result(None)
        else:
            batch.written.set_exception(failed)
