"""Pooled keep-alive connections to the Unix sockets behind the door."""

import asyncio
import socket
from typing import Protocol, cast

IDLE = 4
"""Sweeps, one a second, that an unused connection is kept; llama-server's HTTP library closes its own after 5."""
QUEUED = 5.0
"""Seconds to wait for room in the queue of those who want to connect; old llama-servers let 5 into it."""


class Exchange(Protocol):
    """Who uses a connection at the moment: sends one request, is given the answer's bytes."""

    def connected(self, upstream: "Upstream") -> None: ...

    def not_connected(self, error: OSError) -> None: ...

    def received(self, data: bytes) -> None: ...

    def lost(self) -> None: ...

    def hold(self) -> None:
        """The upstream takes no more for now; called for tunnels, where both sides may talk on."""

    def go_on(self) -> None: ...


class Upstream(asyncio.Protocol):
    """One connection; `exchange` is whose turn it is, None while it lies in the pool."""

    __slots__ = ("exchange", "idle_since", "pool", "transport", "used")

    def __init__(self, pool: "Pool") -> None:
        self.pool = pool
        self.exchange: Exchange | None = None
        self.transport = cast(asyncio.Transport, None)
        self.used = False  # it has served before: the other side may be about to close it
        self.idle_since = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.pool.all.add(self)

    def data_received(self, data: bytes) -> None:
        if self.exchange is None:
            self.transport.abort()  # nobody asked
        else:
            self.exchange.received(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.pool.discard(self)
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.lost()

    def pause_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.hold()

    def resume_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.go_on()

    def abandon(self) -> None:
        """Close at once; whoever used it hears nothing more."""
        self.exchange = None
        self.transport.abort()


class Pool:
    """The connections to one socket. `plain`: it streams what is not understood, or not
    at all, so it is asked for no streams."""

    def __init__(self, path: str) -> None:
        self.plain = False
        self.path = path
        self.idle: list[Upstream] = []
        self.all: set[Upstream] = set()
        self._sweeps = 0
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[None]] = set()

    def take(self, exchange: Exchange, *, fresh: bool = False) -> None:
        """`exchange.connected` is called: at once if a connection is free, unless it must be a fresh one."""
        if self.idle and not fresh:
            upstream = self.idle.pop()
            upstream.exchange = exchange
            upstream.used = True
            exchange.connected(upstream)
        else:
            task = self._loop.create_task(self._connect(exchange))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, exchange: Exchange) -> None:
        try:
            connected = await _connected(self.path)
            _, upstream = await self._loop.create_unix_connection(lambda: Upstream(self), sock=connected)
        except OSError as error:
            exchange.not_connected(error)
            return
        upstream.exchange = exchange
        exchange.connected(upstream)

    def give_back(self, upstream: Upstream) -> None:
        upstream.exchange = None
        if upstream.transport.is_closing():
            return
        upstream.idle_since = self._sweeps
        self.idle.append(upstream)

    def discard(self, upstream: Upstream) -> None:
        self.all.discard(upstream)
        if upstream in self.idle:
            self.idle.remove(upstream)

    def sweep(self) -> bool:
        """Close what has been idle too long; False when nothing is left and nothing is under way."""
        self._sweeps += 1
        oldest = self._sweeps - IDLE
        while self.idle and self.idle[0].idle_since < oldest:  # the list is a stack: oldest at the bottom
            self.idle.pop(0).transport.abort()
        return bool(self.all or self._connecting)

    def close(self) -> None:
        for task in list(self._connecting):
            task.cancel()
        for upstream in list(self.all):
            upstream.transport.abort()


async def _connected(path: str) -> socket.socket:
    """Raises `OSError`. A Unix socket connects at once or, its queue being full, not at all: only time helps then."""
    sock = socket.socket(socket.AF_UNIX)
    sock.setblocking(False)
    waited, wait = 0.0, 0.001
    try:
        while True:
            try:
                sock.connect(path)
                return sock
            except BlockingIOError:
                if waited >= QUEUED:
                    raise
            await asyncio.sleep(wait)
            waited, wait = waited + wait, min(2 * wait, 0.05)
    except BaseException:
        sock.close()
        raise
