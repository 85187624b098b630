"""`/api` as an OpenAPI 3.1 document, made from its routes and the types of what they take and give."""

import inspect
from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec
from aiohttp import web

from llamactl import __version__
from llamactl.core.errors import BY_CODE
from llamactl.proxy.dialects import REASONS
from llamactl.rpc.calls import RestartModel, StartModel
from llamactl.web.api import models
from llamactl.web.api.route import Asked, Route

PATH = "/api/openapi.json"

Json = dict[str, Any]

_USUAL = (400, 401, 403, 404, 409, 429, 500, 503)
_BODY = (413,)
"""Where there is one, beside those."""
_LOADING = (502, 504, 507)
"""Where a model is loaded."""

_FIRST = "$response.body#/data/models/0/name"
_SCHEMA = "#/components/schemas/{name}"
_TIMESTAMP = {"type": "string", "format": "date-time"}
_ABOUT = """Models, their settings and how they are: what `llamactl` does on the command line, with HTTP and JSON.

Every answer has the same shape: `success`, then `data` or `error`, and `timestamp`. `error.details` says what to
change: the place of what does not fit, like `body.models[0].path`, or what to try next.

A key is shown as `Authorization: Bearer …` or `x-api-key: …`, and has a scope: `observe` to look, `control` to
change, `admin` for the configuration, and so for all that the daemon's user may do: it names the programs that are
run. As long as there is no key at all, clients on the same machine may look without one. The name of a model in a
path has its slashes as `%2F`.
"""


def route(others: Iterable[Route]) -> Route:
    """The document of these routes, and of itself."""

    @cache  # when it is first asked for: it takes a while
    def text() -> bytes:
        return msgspec.json.encode(document([*others, own]))

    async def show_openapi(asked: Asked) -> web.Response:
        """This document."""
        return web.Response(body=text(), content_type="application/json")

    own = Route("GET", PATH, show_openapi)
    return own


def document(routes: Iterable[Route]) -> Json:
    routes = list(routes)
    kinds = list(dict.fromkeys(kind for each in routes for kind in (each.body, _data(each)) if kind is not None))
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_SCHEMA)
    schema_of = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, Json] = {}
    for each in routes:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schema_of)
    paths[models.PATH]["get"]["responses"]["200"]["links"] = {
        each.handler.__name__: {"operationId": each.handler.__name__, "parameters": {"name": _FIRST}}
        for each in routes
        if "{name}" in each.path
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "llamactl",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {**_tidy(components), "Failure": _failure()},
            "responses": {str(status): _refusal(status) for status in (*_USUAL, *_BODY, *_LOADING)},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _operation(route: Route, schema_of: dict[Any, Json]) -> Json:
    summary, _, description = route.text.partition("\n\n")
    shown = {route.media: {"schema": _answer(route, schema_of)}}
    statuses = [*_USUAL]
    if route.body is not None:
        statuses += _BODY
    if {StartModel, RestartModel} & {*route.calls}:
        statuses += _LOADING
    operation: Json = {
        "operationId": route.handler.__name__,
        "tags": [route.path.split("/")[2]],
        "summary": _line(summary),
        "security": [{"bearer": [route.scope]}, {"key": [route.scope]}],
        "responses": {
            "200": {"description": "What was asked for.", "content": shown},
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses},
        },
    }
    texts = [description, f"It takes a key with the scope `{route.scope}`."]
    if parameters := _parameters(route):
        operation["parameters"] = parameters
    if route.query is not None:
        texts.insert(1, inspect.getdoc(route.query) or "")
    if route.body is not None:
        needed = any(field.required for field in msgspec.structs.fields(route.body))
        content = {"application/json": {"schema": schema_of[route.body]}}
        operation["requestBody"] = {"required": needed, "content": content}
    operation["description"] = "\n\n".join(filter(None, texts))
    return operation


def _parameters(route: Route) -> list[Json]:
    found: list[Json] = []
    if "{name}" in route.path:
        schema = {"type": "string", "minLength": 1}
        found.append({"name": "name", "in": "path", "required": True, "description": "A model.", "schema": schema})
    if route.query is not None:
        _, components = msgspec.json.schema_components([route.query], ref_template=_SCHEMA)
        own = components[route.query.__name__]
        for name, schema in own["properties"].items():
            found.append({"name": name, "in": "query", "required": name in own["required"], "schema": schema})
    return found


def _data(route: Route) -> Any:
    """The type of what it answers with, where that has one."""
    return None if issubclass(route.data, web.StreamResponse) else route.data


def _answer(route: Route, schema_of: dict[Any, Json]) -> Json:
    kind = _data(route)
    if kind is None:
        return {"type": "object" if route.media == "application/json" else "string"}
    return _shape(True, data=schema_of[kind])


def _failure() -> Json:
    error = {
        "type": "object",
        "properties": {
            "code": {"enum": sorted(BY_CODE)},
            "message": {"type": "string"},
            "details": {"type": "string", "description": "What to change, or what to try next."},
        },
        "required": ["code", "message"],
        "additionalProperties": False,
    }
    return _shape(False, error=error)


def _shape(success: bool, **member: Json) -> Json:
    return {
        "type": "object",
        "properties": {"success": {"const": success}, **member, "timestamp": _TIMESTAMP},
        "required": ["success", *member, "timestamp"],
        "additionalProperties": False,
    }


def _refusal(status: int) -> Json:
    codes = sorted(code for code, error in BY_CODE.items() if error.status == status)
    told = f"{REASONS[status]}: {' or '.join(f'`{code}`' for code in codes)}."
    return {
        "description": told,
        "content": {"application/json": {"schema": {"$ref": _SCHEMA.format(name="Failure")}}},
    }


def _tidy(value: Any) -> Any:
    """With texts as docstrings are read."""
    if isinstance(value, dict):
        return {
            key: inspect.cleandoc(each) if key == "description" and isinstance(each, str) else _tidy(each)
            for key, each in value.items()
        }
    return [_tidy(each) for each in value] if isinstance(value, list) else value


def _line(text: str) -> str:
    return " ".join(text.split())
