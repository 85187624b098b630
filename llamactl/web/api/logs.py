"""`/api/logs` and `/api/logger/config`, with the names that the dashboard has which llamactl takes the place of."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from llamactl.core.lines import Level
from llamactl.core.units import parse_duration, parse_size, show_time
from llamactl.rpc.calls import LoggerSettings, LogRow, ReadLogs, SetLogger, ShowLogger
from llamactl.web.api.route import Asked, Route

LOGS, LOGGER = "/api/logs", "/api/logger/config"

Moment = Annotated[float, Meta(ge=0, le=1e12)]


class Logger(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The seven fields; in a POST, those to change."""

    console_level: Level | None = None
    file_level: Level | None = None
    error_level: Literal["error", "warn"] | None = None
    max_file_size: Annotated[str, Meta(pattern=r"^[0-9]{1,9}[kmg]$")] | None = None
    max_files: Annotated[str, Meta(pattern=r"^[0-9]{1,6}[dw]$")] | None = None
    enable_file_logging: bool | None = None
    enable_console_logging: bool | None = None


class LogQuery(msgspec.Struct, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=0, le=10_000)] = 100
    level: Level = "debug"
    model: str = ""
    since: Moment | None = None
    until: Moment | None = None
    text: Annotated[str, Meta(max_length=1000)] = ""


class Line(msgspec.Struct):
    """`source` is a model, or `llamactl`."""

    timestamp: str
    level: Level
    source: str
    message: str


class Logs(msgspec.Struct):
    logs: list[Line]


async def read_logs(asked: Asked, query: LogQuery) -> Logs:
    """The last lines that models, or the daemon, have written.

    `model` may be several, with commas between; none is the daemon. Times are seconds since the epoch.
    """
    call = ReadLogs(
        models=tuple(filter(None, query.model.split(","))),
        level=query.level,
        since=query.since,
        until=query.until,
        text=query.text,
        limit=query.limit,
    )
    return Logs([_line(row) for row in await asked(call)])


async def show_logger(asked: Asked) -> Logger:
    """How lines are recorded."""
    return _logger(await asked(ShowLogger()))


async def set_logger(asked: Asked, body: Logger) -> Logger:
    """Record lines otherwise, until the daemon ends or the configuration says something else.

    What is not given, or null, stays as it is.
    """
    call = SetLogger(
        console_level=body.console_level,
        file_level=body.file_level,
        errors_level=body.error_level,
        max_size=None if body.max_file_size is None else max(1024, parse_size(body.max_file_size)),
        max_files=None if body.max_files is None else parse_duration(body.max_files),
        file=body.enable_file_logging,
        console=body.enable_console_logging,
    )
    return _logger(await asked(call))


def _line(row: LogRow) -> Line:
    return Line(show_time(row.time), row.level, row.model or "llamactl", row.line)


def _logger(settings: LoggerSettings) -> Logger:
    """Sizes in the largest unit that is exact, ages in days."""
    size, unit = -(-settings.max_size // 1024), "k"
    for larger in "mg":
        if size % 1024 == 0:
            size, unit = size // 1024, larger
    return Logger(
        console_level=settings.console_level,
        file_level=settings.file_level,
        error_level="error" if settings.errors_level == "error" else "warn",
        max_file_size=f"{size}{unit}",
        max_files=f"{round(settings.max_files / 86400)}d",
        enable_file_logging=settings.file,
        enable_console_logging=settings.console,
    )


ROUTES = (
    Route("GET", LOGS, read_logs, ReadLogs),
    Route("GET", LOGGER, show_logger, ShowLogger),
    Route("POST", LOGGER, set_logger, SetLogger),
)
