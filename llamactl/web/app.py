"""The aiohttp application: which path is answered by what."""

import asyncio
import logging
from pathlib import Path

import anyio
import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler
from anyio.abc import TaskStatus

from llamactl.core.errors import BadRequest, BodyTooLarge, LlamactlError, NotFound
from llamactl.proxy.dialects import error_body
from llamactl.rpc import messages
from llamactl.rpc.calls import Ask, Status
from llamactl.web import conversation, prometheus, router, rpc
from llamactl.web.api import openapi, table
from llamactl.web.api.shape import PREFIX, failure
from llamactl.web.guests import Guests

log = logging.getLogger(__name__)

_KINDS: dict[int, type[LlamactlError]] = {404: NotFound, 413: BodyTooLarge}
"""What aiohttp refuses, by its status; all else does not fit some other way."""


def application(ask: Ask, guests: Guests | None = None) -> web.Application:
    """`ask` answers a call, as the control channel does. `guests` are told those that stay."""
    guests = guests or Guests()

    async def health(_: web.Request) -> web.Response:
        status = await ask(Status())
        down = [service.name for service in status.services if service.state != "up"]
        return _json({"status": "degraded" if down else "ok", "down": down}, 503 if down else 200)

    app = web.Application(middlewares=[_errors], client_max_size=messages.LONGEST)
    app.router.add_get("/health", health)
    app.router.add_get("/v1/health", health)
    router.add(app, ask)
    table.add(app, ask, guests)
    prometheus.add(app, ask)
    rpc.add(app, ask)
    conversation.add(app, ask, guests)
    return app


async def serve(
    ask: Ask, path: Path, guests: Guests, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """On the Unix socket `path` until cancelled. The directory must be private."""
    runner = web.AppRunner(application(ask, guests), access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        path.unlink(missing_ok=True)
        await web.UnixSite(runner, path).start()
        path.chmod(0o600)
        task_status.started()
        await asyncio.get_running_loop().create_future()
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()
        path.unlink(missing_ok=True)


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One of the three edges where everything is caught."""
    try:
        return await handler(request)
    except LlamactlError as error:
        return _refusal(request, error, error.status)
    except web.HTTPException as answer:
        if answer.status < 400:
            raise
        what = f"{request.method} {request.path}: {answer.reason}"
        hints = openapi.PATH if request.path.startswith(PREFIX) else "/v1/models lists the models"
        hint = f"GET {hints}" if answer.status == 404 else ""
        kind = _KINDS.get(answer.status, BadRequest)
        response = _refusal(request, kind(what, hint), answer.status)
        if "Allow" in answer.headers:
            response.headers["Allow"] = answer.headers["Allow"]
        return response
    except Exception as error:  # a bug: logged here, answered as one
        log.exception("%s %s failed", request.method, request.path)
        return _refusal(request, LlamactlError(f"internal error: {error!r}"), 500)


def _refusal(request: web.Request, error: LlamactlError, status: int) -> web.Response:
    if request.path.startswith(PREFIX):
        return failure(error, status)
    return web.Response(body=error_body(error, status), status=status, content_type="application/json")


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")
