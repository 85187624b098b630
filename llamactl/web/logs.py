"""`/api/logs` and `/api/logger/config`, with the names that the dashboard has which llamactl takes the place of."""

from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from llamactl.core.errors import BadRequest
from llamactl.core.lines import Level
from llamactl.core.units import parse_duration, parse_size, show_time
from llamactl.rpc.calls import Ask, LoggerSettings, LogRow, ReadLogs, SetLogger, ShowLogger
from llamactl.web.caller import caller_of, demand, permit
from llamactl.web.shape import shaped, success

LOGS, LOGGER = "/api/logs", "/api/logger/config"


class _Logger(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The seven fields; in a POST, those to change."""

    console_level: Level | None = None
    file_level: Level | None = None
    error_level: Literal["error", "warn"] | None = None
    max_file_size: Annotated[str, Meta(pattern=r"^\d{1,9}[kmg]$")] | None = None
    max_files: Annotated[str, Meta(pattern=r"^\d{1,6}[dw]$")] | None = None
    enable_file_logging: bool | None = None
    enable_console_logging: bool | None = None


class _Query(msgspec.Struct, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=0, le=10_000)] = 100
    level: Level = "debug"
    model: str = ""
    since: float | None = None
    until: float | None = None
    text: Annotated[str, Meta(max_length=1000)] = ""


def add(app: web.Application, ask: Ask) -> None:
    async def logs(request: web.Request) -> web.Response:
        try:
            query = msgspec.convert(dict(request.query), _Query, strict=False)
        except msgspec.ValidationError as error:
            raise BadRequest(f"the query does not fit: {error}", f"GET {LOGS}?model=NAME&limit=9&level=warn") from None
        models = tuple(filter(None, query.model.split(",")))
        call = ReadLogs(
            models=models,
            level=query.level,
            since=query.since,
            until=query.until,
            text=query.text,
            limit=query.limit,
        )
        await permit(caller_of(request), call, ask)
        return success({"logs": [_row(row) for row in await ask(call)]})

    async def get(request: web.Request) -> web.Response:
        demand(caller_of(request), ShowLogger())
        return success(_logger(await ask(ShowLogger())))

    async def post(request: web.Request) -> web.Response:
        try:
            body = msgspec.json.decode(await request.read(), type=_Logger)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadRequest(f"the body does not fit: {error}", '{"fileLevel": "debug", "maxFiles": "30d"}') from None
        call = SetLogger(
            console_level=body.console_level,
            file_level=body.file_level,
            errors_level=body.error_level,
            max_size=None if body.max_file_size is None else max(1024, parse_size(body.max_file_size)),
            max_files=None if body.max_files is None else parse_duration(body.max_files),
            file=body.enable_file_logging,
            console=body.enable_console_logging,
        )
        demand(caller_of(request), call)
        return success(_logger(await ask(call)))

    app.router.add_get(LOGS, shaped(logs))
    app.router.add_get(LOGGER, shaped(get))
    app.router.add_post(LOGGER, shaped(post))


def _row(row: LogRow) -> dict[str, object]:
    at = show_time(row.time)
    return {"timestamp": at, "level": row.level, "source": row.model or "llamactl", "message": row.line}


def _logger(settings: LoggerSettings) -> _Logger:
    """Sizes in the largest unit that is exact, ages in days."""
    size, unit = -(-settings.max_size // 1024), "k"
    for larger in "mg":
        if size % 1024 == 0:
            size, unit = size // 1024, larger
    return _Logger(
        console_level=settings.console_level,
        file_level=settings.file_level,
        error_level="error" if settings.errors_level == "error" else "warn",
        max_file_size=f"{size}{unit}",
        max_files=f"{round(settings.max_files / 86400)}d",
        enable_file_logging=settings.file,
        enable_console_logging=settings.console,
    )
