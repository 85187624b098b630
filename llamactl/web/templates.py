"""`/api/model-templates`: which model has which chat template, as the dashboard asks that llamactl replaces."""

import msgspec
from aiohttp import web

from llamactl.core.errors import BadRequest
from llamactl.rpc.calls import Ask, ListTemplates, SetTemplates, TemplateList
from llamactl.web.caller import caller_of, demand
from llamactl.web.shape import shaped, success

PATH = "/api/model-templates"


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    model_templates: dict[str, str]


def add(app: web.Application, ask: Ask) -> None:
    async def get(request: web.Request) -> web.Response:
        demand(caller_of(request), ListTemplates())
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
