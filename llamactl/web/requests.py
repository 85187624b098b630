"""`GET /api/requests`: what was asked of models."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from llamactl.core.errors import BadRequest
from llamactl.core.requests import ModelRequest
from llamactl.core.units import show_time
from llamactl.rpc.calls import Ask, ListRequests
from llamactl.web.caller import caller_of, permit
from llamactl.web.shape import shaped, success

PATH = "/api/requests"


def add(app: web.Application, ask: Ask) -> None:
    """`?model=&key=&status=&since=&limit=` as in `requests.list`; `since` may be ISO 8601, too."""

    async def get(request: web.Request) -> web.Response:
        asked: dict[str, str] = dict(request.query)
        if "since" in asked:
            asked["since"] = str(_moment(asked["since"]))
        try:
            call = msgspec.convert(asked, ListRequests, strict=False)
        except msgspec.ValidationError as error:
            raise BadRequest(f"the query does not fit: {error}", "GET /api/requests?model=NAME&limit=50") from None
        await permit(caller_of(request), call, ask)
        found: list[ModelRequest] = await ask(call)
        return success({"requests": [_shown(one) for one in found]})

    app.router.add_get(PATH, shaped(get))


def _moment(text: str) -> float:
    """Seconds since the epoch, or ISO 8601; UTC if it does not say."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # a plus in a query is a blank
    except ValueError:
        raise BadRequest(f"not a time: {text!r}", "write it like 2026-01-31T14:30:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _shown(request: ModelRequest) -> dict[str, Any]:
    at = show_time(request.at)
    return {**msgspec.to_builtins(request), "at": at}
