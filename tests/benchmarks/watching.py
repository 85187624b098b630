"""What it takes to tell one event to 500 who watch, one of whom does not read."""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web

from llamactl.core.events import Placement
from llamactl.hub import Hub
from llamactl.rpc.calls import Call, ListEvents, ListInstances, Snapshot, Watch
from llamactl.rpc.server import Stream
from llamactl.web import conversation
from llamactl.web.guests import Guests

from .place import Place
from .report import show, verdict

WATCHERS, EVENTS = 500, 200
SUBSCRIBE = b'{"type":"subscribe","data":{"topics":["models"]}}'
EVENT = Placement("qwen3-30b-a3b", "stop", "evicted for gemma-3-27b: idle for 40 s, frees 17.2 GiB of CUDA0")


def watching(place: Place, names: Sequence[str]) -> None:
    """One event to 500 WebSockets, one of them stuck: until all are written to, and until all have it.

    Before everybody else on the machine where that is allowed (to root): else it is their company that is measured.
    """
    first = False
    with suppress(PermissionError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        first = True
    try:
        publishing, arriving = uvloop.run(_measure(place.directory / "web.sock"))
    finally:
        if first:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    show(
        f"watching, {WATCHERS} WebSockets (one does not read), {EVENTS} events",
        ["", "ms, median", "worst of 20"],
        [
            (name, 1e3 * statistics.median(taken), 1e3 * statistics.quantiles(taken, n=20)[-1])
            for name, taken in (("written to all", publishing), ("read by all, in one process with them", arriving))
        ],
    )
    verdict("ms to publish one event", 1e3 * statistics.median(publishing), 10)


async def _measure(path: Path) -> tuple[list[float], list[float]]:
    hub = Hub()

    async def ask(call: Call[Any]) -> Any:
        if isinstance(call, Watch):
            return Stream(Snapshot(last_event=0, instances=[]), _never(), lambda: None)
        assert isinstance(call, ListInstances | ListEvents)
        return []

    app = web.Application()
    conversation.add(app, ask, Guests())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, path, backlog=1024).start()
    watchers = [await _watcher(path) for _ in range(WATCHERS)]
    stuck: Any = watchers[0][1].transport
    stuck.pause_reading()
    feed = app[conversation.FEED]
    publishing, arriving = [], []
    gc.freeze()
    for _ in range(EVENTS):
        numbered = hub.publish(EVENT)
        begun = time.perf_counter()
        feed.publish(numbered)
        await asyncio.sleep(0)  # uvloop writes at the end of its turn
        publishing.append(time.perf_counter() - begun)
        for reader, _ in watchers[1:]:
            await _message(reader)
        arriving.append(time.perf_counter() - begun)
    for _, writer in watchers:
        writer.close()
    await runner.cleanup()
    return publishing, arriving


async def _never() -> Any:
    await asyncio.Event().wait()
    yield None


async def _watcher(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(
        b"GET /llamaproxws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    await _message(reader)
    writer.write(bytes((0x81, 0x80 | len(SUBSCRIBE))) + bytes(4) + SUBSCRIBE)  # masked with zeros
    for _ in ("subscribed", "models"):
        await _message(reader)
    return reader, writer


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(2)
    size = head[1]
    if size == 126:
        size = int.from_bytes(await reader.readexactly(2), "big")
    return await reader.readexactly(size)
