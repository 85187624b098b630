"""Keeps every event before anybody outside hears of it."""

import logging
import time
from collections.abc import Callable, Sequence

import anyio
from anyio.abc import TaskStatus

from llamactl.core.events import Numbered
from llamactl.store import Events, StoreFailed

log = logging.getLogger(__name__)

BURST = 5
"""Writes that may follow each other at once, after that many quiet seconds; else it is one a second."""
MOST = 1000
"""Events that are written together, and those that wait for a disk that was full."""


class Journal:
    """`take` is called with each event as it happens; `run` writes them together, and then tells.

    What has been told has been written, so a number is never given twice. A disk that cannot be written to
    silences nobody: it is told then, and written as soon as it can be.
    """

    def __init__(self, events: Events, clock: Callable[[], float] = time.monotonic) -> None:
        self._events = events
        self._clock = clock
        self._untold: list[Numbered] = []
        self._unwritten: list[Numbered] = []
        self._arrived = anyio.Event()
        self._credit, self._counted = float(BURST), clock()

    def take(self, numbered: Numbered) -> None:
        self._untold.append(numbered)
        self._arrived.set()

    async def run(
        self, tell: Callable[[Sequence[Numbered]], None], *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Until cancelled."""
        task_status.started()
        while True:
            if not self._untold:
                self._arrived = anyio.Event()
                await self._arrived.wait()
            await self._turn()
            batch = self._untold[:MOST]
            await self._write(self._unwritten + batch)
            del self._untold[: len(batch)]
            tell(batch)

    def close(self) -> None:
        """Write what is left. It is told by the next daemon."""
        left = self._unwritten + self._untold
        try:
            if left:
                self._events.put_now(left)
        except StoreFailed as error:
            log.warning("%d events are not kept: %s", len(left), error.message)

    async def _turn(self) -> None:
        now = self._clock()
        self._credit = min(BURST, self._credit + now - self._counted) - 1
        self._counted = now
        if self._credit < 0:
            await anyio.sleep(-self._credit)

    async def _write(self, events: list[Numbered]) -> None:
        try:
            await self._events.put(events)
        except StoreFailed as error:
            if not self._unwritten:
                log.warning("what happens is not kept for now: %s", error.message)
            self._unwritten = events[-MOST:]
        else:
            self._unwritten = []
