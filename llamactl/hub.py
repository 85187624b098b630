"""Who wants to know: the present first, then every event.

Publishing never waits. Each watcher has a bounded queue of its own; one that is too slow loses its oldest
events and is told how many.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio

from llamactl.core.events import Event, Numbered, passing


class Watcher:
    """An async iterator of numbered events, from the moment of subscribing on."""

    def __init__(self, room: int) -> None:
        self._queue: deque[Numbered] = deque()
        self._room = room
        self._arrived = anyio.Event()
        self._lost = 0

    def put(self, event: Numbered) -> None:
        if len(self._queue) >= self._room:
            self._queue.popleft()
            self._lost += 1
        self._queue.append(event)
        self._arrived.set()

    def take_lost(self) -> int:
        """How many events were dropped since this was last asked."""
        lost, self._lost = self._lost, 0
        return lost

    def __aiter__(self) -> "Watcher":
        return self

    async def __anext__(self) -> Numbered:
        while not self._queue:
            self._arrived = anyio.Event()
            await self._arrived.wait()
        return self._queue.popleft()


class Hub:
    """`now` gives seconds since the epoch."""

    def __init__(self, now: Callable[[], float] = time.time, last: int = 0) -> None:
        self._now = now
        self._watchers: set[Watcher] = set()
        self.last = last
        """The number of the newest event; 0 before the first."""

    def publish(self, event: Event) -> Numbered:
        passes = passing(event)
        self.last += not passes
        numbered = Numbered(0 if passes else self.last, self._now(), event)
        for watcher in self._watchers:
            watcher.put(numbered)
        return numbered

    @contextmanager
    def watch(self, room: int = 1000) -> Iterator[Watcher]:
        """Subscribe. Whoever reads the present next, without awaiting in between, misses nothing."""
        watcher = Watcher(room)
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
