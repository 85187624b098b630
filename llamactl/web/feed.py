"""Tells everything to everybody who watches: each event is made into a message once."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from llamactl.core.access import matches
from llamactl.core.events import KINDS, Numbered
from llamactl.core.lines import Level
from llamactl.rpc.calls import Ask, ListInstances, Lost, Watch
from llamactl.rpc.server import Stream
from llamactl.web import topics
from llamactl.web.envelope import Topic, envelope
from llamactl.web.watcher import Message, Watcher

log = logging.getLogger(__name__)

WHOLE = 30.0
"""Seconds between two lists of all models."""
LATE = 0.2
"""Seconds for which lines of logs are gathered."""

Filter = tuple[tuple[str, ...] | None, tuple[str, ...] | None, Level]


class Feed:
    """Follows the daemon as long as somebody is there to be told."""

    def __init__(self, ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self.clock = clock
        """Seconds since any moment."""
        self._watchers: set[Watcher] = set()
        self._starting = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._lines: list[Numbered] = []
        self.last = 0
        """The number of the newest event that was told."""
        self.sample: Message | None = None
        """The newest metrics."""

    async def join(self, watcher: Watcher) -> None:
        """It is told what it subscribes to from now on. `last` is known when this returns."""
        async with self._starting:
            if not self._tasks:
                stream: Stream = await self._ask(Watch(types=KINDS))
                self.last = stream.first.last_event  # type: ignore[attr-defined]  # a `Snapshot`
                loop = asyncio.get_running_loop()
                self._tasks = [loop.create_task(self._follow(stream)), loop.create_task(self._repeat())]
            self._watchers.add(watcher)

    def leave(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)
        watcher.close()
        if not self._watchers:
            for task in self._tasks:
                task.cancel()
            self._tasks, self.sample = [], None

    async def _follow(self, stream: Stream) -> None:
        try:
            async for notice in stream.then:
                if isinstance(notice, Lost):
                    self._tell(self._watchers, Message(envelope("dropped", {"count": notice.lost})))
                elif isinstance(notice, Numbered):
                    self.publish(notice)
        except Exception:
            log.exception("watchers are told nothing any more")
        finally:
            with suppress(RuntimeError):
                await stream.then.aclose()
            stream.close()

    def publish(self, numbered: Numbered) -> None:
        """To all who want it."""
        topic = topics.topic_of(numbered.event)
        if numbered.id:
            self.last = numbered.id
        match topic:
            case "metrics":
                self._measured(numbered)
            case "logs":
                if not self._lines:
                    asyncio.get_running_loop().call_later(LATE, self._flush)
                self._lines.append(numbered)
            case "requests":
                self._finished(numbered)
            case _:
                self._spread(topic, numbered)
        self._spread("events", numbered)

    def _spread(self, topic: Topic, numbered: Numbered) -> None:
        model = topics.model_of(numbered.event)
        telling = [
            watcher
            for watcher in self._watchers
            if watcher.wants(topic, numbered.id)
            and (topic != "events" or watcher.of_type(numbered))
            and (not watcher.filtered or watcher.cares(model))
        ]
        if telling:
            self._tell(telling, Message(message(topic, numbered)))

    def _measured(self, numbered: Numbered) -> None:
        event: Any = numbered.event
        self.sample = Message(envelope("metrics", event.sample, numbered.at))
        now = self.clock()
        for watcher in self._watchers:
            # It is measured every few seconds: what comes a little early is not left for the next time.
            if watcher.wants("metrics", 0) and watcher.cares(None) and now >= watcher.due - 0.5:
                watcher.due = now + watcher.interval
                watcher.send(self.sample)

    def _finished(self, numbered: Numbered) -> None:
        event: Any = numbered.event
        for (models, limit, _), watchers in self._by_filter("requests").items():
            requests = [each for each in topics.requests(event, models) if matches(limit, each.model)]
            if requests or (event.more and models is None and limit is None):
                data = {"requests": requests, "more": event.more}
                self._tell(watchers, Message(envelope("requests", data, numbered.at)))

    def _flush(self) -> None:
        """The lines that were gathered."""
        events, self._lines = [numbered.event for numbered in self._lines], []
        for (models, limit, level), watchers in self._by_filter("logs").items():
            wanted = topics.lines(topics.lines(events, models, level), limit, level)
            if wanted:
                self._tell(watchers, Message(envelope("logs", {"lines": wanted})))

    def _by_filter(self, topic: Topic) -> dict[Filter, list[Watcher]]:
        """Those who subscribed to it, together with those who want the same of it."""
        found: dict[Filter, list[Watcher]] = {}
        for watcher in self._watchers:
            if watcher.wants(topic, 0):
                found.setdefault((watcher.models, watcher.caller.models, watcher.level), []).append(watcher)
        return found

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(WHOLE)
            filters = self._by_filter("models")
            if filters:
                rows = await self._ask(ListInstances(all=True))
                for (models, limit, _), watchers in filters.items():
                    self._tell(watchers, Message(whole(rows, models, limit, self.last)))

    @staticmethod
    def _tell(watchers: Iterable[Watcher], message: Message) -> None:
        for watcher in watchers:
            watcher.send(message)


def message(topic: Topic, numbered: Numbered) -> bytes:
    """What has a number, for who subscribed to that topic."""
    if topic == "events":
        return envelope("event", numbered, numbered.at)
    return envelope(topic, topics.data_of(numbered), numbered.at)


def whole(rows: Any, models: tuple[str, ...] | None, limit: tuple[str, ...] | None, last: int) -> bytes:
    wanted = [row for row in rows if matches(models, row.name) and matches(limit, row.name)]
    return envelope("models", {"id": last, "whole": True, "models": wanted})
