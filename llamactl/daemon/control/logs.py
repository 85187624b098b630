"""What is read of the logs, and how they are recorded."""

import re
from collections import deque
from collections.abc import Callable
from heapq import merge

import anyio
import anyio.to_thread
import msgspec

from llamactl.config.sections import Config
from llamactl.config.values import Duration, Size
from llamactl.core.errors import NotFound
from llamactl.daemon.control.noun import Handlers
from llamactl.logs import reading, runs
from llamactl.logs.reading import Wanted
from llamactl.rpc import calls
from llamactl.rpc.calls import LoggerSettings, LogRow

_PREVIOUS = slice(-2, -1)


class LogCalls:
    """`logs.…` and `logger.…`; calling it gives the configuration with what was set for now.

    `configure` is told of it whenever that changes, `resolve` gives the name of a model from an alias.
    """

    def __init__(self, config: Config, configure: Callable[[Config], None], resolve: Callable[[str], str]) -> None:
        self._config = config
        self._configure = configure
        self._resolve = resolve
        self.handlers: Handlers = {
            calls.ReadLogs: self._read,
            calls.ShowLogger: self._show,
            calls.SetLogger: self._set,
        }
        self._effective = config
        self._one_at_a_time = anyio.CapacityLimiter(1)

    def __call__(self) -> Config:
        return self._effective

    def take_over(self, config: Config) -> None:
        """Another configuration counts. What was set for now goes on, unless it says something else of logs."""
        logging = config.logging if config.logging != self._config.logging else self._effective.logging
        self._config = config
        self._apply(msgspec.structs.replace(config, logging=logging))

    def _apply(self, config: Config) -> None:
        self._effective = config
        self._configure(config)

    async def _show(self, _: calls.ShowLogger) -> LoggerSettings:
        logging = self._effective.logging
        return LoggerSettings(**{name: getattr(logging, name) for name in LoggerSettings.__struct_fields__})

    async def _set(self, call: calls.SetLogger) -> LoggerSettings:
        news = {name: value for name, value in msgspec.structs.asdict(call).items() if value is not None}
        if "max_size" in news:
            news["max_size"] = Size(news["max_size"])
        if "max_files" in news:
            news["max_files"] = Duration(news["max_files"])
        logging = msgspec.structs.replace(self._effective.logging, **news)
        self._apply(msgspec.structs.replace(self._effective, logging=logging))
        return await self._show(calls.ShowLogger())

    async def _read(self, call: calls.ReadLogs) -> list[LogRow]:
        # Not an expression of the caller's: one that takes for ever would stop everything.
        pattern = re.compile(re.escape(call.text), re.IGNORECASE) if call.text else None
        wanted = Wanted(
            level=call.level,
            since=float("-inf") if call.since is None else call.since,
            until=float("inf") if call.until is None else call.until,
            grep=pattern,
        )
        every_run = call.since is not None or call.until is not None
        which = _PREVIOUS if call.previous else slice(None) if every_run else slice(-1, None)
        names = list(dict.fromkeys(map(self._resolve, call.models)))
        return await anyio.to_thread.run_sync(self._find, names, call.limit, wanted, which, limiter=self._one_at_a_time)

    def _find(self, names: list[str], limit: int, wanted: Wanted, which: slice) -> list[LogRow]:
        directories = self._config.directories
        sources = [reading.of_daemon("", directories.log)] if not names else []
        for name in names:
            files = runs.runs(directories.runs(name))
            if which == _PREVIOUS and len(files) < 2:
                raise NotFound(f"no log of an earlier run of {name!r}", "llamactl ps -a")
            sources.append(reading.of_runs(name, files[which]))
        found = merge(*(reading.last(blocks, limit, wanted) for blocks in sources), key=lambda line: line.time)
        return [
            LogRow(model=line.source or None, time=line.time, level=line.level, line=line.text)
            for line in deque(found, maxlen=limit)
        ]
