"""llama.cpp's router, as far as its clients see it: which models there are and how they are, load one, unload one.

Answers are those of a llama-server that was started with `--models-dir`, so that its web page and whoever else speaks
to one need not know that this is another. OpenAI's list of models is the same, with more in it.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from aiohttp import web

from llamactl import __version__
from llamactl.core.access import Caller
from llamactl.core.errors import BadRequest, LlamactlError, NotFound
from llamactl.core.events import CatalogueChanged, Event, InstanceChanged, Numbered
from llamactl.core.instance import Failed, Phase, Stopped, state
from llamactl.proxy.dialects import error_body
from llamactl.rpc.calls import Ask, InstanceRow, ListInstances, ListModels, Lost, ModelRow, StartModel, StopModel, Watch
from llamactl.rpc.server import Stream
from llamactl.web.caller import ANYBODY, caller_of

_STATUS = {
    "ready": "loaded",
    "starting": "loading",
    "loading": "loading",
    "backoff": "loading",
    "failed": "failed",
}
"""Every other state is `unloaded`."""

PING = 15.0
"""Seconds between two signs of life in a stream, so that a watcher who has left is noticed."""


class _Named(msgspec.Struct):
    model: str


def add(app: web.Application, ask: Ask) -> None:
    """`/models…`, `/v1/models…` and `/props`."""
    stopping: set[asyncio.Task[Any]] = set()

    async def listed(request: web.Request) -> web.Response:
        return _json({"object": "list", "data": await _models(ask, caller_of(request))})

    async def listed_for_openai(request: web.Request) -> web.Response:
        models = await _models(ask, caller_of(request))
        return _json({"object": "list", "data": models + [one for model in models for one in _variants(model)]})

    async def one(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        for model in await _models(ask):
            for known in (model, *_variants(model)):
                if name == known["id"] or name in known["aliases"]:
                    caller_of(request).demand_model(model["id"])
                    return _json(known)
        raise NotFound(f"no model is called {name[:80]!r}", "GET /v1/models lists the models")

    async def load(request: web.Request) -> web.Response:
        name = await _named(request)
        row = _find(await ask(ListInstances(all=True)), await ask(ListModels()), name)
        if row is None:
            raise NotFound(f"no model is called {name[:80]!r}", "GET /models lists the models")
        caller_of(request).demand_model(row.name)
        if _status_of(row) in ("loading", "loaded", "sleeping"):
            raise BadRequest("model is already running")
        await ask(StartModel(row.name, wait=False))
        return _json({"success": True})

    async def unload(request: web.Request) -> web.Response:
        name = await _named(request)
        row = _find(await ask(ListInstances(all=True)), await ask(ListModels()), name)
        if row is None:
            raise BadRequest("model is not found", "GET /models lists the models")
        caller_of(request).demand_model(row.name)
        if _status_of(row) in ("unloaded", "failed"):
            raise BadRequest("model is not running")
        task = asyncio.get_running_loop().create_task(_stop(ask, row.name))
        stopping.add(task)
        task.add_done_callback(stopping.discard)
        return _json({"success": True})

    async def events(request: web.Request) -> web.StreamResponse:
        stream: Stream = await ask(Watch())
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        try:
            await response.prepare(request)
            await _tell(response, stream, caller_of(request))
        except ConnectionError:
            pass  # nobody listens any more
        finally:
            await stream.then.aclose()
            stream.close()
        return response

    async def props(_: web.Request) -> web.Response:
        return _json(
            {
                "role": "router",
                "max_instances": 0,
                "models_autoload": True,
                "model_alias": "llamactl",
                "model_path": "none",
                "default_generation_settings": {"params": None, "n_ctx": 0},
                "ui_settings": {},
                "build_info": f"llamactl {__version__}",
                "cors_proxy_enabled": False,
            }
        )

    app.router.add_get("/models", _told(listed))
    app.router.add_get("/models/sse", _told(events), allow_head=False)
    app.router.add_post("/models/load", _told(load))
    app.router.add_post("/models/unload", _told(unload))
    app.router.add_get("/props", _told(props))
    app.router.add_get("/v1/models", listed_for_openai)
    app.router.add_get("/v1/models/{name:.+}", one)


# --- models -------------------------------------------------------------------------------------------


async def _models(ask: Ask, caller: Caller = ANYBODY) -> list[dict[str, Any]]:
    """llama.cpp's objects, sorted by name, with what OpenAI's clients look for: those that `caller` may use."""
    instances: list[InstanceRow] = await ask(ListInstances(all=True))
    states = {row.name: row for row in instances}
    models: list[ModelRow] = await ask(ListModels())
    return [_model(row, states.get(row.name)) for row in models if caller.uses(row.name)]


def _model(row: ModelRow, instance: InstanceRow | None) -> dict[str, Any]:
    """Where its file lies and how it is started is nobody's business here."""
    meta = {
        "size": row.size,
        "n_params": row.parameters,
        "n_ctx_train": row.context_length,
        "n_vocab": row.vocabulary,
        "n_embd": row.embedding_length,
        "architecture": row.architecture,
        "quantisation": row.quantisation,
    }
    value = _status_of(instance) if instance is not None else "unloaded"
    return {
        "id": row.name,
        "aliases": list(row.aliases),
        "variants": [f"{row.name}:{variant}" for variant in row.variants],
        "tags": [],
        "object": "model",
        "owned_by": "llamactl",
        "created": 0,
        "context_length": row.context_length,
        "status": {"value": value, "failed": True} if value == "failed" else {"value": value},
        "architecture": {"input_modalities": list(row.modalities), "output_modalities": ["text"]},
        "meta": {key: known for key, known in meta.items() if known} | {"modalities": list(row.modalities)},
        "can_remove": False,
    }


