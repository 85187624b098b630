"""The one shape of all of `/api`: `{success, data?, error?: {code, message, details?}, timestamp}`."""

import time

import msgspec
from aiohttp import web

from llamactl.core.errors import LlamactlError
from llamactl.core.units import show_time
from llamactl.proxy.dialects import error_body, retry_after

PREFIX = "/api/"


def success(data: object) -> web.Response:
    body = {"success": True, "data": data, "timestamp": show_time(time.time())}
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")


def failure(error: LlamactlError, status: int | None = None) -> web.Response:
    """`status` where that is not the error's own."""
    status = status or error.status
    response = web.Response(body=error_body(error, status, "web"), status=status, content_type="application/json")
    if (seconds := retry_after(error, status)) is not None:
        response.headers["Retry-After"] = str(seconds)
    return response
