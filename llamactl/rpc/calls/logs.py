"""Lines of the past, and how lines are recorded."""

from typing import Annotated

import msgspec
from msgspec import Meta

from llamactl.core.lines import Level
from llamactl.rpc.calls.call import Call

MOST_LINES = 10_000


class LogRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line that a model's llama-server wrote, or (None) the daemon; without secrets."""

    model: str | None
    time: float
    level: Level
    line: str


class LoggerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What counts now of the section `logging`: bytes and seconds."""

    console_level: Level
    file_level: Level
    errors_level: Level
    max_size: int
    max_files: float
    file: bool
    console: bool


class ReadLogs(Call[list[LogRow]], frozen=True, kw_only=True):
    """The last `limit` lines of these models, or of the daemon, in the order of their time.

    With a time, all runs are looked through, else the last one; `previous` is the one before that. `text` is
    what is in all of them, whatever its case.
    """

    method = "logs.read"
    scope = "observe"
    models: tuple[str, ...] = ()
    level: Level = "debug"
    since: float | None = None
    until: float | None = None
    text: Annotated[str, Meta(max_length=1000)] = ""
    limit: Annotated[int, Meta(ge=0, le=MOST_LINES)] = 100
    previous: bool = False


class ShowLogger(Call[LoggerSettings], frozen=True):
    """How lines are recorded now."""

    method = "logger.show"
    scope = "observe"


class SetLogger(Call[LoggerSettings], frozen=True, kw_only=True):
    """Record them otherwise, from now on until the daemon ends, or the configuration says something else of `logging`.

    What is None stays as it is.
    """

    method = "logger.set"
    scope = "admin"
    console_level: Level | None = None
    file_level: Level | None = None
    errors_level: Level | None = None
    max_size: Annotated[int, Meta(ge=1024)] | None = None
    max_files: Annotated[float, Meta(ge=0)] | None = None
    file: bool | None = None
    console: bool | None = None
