"""Tells the hub of new lines: the daemon's own, and those in the files of llama-servers that run.

It keeps nothing that a killed daemon could lose: the lines are in the files, whoever reads them. What is told is
bounded; how much is left out is told, too.
"""

import errno
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus

from llamactl.config.sections import Config
from llamactl.core.events import InstanceChanged, LogLines
from llamactl.core.instance import Failed, Stopped
from llamactl.core.lines import SOURCE, Line
from llamactl.hub import Hub
from llamactl.logs import reading, retention, runs
from llamactl.logs.records import RECENT, Records
from llamactl.logs.tail import RunTail, size, whole

log = logging.getLogger(__name__)

EVERY = 0.25
"""Seconds between two looks. Awaiting what is written would take one wakeup per line, and only where there is
inotify; a look is one `stat` for each llama-server that runs."""
SHOWN = 1000
"""Lines of one model that are told at once. Nobody reads 4000 a second."""
REST = 60.0
"""Seconds after which what failed is tried again."""
PIECES = 8
"""Of one model, that are put aside at one look: one that writes faster than that holds up neither the others nor the
end of the daemon."""
SOURCES = 64
"""Models whose recent lines are kept in memory."""


class Source:
    """A model: what is new in the files of its runs, and its recent lines. For one thread at a time."""

    def __init__(self, name: str, directory: Path, since: float) -> None:
        """Lines of runs that began before `since` are no news."""
        self.recent: deque[Line] = deque(maxlen=RECENT)
        self.rests_until = 0.0
        """On the monotonic clock: it could not be read, or nothing put aside, and is let alone for a while."""
        self.stays_whole = False
        """The file system cannot make holes: nothing is put aside."""
        self._name = name
        found = runs.runs(directory)
        before = [run for run in found if runs.began(run) < since][-1:]
        at = whole(before[0]) if before else 0
        self._tail = RunTail(directory, before[0] if before else None, at)
        self._aside: tuple[Path, int] | None = None
        self.recent.extend(reading.last(reading.of_runs(name, before, at), RECENT, reading.Wanted()))

    @property
    def moved(self) -> bool:
        """Is there something to take?"""
        return self._tail.moved

    def take(self) -> list[LogLines]:
        """What is new: the last of it, where it is much."""
        news: list[LogLines] = []
        for run, chunks in groupby(self._tail.chunks(), lambda chunk: chunk[0]):
            shown: deque[bytes] = deque(maxlen=SHOWN)
            count = 0
            for _, lines in chunks:
                count += len(lines)
                shown.extend(lines)
            found = reading.of_lines(self._name, run, shown)
            self.recent.extend(found)
            news += grouped(found, count - len(shown))
        return news

    def put_aside(self, piece: int) -> bool:
        """Make a piece of what is too long, if it is. Raises `OSError`."""
        run = self._tail.run
        if run is None:
            return False
        if self._aside is None or self._aside[0] != run:
            self._aside = (run, runs.divided(run)[1])
        if size(run) - self._aside[1] < piece + runs.TAIL:
            return False
        self._aside = None
        return runs.put_aside(run, piece)


class Follower:
    """`directory` is that of all logs, `runs_of` gives that with the runs of a model; `running` are the models that
    run when this begins."""

    def __init__(
        self,
        directory: Path,
        runs_of: Callable[[str], Path],
        records: Records,
        hub: Hub,
        config: Callable[[], Config],
        running: Callable[[], Iterable[str]],
    ) -> None:
        self._directory = directory
        self._runs_of = runs_of
        self._records = records
        self._hub = hub
        self._config = config
        self._running = running
        self._since = time.time()
        self._sources: dict[str, Source] = {}
        self._active: set[str] = set()
        self._ending: set[str] = set()

    def recent(self, source: str = "") -> list[LogLines]:
        """The last lines of a model, of llamactl itself, or (without a name) of all, in the order of their time."""
        lines = list(self._records.recent) if source in ("", SOURCE) else []
        for name, each in self._sources.items():
            if source in ("", name):
                lines += each.recent
        return grouped(sorted(lines, key=lambda line: line.time))

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled."""
        with self._hub.watch() as watcher:
            self._active |= set(self._running())
            task_status.started()
            async with anyio.create_task_group() as group:
                group.start_soon(self._look)
                async for numbered in watcher:
                    if isinstance(event := numbered.event, InstanceChanged):
                        self._active.add(event.model)
                        ended = isinstance(event.phase, Stopped | Failed)
                        (self._ending.add if ended else self._ending.discard)(event.model)

    async def _look(self) -> None:
        while True:
            await anyio.sleep(EVERY)
            for event in grouped(self._records.take()):
                self._hub.publish(event)
            for name in sorted(self._active):
                if name in self._ending:  # this is the last look, unless it moves again meanwhile
                    self._ending.discard(name)
                    self._active.discard(name)
                await self._look_at(name)

    async def _look_at(self, name: str) -> None:
        source = self._sources.get(name)
        if source is not None and time.monotonic() < source.rests_until:
            return
        try:
            if source is None:
                source = await anyio.to_thread.run_sync(Source, name, self._runs_of(name), self._since)
                while len(self._sources) >= SOURCES and (idle := self._sources.keys() - self._active):
                    del self._sources[min(idle)]
                self._sources[name] = source
            if source.moved:
                for event in await anyio.to_thread.run_sync(source.take):
                    self._hub.publish(event)
                for _ in range(0 if source.stays_whole else PIECES):
                    if not await anyio.to_thread.run_sync(self._put_aside, source):
                        break
        except OSError as error:
            if source is not None and error.errno == errno.EOPNOTSUPP:
                source.stays_whole = True
                log.warning("%s: no holes can be made in files here: what models write stays whole", self._directory)
            elif not isinstance(error, FileNotFoundError):  # thrown away meanwhile
                log.warning("the log of %s: %s", name, error.strerror)
                if source is not None:
                    source.rests_until = time.monotonic() + REST

    def _put_aside(self, source: Source) -> bool:
        config = self._config()
        made = source.put_aside(config.logging.max_size)
        if made:
            retention.thin_out(self._directory, config.logging.max_files, config.logging.max_total)
        return made


def grouped(lines: Iterable[Line], lost: int = 0) -> list[LogLines]:
    """As they are told: those of one source and level that follow each other together."""
    told = []
    for (source, level), group in groupby(lines, lambda line: (line.source, line.level)):
        same = list(group)
        told.append(LogLines(source, level, same[0].time, tuple(line.text for line in same), lost))
        lost = 0
    return told
