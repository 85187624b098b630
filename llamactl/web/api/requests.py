"""`GET /api/requests`: what was asked of models."""

import math
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from llamactl.core.errors import BadRequest
from llamactl.core.requests import ModelRequest
from llamactl.core.units import show_time
from llamactl.rpc.calls import ListRequests
from llamactl.web.api.route import Asked, Route

PATH = "/api/requests"


_TIMES = [{"format": "date-time"}, {"pattern": r"^[0-9]{1,12}(\.[0-9]+)?$"}]
Time = Annotated[str, Meta(extra_json_schema={"anyOf": _TIMES})]


class RequestQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Those for this model, with this key, that were answered with this status; `limit` of those that have ended.

    `since`: seconds since the epoch, or ISO 8601; UTC if it does not say.
    """

    model: str = ""
    key: str = ""
    status: Annotated[int, Meta(ge=100, le=599)] | None = None
    since: Time | None = None
    limit: Annotated[int, Meta(ge=0, le=1000)] = 50


class RequestRow(ModelRequest, frozen=True, kw_only=True):
    """`at` is ISO 8601."""

    at: str  # type: ignore[assignment]  # seconds since the epoch in what it is made from


class RequestRows(msgspec.Struct):
    requests: list[RequestRow]


async def list_requests(asked: Asked, query: RequestQuery) -> RequestRows:
    """Requests for models: those under way, then those that have ended, each the newest first."""
    call = ListRequests(
        model=query.model,
        key=query.key,
        status=query.status,
        since=None if query.since is None else _moment(query.since),
        limit=query.limit,
    )
    return RequestRows([_row(one) for one in await asked(call)])


def _moment(text: str) -> float:
    try:
        if math.isfinite(seconds := float(text)):
            return seconds
    except ValueError:
        with suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(text.replace(" ", "+"))  # a plus in a query is a blank
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    raise BadRequest(f"the query does not fit: not a time like 2026-01-31T14:30:00Z: {text!r}", "query.since")


def _row(request: ModelRequest) -> RequestRow:
    return RequestRow(**{**msgspec.structs.asdict(request), "at": show_time(request.at)})


ROUTES = (Route("GET", PATH, list_requests, ListRequests),)
