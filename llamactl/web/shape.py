"""The one shape of all of `/api`: `{success, data?, error?: {code, message, details?}, timestamp}`."""

import time
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from llamactl.core.errors import LlamactlError
from llamactl.core.units import show_time

Handler = Callable[[web.Request], Awaitable[web.Response]]


def shaped(handler: Handler) -> Handler:
    """The same, with errors in that shape."""

    async def answer(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except LlamactlError as error:
            told = {"code": error.code, "message": error.message, "details": error.hint or None}
            return _answer({"success": False, "error": told}, error.status)

    return answer


def success(data: object) -> web.Response:
    return _answer({"success": True, "data": data}, 200)


def _answer(body: dict[str, object], status: int) -> web.Response:
    now = show_time(time.time())
    text = msgspec.json.encode({**body, "timestamp": now})
    return web.Response(body=text, status=status, content_type="application/json")
