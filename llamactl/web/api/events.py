"""`GET /api/events`: what happens as server-sent events, each with its number, from where a watcher was."""

import asyncio
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from llamactl.core.access import Caller
from llamactl.core.errors import BadRequest, LlamactlError
from llamactl.core.events import Numbered, kind
from llamactl.rpc.calls import Lost, Watch
from llamactl.rpc.server import Stream
from llamactl.web.api.route import Asked, Route
from llamactl.web.guests import Guests
from llamactl.web.topics import model_of

PATH = "/api/events"

SILENCE = 15.0
"""Seconds after which a comment keeps the connection open."""


class EventQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Those after the number `since`; of these types, with commas between, or all that are kept.

    The header `Last-Event-ID` does as well, and goes before.
    """

    since: Annotated[int, Meta(ge=0, lt=10**18)] | None = None
    type: str = ""


def routes(guests: Guests) -> list[Route]:
    async def watch_events(asked: Asked, query: EventQuery) -> web.StreamResponse:
        """What happens, as server-sent events: each with its number, its type and, as JSON, all of it.

        `dropped` says how many are missing, where they came too fast or are kept no more.
        """
        types = tuple(filter(None, query.type.split(",")))
        last = asked.request.headers.get("Last-Event-ID")
        since = query.since if last is None else _number(last)
        stream: Any = await asked.whole(Watch(since, types))  # an answer that goes on is a `Stream`
        return await _events(asked, stream, guests)

    return [Route("GET", PATH, watch_events, Watch, media="text/event-stream")]


async def _events(asked: Asked, stream: Stream, guests: Guests) -> web.StreamResponse:
    """Until they hang up."""
    ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def end(_: LlamactlError) -> None:
        ending.set_result(None)

    try:
        with guests.staying(end):
            return await _tell(asked.request, stream, asked.caller, ending)
    finally:
        await stream.then.aclose()
        stream.close()


async def _tell(
    request: web.Request, stream: Stream, caller: Caller, ending: asyncio.Future[None]
) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    upcoming: asyncio.Future[Any] | None = None
    try:
        await response.write(b": %d\n\n" % stream.first.last_event)  # type: ignore[attr-defined]
        while not ending.done():
            upcoming = upcoming or asyncio.ensure_future(anext(stream.then))
            first = asyncio.FIRST_COMPLETED
            done, _ = await asyncio.wait((upcoming, ending), timeout=SILENCE, return_when=first)
            if upcoming not in done:
                await response.write(b":\n\n")
                continue
            notice, upcoming = upcoming.result(), None
            model = model_of(notice.event) if isinstance(notice, Numbered) else None
            if caller.models is None or (model is not None and caller.uses(model)):
                await response.write(_told(notice))
    except (ConnectionError, StopAsyncIteration):
        pass  # they hung up, or there is nothing more
    finally:
        if upcoming is not None:
            upcoming.cancel()
            await asyncio.wait((upcoming,))
    return response


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadRequest(f"not the number of an event: {text[:50]!r}", "header.Last-Event-ID")
    return int(text)


def _told(notice: Numbered | Lost) -> bytes:
    if isinstance(notice, Lost):
        return b'event: dropped\ndata: {"count":%d}\n\n' % notice.lost
    number = b"id: %d\n" % notice.id if notice.id else b""
    return number + b"event: %b\ndata: %b\n\n" % (kind(notice.event).encode(), msgspec.json.encode(notice))
