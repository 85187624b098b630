"""Socket.IO at the path of the WebSocket, as the dashboard speaks it that llamactl takes the place of.

Its events and their shapes are that dashboard's. Where it made numbers up, here they are measured or left out; where
it did nothing (to stop a model, to save its settings), it is done. A model's id is its name.
"""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec
import socketio
from aiohttp import web

from llamactl.core.errors import BadRequest, Forbidden, LlamactlError
from llamactl.core.events import KINDS, CatalogueChanged, InstanceChanged, LogLines, Numbered, SamplesTaken
from llamactl.core.sample import Sample
from llamactl.core.units import show_time
from llamactl.rpc import calls
from llamactl.rpc.calls import Ask, Call
from llamactl.rpc.server import Stream
from llamactl.web import shapes, topics
from llamactl.web.caller import caller_of, permit
from llamactl.web.envelope import envelope

OFTEN = 3.0
"""Seconds between two metrics."""
SETTLING = 0.25
"""Seconds for which changes and lines are gathered before they are told."""
AT_ONCE, REMEMBERED = 200, 500
"""Lines that are told in that time, and that are kept for those who ask."""
WATCHED = frozenset(KINDS) & {"instance", "catalogue", "samples", "logs"}


class Dashboard:
    """Follows the daemon as long as somebody is connected."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        # Which origins may come is for the door to say.
        self.server = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins=[], ping_timeout=60)
        self._callers: dict[str, Any] = {}
        self._following: asyncio.Task[None] | None = None
        self._lines: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self._untold: list[dict[str, Any]] = []
        self._sample: Sample | None = None
        self._told = 0.0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[object]] = set()
        on = self.server.on
        on("connect", self._connect)
        on("disconnect", self._disconnect)
        for names, handler in self._requests().items():
            for name in names:
                on(name, self._answering(handler))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Whatever has `EIO` in its query."""
        response: web.StreamResponse = await self.server.handle_request(request)
        return response

    async def close(self) -> None:
        self._rest()
        for sid in tuple(self._callers):
            await self.server.disconnect(sid)
        await self.server.shutdown()

    def _rest(self) -> None:
        """Nobody is there."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._lines.clear()
        if self._following is not None:
            self._following.cancel()
            self._following = None

    # --- who is there ----------------------------------------------------------------------------

    async def _connect(self, sid: str, environ: dict[str, Any], _: object = None) -> None:
        caller = caller_of(environ["aiohttp.request"])
        if not caller.may("observe") or caller.models is not None:
            raise socketio.exceptions.ConnectionRefusedError("this takes a key with the scope observe, for all models")
        self._callers[sid] = caller
        if self._following is None:
            stream: Stream = await self._ask(calls.Watch(types=tuple(sorted(WATCHED))))
            running = [row.name for row in await self._ask(calls.ListInstances()) if row.pid is not None]
            read = await self._ask(calls.ReadLogs(models=tuple(running), limit=REMEMBERED)) if running else []
            self._lines.extend(line for event in topics.past(read) for line in shapes.entries(event))
            self._following = asyncio.get_running_loop().create_task(self._follow(stream))
        greeting = {"type": "connection", "clientId": uuid.uuid4().hex, "message": "connected to llamactl"}
        # It is connected when this has returned.
        self._begin(self.server.emit("message", greeting | {"timestamp": _now()}, to=sid))

    async def _disconnect(self, sid: str, _: object = None) -> None:
        self._callers.pop(sid, None)
        if not self._callers:
            self._rest()

    # --- what happens ----------------------------------------------------------------------------

    async def _follow(self, stream: Stream) -> None:
        try:
            async for notice in stream.then:
                if isinstance(notice, Numbered):
                    await self._publish(notice)
        finally:
            await stream.then.aclose()
            stream.close()

    async def _publish(self, numbered: Numbered) -> None:
        match event := numbered.event:
            case SamplesTaken():
                self._sample = event.sample
                if time.monotonic() - self._told >= OFTEN - 0.5:
                    self._told = time.monotonic()
                    await self._tell("metrics", await self._metrics(event.sample))
            case LogLines():
                entries = shapes.entries(event)
                self._lines.extend(entries)
                self._untold += entries
                self._soon("lines", self._tell_lines)
            case InstanceChanged() | CatalogueChanged():
                self._soon("models", self._tell_models)

    def _soon(self, what: str, do: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Once for many that come together."""

        def begin() -> None:
            del self._timers[what]
            self._begin(do())

        if what not in self._timers:
            self._timers[what] = asyncio.get_running_loop().call_later(SETTLING, begin)

    def _begin(self, doing: Coroutine[Any, Any, object]) -> None:
        task = asyncio.get_running_loop().create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell_lines(self) -> None:
        lines, self._untold = self._untold, []
        if len(lines) > AT_ONCE:
            left_out = shapes.entry("warn", f"{len(lines) - AT_ONCE} lines are left out here: llamactl logs", _now())
            lines = [left_out, *lines[-AT_ONCE:]]
        for line in lines:
            await self._tell("log", line)

    async def _tell_models(self) -> None:
        await self._tell("models", await self._models())
        await self._tell("llamaStatus", await self._status(), "status")

    async def _tell(self, event: str, data: object, type: str = "", to: str | None = None) -> None:
        await self.server.emit(event, _json(envelope(type or event, data)), to=to)

    # --- what is asked ---------------------------------------------------------------------------

    def _requests(self) -> dict[tuple[str, ...], Callable[[str, dict[str, Any]], Awaitable[None]]]:
        return {
            ("request_metrics", "requestMetrics"): self._send_metrics,
            ("request_models", "requestModels"): self._send_models,
            ("request_logs", "requestLogs", "download_logs", "downloadLogs"): self._send_logs,
            ("requestLlamaStatus",): self._send_status,
            ("rescanModels",): self._rescan,
            ("startModel",): self._start,
            ("stopModel", "unloadModel"): self._stop,
            ("toggle_model", "toggleModel"): self._toggle,
            ("start_llama_server", "startLlamaServer"): self._start_server,
            ("restart_server", "restartServer"): self._restart_server,
            ("load_models",): self._answers("models_loaded", self._load_models),
            ("load_config",): self._answers("config_loaded", self._load_config),
            ("save_config",): self._answers("config_saved", self._save_config),
            ("save_model",): self._answers("model_saved", self._save_model),
            ("update_model",): self._answers("model_updated", self._update_model),
            ("delete_model",): self._answers("model_deleted", self._delete_model),
            ("import_models_from_llama",): self._answers("models_imported", self._import_models),
        }

    def _answering(self, handler: Callable[[str, dict[str, Any]], Awaitable[None]]) -> Any:
        async def answer(sid: str, data: object = None) -> None:
            try:
                await handler(sid, data if isinstance(data, dict) else {})
            except LlamactlError as error:
                await self.server.emit("error", {"message": error.message}, to=sid)

        return answer

    def _answers(self, event: str, do: Callable[[str, dict[str, Any]], Awaitable[object]]) -> Any:
        """With `{success, data?, error?, timestamp}`."""

        async def answer(sid: str, data: dict[str, Any]) -> None:
            try:
                told = {"success": True, "data": msgspec.to_builtins(await do(sid, data))}
            except LlamactlError as error:
                told = {"success": False, "error": {"code": error.code, "message": error.message}}
            await self.server.emit(event, told | {"timestamp": _now()}, to=sid)

        return answer

    async def _asked(self, sid: str, call: Call[Any]) -> Any:
        caller = self._callers.get(sid)
        if caller is None:
            raise Forbidden("it has left")
        await permit(caller, call, self._ask)
        return await self._ask(call)

    async def _metrics(self, sample: Sample) -> dict[str, Any]:
        instances = await self._ask(calls.ListInstances(all=True))
        return shapes.metrics(sample, len(instances), sum(row.requests for row in instances))

    async def _models(self) -> list[dict[str, Any]]:
        return [shapes.model(row) for row in await self._ask(calls.ListModels())]

    async def _status(self) -> dict[str, Any]:
        status = await self._ask(calls.Status())
        down = [service for service in status.services if service.state != "up"]
        return {
            "status": "error" if down else "running",
            "lastError": down[0].reason or None if down else None,
            "uptime": round(status.uptime),
            "models": await self._models(),
        }

    async def _send_metrics(self, sid: str, _: dict[str, Any]) -> None:
        if self._sample is not None:
            await self._tell("metrics", await self._metrics(self._sample), to=sid)

    async def _send_models(self, sid: str, _: dict[str, Any]) -> None:
        await self._tell("models", await self._models(), to=sid)

    async def _send_logs(self, sid: str, _: dict[str, Any]) -> None:
        await self._tell("logs", list(reversed(self._lines)), to=sid)

    async def _send_status(self, sid: str, _: dict[str, Any]) -> None:
        await self._tell("llamaStatus", await self._status(), "status", to=sid)

    async def _rescan(self, sid: str, _: dict[str, Any]) -> None:
        try:
            report = await self._asked(sid, calls.ScanModels())
        except LlamactlError as error:
            await self._tell("llamaStatus", {"error": error.message}, "error", to=sid)
        else:
            await self._tell("llamaStatus", {"message": f"{report.known} models are known"}, "status", to=sid)

    async def _start(self, sid: str, data: dict[str, Any]) -> None:
        row = await self._asked(sid, calls.StartModel(_name(data)))
        await self.server.emit("modelStarted", {"modelId": row.name, "status": "running"}, to=sid)

    async def _stop(self, sid: str, data: dict[str, Any]) -> None:
        row = await self._asked(sid, calls.StopModel(_name(data)))
        await self.server.emit("modelStopped", {"modelId": row.name, "message": f"{row.name} is stopped"}, to=sid)

    async def _toggle(self, sid: str, data: dict[str, Any]) -> None:
        name = _name(data)
        runs = any(row.name == name and row.pid is not None for row in await self._ask(calls.ListInstances()))
        row = await self._asked(sid, calls.StopModel(name) if runs else calls.StartModel(name))
        status = "idle" if runs else "running"
        await self.server.emit("modelToggled", {"modelId": row.name, "status": status}, to=sid)

    async def _start_server(self, sid: str, _: dict[str, Any]) -> None:
        told = {"message": "llamactl is running; models are loaded when they are asked for"}
        await self.server.emit("serverStarted", told, to=sid)

    async def _restart_server(self, sid: str, _: dict[str, Any]) -> None:
        running = [row.name for row in await self._ask(calls.ListInstances()) if row.pid is not None]
        for name in running:
            await self._asked(sid, calls.RestartModel(name))
        await self.server.emit("serverRestarted", {"message": f"restarted {', '.join(running) or 'nothing'}"}, to=sid)

    async def _load_models(self, sid: str, _: dict[str, Any]) -> object:
        return [shapes.loaded(row) for row in await self._asked(sid, calls.ListModels())]

    async def _load_config(self, sid: str, data: dict[str, Any]) -> object:
        detail = await self._asked(sid, calls.ShowModel(_name(data)))
        group = data.get("type")
        config = {row.name: row.value for row in detail.settings if row.group == group}
        return {"id": detail.name, "type": group, "config": config}

    async def _save_config(self, sid: str, data: dict[str, Any]) -> object:
        row = await self._asked(sid, _change(_name(data), data.get("config")))
        return {"id": row.name, "type": data.get("type"), "config": row.name}

    async def _save_model(self, sid: str, data: dict[str, Any]) -> object:
        path = data.get("model_path")
        if not isinstance(path, str):
            raise BadRequest("model_path is missing")
        return (await self._asked(sid, calls.AddModel(path, data.get("name") or None))).name

    async def _update_model(self, sid: str, data: dict[str, Any]) -> object:
        return (await self._asked(sid, _change(_name(data), data.get("updates")))).name

    async def _delete_model(self, sid: str, data: dict[str, Any]) -> object:
        name = _name(data)
        await self._asked(sid, calls.RemoveModel(name))
        return {"id": name}

    async def _import_models(self, sid: str, _: dict[str, Any]) -> object:
        report = await self._asked(sid, calls.ScanModels())
        imported = len(report.added)
        models = list(report.added)
        return {"totalFound": report.known, "imported": imported, "skipped": report.known - imported, "models": models}


def _change(name: str, values: object) -> calls.SetModel:
    """What is null is not set any more."""
    if not isinstance(values, dict):
        raise BadRequest("no settings are given")
    try:
        return msgspec.convert(
            {
                "name": name,
                "set": {key: value for key, value in values.items() if value is not None},
                "unset": [key for key, value in values.items() if value is None],
            },
            calls.SetModel,
        )
    except msgspec.ValidationError as error:
        raise BadRequest(f"these are no settings: {error}") from None


def _name(data: dict[str, Any]) -> str:
    name = data.get("modelId", data.get("id"))
    if not isinstance(name, str) or not name:
        raise BadRequest("which model? modelId is missing")
    return name


def _json(payload: bytes) -> Any:
    return msgspec.json.decode(payload)


def _now() -> str:
    return show_time(time.time())
