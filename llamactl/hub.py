"""Who wants to know: the present first, then every event.

Publishing never waits. Each watcher has a bounded queue of its own; one that is too slow loses its oldest
events and is told how many.

Parts of the daemon `watch`, and hear at once. Whoever is outside `follow`s, and hears of an event when it is kept:
a daemon that is killed then never gives a number that somebody has seen to another event.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import anyio

from llamactl.core.events import Event, Numbered, passing

Wanted = Callable[[Numbered], bool]


def anything(_: Numbered) -> bool:
    return True


def numbers(numbered: Numbered) -> bool:
    """Not what passes."""
    return numbered.id > 0


class Watcher:
    """An async iterator of numbered events, from the moment of subscribing on."""

    def __init__(self, room: int, only: Wanted = anything) -> None:
        self._only = only
        self._queue: deque[Numbered] = deque()
        self._room = room
        self._arrived = anyio.Event()
        self._lost = 0

    def put(self, event: Numbered) -> None:
        if not self._only(event):
            return
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
    """`now` gives seconds since the epoch, `last` is the number to go on after.

    `keep` is given each event that has a number; who keeps them says through `tell` that they are kept. Without it
    they are told at once.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.time,
        last: int = 0,
        keep: Callable[[Numbered], None] | None = None,
    ) -> None:
        self._now = now
        self._keep = keep
        self._watchers: set[Watcher] = set()
        self._followers: set[Watcher] = set()
        self.last = last
        """The number of the newest event; 0 before the first."""
        self.kept = last
        """The number of the newest event that those outside may know."""

    def publish(self, event: Event) -> Numbered:
        passes = passing(event)
        self.last += not passes
        numbered = Numbered(0 if passes else self.last, round(self._now(), 3), event)
        for watcher in self._watchers:
            watcher.put(numbered)
        if passes:
            self._spread(numbered)
        elif self._keep is None:
            self.tell([numbered])
        else:
            self._keep(numbered)
        return numbered

    def tell(self, kept: Sequence[Numbered]) -> None:
        """Events in their order, each once."""
        for numbered in kept:
            self.kept = numbered.id
            self._spread(numbered)

    def _spread(self, numbered: Numbered) -> None:
        for follower in self._followers:
            follower.put(numbered)

    @contextmanager
    def watch(self, room: int = 1000, only: Wanted = anything) -> Iterator[Watcher]:
        """Subscribe. Whoever reads the present next, without awaiting in between, misses nothing.

        What is not wanted takes no room.
        """
        with _subscribed(self._watchers, room, only) as watcher:
            yield watcher

    @contextmanager
    def follow(self, room: int = 1000, only: Wanted = numbers) -> Iterator[Watcher]:
        """The same for who is outside: events up to `kept` are there to be read, those after it are heard of.

        What passes, if it is wanted, is heard of at once: before events that are still being kept.
        """
        with _subscribed(self._followers, room, only) as watcher:
            yield watcher

    async def until_kept(self, number: int) -> None:
        """Return when the event of that number, and all before it, are kept."""
        with self.follow() as follower:
            while self.kept < number:
                await anext(follower)


@contextmanager
def _subscribed(watchers: set[Watcher], room: int, only: Wanted) -> Iterator[Watcher]:
    watcher = Watcher(room, only)
    watchers.add(watcher)
    try:
        yield watcher
    finally:
        watchers.discard(watcher)
