"""The daemon's own records, from whoever logs to console, files and hub."""

import logging
import os
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress

from llamactl.config.sections import Config
from llamactl.core.lines import LEVELS, SOURCE, Level, Line, at_least, redacted
from llamactl.logs import console, retention
from llamactl.logs.daily import APPLICATION, ERRORS, Daily, Entry, entry
from llamactl.logs.outlet import Outlet

DETACHED = "daemon.log"
"""In the directory of the logs: what a daemon in the background writes to stderr; it is no console."""
RECENT = 500
"""Lines that are kept in memory for who begins to watch."""
LONGEST = 16 * 1024
"""Characters of a message."""
FLUSH = 2.0
"""Seconds that the end of the daemon waits for a slow disk or console."""
HOUR = 3600.0
NEVER = 100
"""Above every level."""

_PLAIN = logging.Formatter()
_NUMBERS: dict[Level, int] = {"debug": 10, "info": 20, "warn": 30, "error": 40}


class Records(logging.Handler):
    """The only handler, from `install` to `close`; secrets are taken out here, before anything leaves."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.recent: deque[Line] = deque(maxlen=RECENT)
        self._directory = directory = config.directories.log
        self._kind = console.kind(sys.stderr, os.environ)
        self._untold: deque[Line] = deque(maxlen=RECENT)
        self._daily = [Daily(directory, prefix, 0) for prefix in (APPLICATION, ERRORS)]
        self._failing: dict[str, int] = {}
        self._thinned = 0.0
        self._console = Outlet("console", self._to_console)
        self._files = Outlet("log files", self._to_files)
        self.configure(config)

    def install(self) -> None:
        logging.basicConfig(handlers=[self], force=True)
        self._set_level()
        logging.getLogger("asyncio").setLevel(logging.WARNING)

    def configure(self, config: Config) -> None:
        """From now on."""
        self._config = config
        file_level, errors_level = config.logging.file_level, config.logging.errors_level
        self._least_on_console = _NUMBERS[config.logging.console_level] if self._has_console(config) else NEVER
        self._least_in_files = min(_NUMBERS[file_level], _NUMBERS[errors_level]) if config.logging.file else NEVER
        self._levels = [at_least(file_level), at_least(errors_level)]
        self._thinned = 0.0
        self._set_level()

    def _set_level(self) -> None:
        # Who watches sees what goes to the files, even if none are written.
        shown = min(_NUMBERS[self._config.logging.file_level], self._least_on_console, self._least_in_files)
        logging.getLogger().setLevel(shown)

    def _has_console(self, config: Config) -> bool:
        if config.logging.console and config.logging.file:
            with suppress(OSError, ValueError):
                return not os.path.samestat(os.fstat(sys.stderr.fileno()), (self._directory / DETACHED).stat())
        return config.logging.console

    def emit(self, record: logging.LogRecord) -> None:
        """Waits for nobody."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit are no reason to lose what was to be said
            message = f"{record.msg} {record.args}"
        if record.exc_info:
            message += "\n" + _PLAIN.formatException(record.exc_info)
        logger = record.name.removeprefix("llamactl.")
        made = entry(record.created, _level(record.levelno), logger, redacted(message[:LONGEST]))
        if record.levelno >= self._least_on_console:
            self._console.put(made)
        if record.levelno >= self._least_in_files:
            self._files.put(made)
        line = made.line(SOURCE)
        self.recent.append(line)
        self._untold.append(line)

    def take(self) -> list[Line]:
        """What came since this was last asked, for the hub; only the last of it, if it was much."""
        return [self._untold.popleft() for _ in range(len(self._untold))]

    def flush(self) -> None:
        """Everything is out when this returns, or `FLUSH` seconds are over."""
        self._console.flush(FLUSH)
        self._files.flush(FLUSH)

    def close(self) -> None:
        logging.getLogger().removeHandler(self)
        self._console.close(FLUSH)
        self._files.close(FLUSH)
        super().close()

    def _to_console(self, entries: Sequence[Entry], dropped: int) -> None:
        with suppress(OSError, ValueError):  # nobody listens any more
            sys.stderr.write("".join(console.shown(each, self._kind) for each in (*_lost(dropped), *entries)))
            sys.stderr.flush()

    def _to_files(self, entries: Sequence[Entry], dropped: int) -> None:
        now = time.time()
        for daily, levels in zip(self._daily, self._levels, strict=True):
            daily.size = self._config.logging.max_size
            wanted = [each for each in entries if each.level in levels]
            self._try(daily, wanted, dropped, now)
        if now - self._thinned > HOUR:
            self._thinned = now
            with suppress(OSError):
                retention.thin_out(self._directory, self._config.logging.max_files, self._config.logging.max_total)

    def _try(self, daily: Daily, entries: list[Entry], dropped: int, now: float) -> None:
        """A disk that is full costs records, which are counted, and nothing else."""
        lost = dropped + self._failing.get(daily.prefix, 0)
        if not entries:
            self._failing[daily.prefix] = lost
            return
        try:
            daily.write([*_lost(lost), *entries], now)
        except OSError as error:
            if not self._failing.get(daily.prefix):
                self._console.put(entry(now, "error", "logs", f"cannot write {daily.prefix} files: {error.strerror}"))
            self._failing[daily.prefix] = lost + len(entries)
        else:
            self._failing[daily.prefix] = 0


def _level(number: int) -> Level:
    return LEVELS[max(0, min(number // 10 - 1, 3))]


def _lost(number: int) -> Iterable[Entry]:
    """What is said where records are missing."""
    if number:
        said = f"{number} records are missing here: they could not be written as fast as they came, or not at all"
        yield entry(time.time(), "warn", "logs", said)
