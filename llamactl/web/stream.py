"""`GET /api/events`: what happens as server-sent events, each with its number, from where a watcher was."""

import asyncio
from typing import Any

import msgspec
from aiohttp import web

from llamactl.core.access import Caller
from llamactl.core.errors import BadRequest, LlamactlError
from llamactl.core.events import Numbered, kind
from llamactl.rpc.calls import Ask, Lost, Watch
from llamactl.rpc.server import Stream
from llamactl.web.caller import caller_of, demand_scope
from llamactl.web.guests import Guests
from llamactl.web.topics import model_of

PATH = "/api/events"

SILENCE = 15.0
"""Seconds after which a comment keeps the connection open."""


def add(app: web.Application, ask: Ask, guests: Guests) -> None:
    async def get(request: web.Request) -> web.StreamResponse:
        return await events(request, ask, guests)

    app.router.add_get(PATH, get)


async def events(request: web.Request, ask: Ask, guests: Guests) -> web.StreamResponse:
    """Until they hang up. `Last-Event-ID` or `?since=` is where to go on, `?type=` what to tell."""
    caller = caller_of(request)
    demand_scope(caller, "observe", f"GET {PATH}")
    types = tuple(type for given in request.query.getall("type", []) for type in given.split(",") if type)
    stream: Stream = await ask(Watch(_since(request), types))
    ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def end(_: LlamactlError) -> None:
        ending.set_result(None)

    try:
        with guests.staying(end):
            return await _tell(request, stream, caller, ending)
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


def _since(request: web.Request) -> int | None:
    text = request.headers.get("Last-Event-ID") or request.query.get("since", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadRequest(f"not the number of an event: {text[:50]!r}")
    return int(text)


def _told(notice: Numbered | Lost) -> bytes:
    if isinstance(notice, Lost):
        return b'event: dropped\ndata: {"count":%d}\n\n' % notice.lost
    number = b"id: %d\n" % notice.id if notice.id else b""
    return number + b"event: %b\ndata: %b\n\n" % (kind(notice.event).encode(), msgspec.json.encode(notice))