def _variants(model: dict[str, Any]) -> list[dict[str, Any]]:
    """Its variants as models: so they can be chosen where models are."""
    found = []
    for name in model["variants"]:
        _, _, variant = name.rpartition(":")
        aliases = [f"{alias}:{variant}" for alias in model["aliases"]]
        found.append(model | {"id": name, "aliases": aliases, "variants": []})
    return found


def _status_of(row: InstanceRow) -> str:
    return "sleeping" if row.sleeping else _STATUS.get(row.state, "unloaded")


def _find(instances: list[InstanceRow], models: list[ModelRow], name: str) -> InstanceRow | None:
    own = {alias: row.name for row in models for alias in (*row.aliases, row.name)}
    return next((row for row in instances if row.name == own.get(name)), None)


async def _named(request: web.Request) -> str:
    try:
        return msgspec.json.decode(await request.read(), type=_Named).model
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body does not fit: {error}", '{"model": "NAME"}') from None


async def _stop(ask: Ask, name: str) -> None:
    with suppress(LlamactlError):  # it may have gone by itself
        await ask(StopModel(name))


# --- what happens -------------------------------------------------------------------------------------


async def _tell(response: web.StreamResponse, stream: Stream, caller: Caller) -> None:
    """Until whoever is told has left, which raises `ConnectionError`."""
    shown: dict[str, str] = {}
    coming = asyncio.ensure_future(anext(stream.then))
    try:
        while True:
            done, _ = await asyncio.wait((coming,), timeout=PING)
            if not done:
                await response.write(b":\n\n")
                continue
            item = coming.result()
            coming = asyncio.ensure_future(anext(stream.then))
            if isinstance(item, Lost):
                shown.clear()
                await _send(response, "*", "models_reload")
            elif isinstance(item, Numbered):
                await _tell_event(response, item.event, shown, caller)
    except StopAsyncIteration:
        pass
    finally:
        coming.cancel()
        await asyncio.wait((coming,))


async def _tell_event(response: web.StreamResponse, event: Event, shown: dict[str, str], caller: Caller) -> None:
    if isinstance(event, InstanceChanged) and caller.uses(event.model):
        status = _STATUS.get(state(event.phase), "unloaded")
        if shown.get(event.model) != status:
            shown[event.model] = status
            await _send(response, event.model, "status_change", {"status": status, **_exit(event.phase)})
    elif isinstance(event, CatalogueChanged):
        for model in filter(caller.uses, event.removed):
            await _send(response, model, "model_remove")
        await _send(response, "*", "models_reload")


async def _send(response: web.StreamResponse, model: str, event: str, data: Mapping[str, object] | None = None) -> None:
    told = {"model": model, "event": event, "data": data or {}}
    await response.write(b"data: " + msgspec.json.encode(told) + b"\n\n")


def _exit(phase: Phase) -> dict[str, int]:
    """How its process ended, if it did: 0 for one that was told to."""
    if isinstance(phase, Failed):
        return {"exit_code": phase.exit.code or 1 if phase.exit is not None else 1}
    return {"exit_code": 0} if isinstance(phase, Stopped) else {}


# ------------------------------------------------------------------------------------------------------


def _told(handler: Any) -> Any:
    """Errors in llama.cpp's words."""

    async def told(request: web.Request) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
            return response
        except LlamactlError as error:
            body = error_body(error, dialect="llama")
            return web.Response(body=body, status=error.status, content_type="application/json")

    return told


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
