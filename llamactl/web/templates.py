"""`/api/model-templates`: which model has which chat template, as the dashboard asks that llamactl takes the place of.

The one shape of all of `/api`: `{success, data?, error?: {code, message, details?}, timestamp}`.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from llamactl.core.errors import BadRequest, LlamactlError
from llamactl.rpc.calls import Call, ListTemplates, SetTemplates, TemplateList
from llamactl.web.caller import caller_of, demand

Handler = Callable[[web.Request], Awaitable[web.Response]]
Ask = Callable[[Call[Any]], Awaitable[Any]]

PATH = "/api/model-templates"


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    model_templates: dict[str, str]


def add(app: web.Application, ask: Ask) -> None:
    async def get(_: web.Request) -> web.Response:
        found: TemplateList = await ask(ListTemplates())
        return success({"model_templates": _own(found), "default_model": found.default_model or None})

    async def post(request: web.Request) -> web.Response:
        try:
            body = msgspec.json.decode(await request.read(), type=_Body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadRequest(f"the body does not fit: {error}", '{"model_templates": {"NAME": "TEMPLATE"}}') from None
        call = SetTemplates(dict(body.model_templates), others=True)
        demand(caller_of(request), call)
        await ask(call)
        return success({"model_templates": _own(await ask(ListTemplates()))})

    app.router.add_get(PATH, shaped(get))
    app.router.add_post(PATH, shaped(post))


def _own(found: TemplateList) -> dict[str, str]:
    """What is set for models themselves: all that a POST replaces."""
    return {use.model: use.template for use in found.uses if use.origin == "model"}


def shaped(handler: Handler) -> Handler:
    """With what goes wrong in the one shape, too."""

    async def answered(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except LlamactlError as error:
            told = {"code": error.code, "message": error.message, "details": error.hint or None}
            return _answer({"success": False, "error": told}, error.status)

    return answered


def success(data: object) -> web.Response:
    return _answer({"success": True, "data": data}, 200)


def _answer(body: dict[str, object], status: int) -> web.Response:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = msgspec.json.encode({**body, "timestamp": now})
    return web.Response(body=text, status=status, content_type="application/json")
