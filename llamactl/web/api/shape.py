"""The one shape of all of `/api`: `{success, data?, error?: {code, message, details?}, timestamp}`."""

import math
import time

import msgspec
from aiohttp import web

from llamactl.core.errors import LlamactlError
from llamactl.core.units import show_time
from llamactl.proxy.dialects import error_body

PREFIX = "/api/"


def success(data: object) -> web.Response:
    body = {"success": True, "data": data, "timestamp": show_time(time.time())}
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")


def failure(error: LlamactlError, status: int | None = None) -> web.Response:
    """`status` where that is not the error's own."""
    status = status or error.status
    response = web.Response(body=error_body(error, status, "web"), status=status, content_type="application/json")
    if error.retry_after is not None or status == 503:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after or 1)))
    return response
