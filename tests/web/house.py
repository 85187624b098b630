"""A daemon that consists of a hub and what is kept of it, and a web face in front of it."""

import asyncio
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from llamactl.core.access import Caller
from llamactl.core.errors import NotFound
from llamactl.core.events import Event, Numbered, kind
from llamactl.core.instance import Instance, Ready
from llamactl.daemon.control.events import EventCalls
from llamactl.hub import Hub
from llamactl.rpc.calls import (
    Call,
    DaemonStatus,
    InstanceRow,
    ListInstances,
    ListModels,
    ListRequests,
    LogRow,
    ReadLogs,
    ShowModel,
    StartModel,
    Status,
)
from llamactl.web.app import application
from llamactl.web.caller import HEADER


class Memory:
    """What `store.Events` would keep."""

    def __init__(self) -> None:
        self.events: list[Numbered] = []

    def after(self, number: int, limit: int, types: Sequence[str] = ()) -> list[Numbered]:
        wanted = [each for each in self.events if each.id > number and (not types or kind(each.event) in types)]
        return wanted[:limit]

    def newest(self, limit: int, types: Sequence[str] = ()) -> list[Numbered]:
        return self.after(0, 1 << 30, types)[-limit:]


class House:
    """`caller` is what the door says of who comes; None: it says nothing."""

    pid: int | None = None
    """Of the model that runs, where that is of interest."""

    def __init__(self, caller: Caller | None = None) -> None:
        self.memory = Memory()
        self.hub = Hub(keep=self._keep)
        running = InstanceRow(name="qwen", state="ready", pid=self.pid)
        self.instances = [running, InstanceRow(name="gemma", state="stopped")]
        self.asked: list[Call[Any]] = []
        self.go = asyncio.Event()
        present = [Instance(model="qwen", phase=Ready(0.0, 42, 1.0))]
        self._handlers = EventCalls(self.hub, self.memory, lambda: present).handlers
        self._caller = caller

    def _keep(self, numbered: Numbered) -> None:
        self.memory.events.append(numbered)
        self.hub.tell([numbered])

    def publish(self, *events: Event) -> None:
        for event in events:
            self.hub.publish(event)

    async def ask(self, call: Call[Any]) -> Any:
        self.asked.append(call)
        match call:
            case ListInstances():
                return self.instances
            case ReadLogs(models=models, level=level):
                return [LogRow(model=name, time=1.5, level=level, line="before") for name in models]
            case ListRequests():
                return []
            case Status():
                return DaemonStatus(
                    version="1", pid=1, uptime=1.0, http=[], config="", data="", log="", models=2, services=[],
                    last_event=self.hub.last,
                )  # fmt: skip
            case ListModels():
                return []
            case StartModel():
                await self.go.wait()
                return self.instances[0]
            case ShowModel():
                raise NotFound("no model is called that", "llamactl models ls")
        return await self._handlers[type(call)](call)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[TestClient[web.Request, web.Application]]:
        app = application(self.ask)

        @web.middleware
        async def door(request: web.Request, handler: Any) -> Any:
            if self._caller is None:
                return await handler(request)
            told = b64encode(msgspec.json.encode(self._caller)).decode()
            return await handler(request.clone(headers={**request.headers, HEADER: told}))

        app.middlewares.append(door)
        async with TestClient(TestServer(app)) as client:
            yield client


class Peer:
    """The other end of a WebSocket."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, type: str, request: str | None = None, **data: Any) -> None:
        await self.socket.send_str(msgspec.json.encode({"type": type, "data": data, "requestId": request}).decode())

    async def hear(self, *types: str) -> Any:
        """The next message; it must be of one of these types, if some are given."""
        received = await self.socket.receive(timeout=10)
        assert received.type is WSMsgType.TEXT, received
        message = msgspec.json.decode(received.data)
        assert not types or message["type"] in types, message
        assert abs(message["timestamp"] / 1000 - time.time()) < 3600
        return message

    async def silent(self) -> bool:
        """There is nothing more, as the answer to a ping comes next."""
        await self.say("ping")
        return bool((await self.hear())["type"] == "pong")


@asynccontextmanager
async def watching(house: House) -> AsyncIterator[Peer]:
    async with house.open() as client, client.ws_connect("/llamaproxws") as socket:
        peer = Peer(socket)
        await peer.hear("connection")
        yield peer
