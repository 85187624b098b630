"""One client connection: heads in, bytes spliced, back-pressure."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import cast

import anyio
import anyio.lowlevel
from anyio.abc import TaskStatus

from llamactl.core.errors import BadRequest, LlamactlError, TimedOut
from llamactl.core.model import Model
from llamactl.proxy import dialects, routing
from llamactl.proxy.forward import Forward
from llamactl.proxy.leaving import Leaving, give_up
from llamactl.proxy.request import Reader, Request
from llamactl.proxy.upload import Upload
from llamactl.proxy.upstream import Pool
from llamactl.supervisor import Lease, Supervisor

log = logging.getLogger(__name__)

IDLE, HEAD, BODY, STALLED = 75, 10, 30, 60
"""Seconds: between requests; for a whole head; between two pieces of a body; for a client that takes nothing."""
LINGER = 2
"""Seconds for a client to read a refusal while it is still sending the body nobody wants."""
NEVER = 1 << 62


class Connection(asyncio.Protocol):
    """What one client sends, one request after the other.

    `forward` is the request being answered, `closing` that this answer is the last, `paused` that the
    client takes no more bytes for now.
    """

    __slots__ = (
        "_asked", "_deadline", "_door", "_gone", "_held", "_lingering", "_reader", "_serving", "_waiting", "closing",
        "forward", "paused", "transport",
    )  # fmt: skip

    def __init__(self, door: "Door") -> None:
        self._door = door
        self._reader = Reader(door.max_body)
        self.transport = cast(asyncio.Transport, None)
        self.forward: Forward | None = None
        self._waiting: asyncio.Task[None] | None = None
        self.closing = False
        self.paused = False
        self._held = False  # reading is paused: requests enough are waiting here already
        self._serving = False
        self._lingering = False
        self._gone = False
        self._deadline = door.tick + HEAD

    # --- asyncio ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._door.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self.forward is not None and self.forward.tunnel:
            self.forward.send(data)
        elif not self._lingering:
            self._reader.feed(data)
            self._look()

    def _look(self) -> None:
        """Something was read: what is to be done?"""
        reader = self._reader
        if reader.requests:
            self._serve()
        if (len(reader.requests) > 1 or reader.rest) and not self._held:
            self._held = True
            self.transport.pause_reading()
        if reader.place is not None:
            self._held = False
            Upload(self, reader)
        if self._idle():
            self._expect_more()

    def _expect_more(self) -> None:
        """Of a request that has begun, and is the next to be answered."""
        reader = self._reader
        if reader.requests:
            return  # they come first, as soon as the client takes what it has asked for
        if reader.in_body:
            self._deadline = self._door.tick + BODY
            if reader.awaits_continue:
                reader.awaits_continue = False
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif reader.in_head:
            self._deadline = min(self._deadline, self._door.tick + HEAD)

    def eof_received(self) -> bool:
        return False  # who closes its sending side is gone, as for nginx

    def connection_lost(self, error: Exception | None) -> None:
        self._gone = True
        self._door.left(self)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
        forward, self.forward = self.forward, None
        if forward is not None:
            forward.client_lost()

    def pause_writing(self) -> None:
        self.paused = True
        self._deadline = self._door.tick + STALLED
        if self.forward is not None:
            self.forward.pause()

    def resume_writing(self) -> None:
        self.paused = False
        self._deadline = self._door.tick + IDLE if self._idle() else NEVER
        if self.forward is not None:
            self.forward.resume()
        self._serve()

    def allow(self, max_body: int) -> None:
        self._reader.allow(max_body)

    # --- requests --------------------------------------------------------------------------------

    def _idle(self) -> bool:
        return self.forward is None and self._waiting is None

    def _serve(self) -> None:
        """Begin what has been read and may begin. A loop, not recursion: a client may pipeline thousands."""
        if self._serving:
            return
        self._serving = True
        requests = self._reader.requests
        while requests and self.forward is None and self._waiting is None and not self.closing and not self.paused:
            self._begin(requests.popleft())
        self._serving = False

    def _begin(self, request: Request) -> None:
        self._deadline = NEVER
        if request.fault is not None:
            self.refuse(request, request.fault)
            return
        door = self._door
        try:
            if not routing.names_model(request.head.method, request.head.path):
                self._send(request, door.web, None)
                return
            model = door.model_for(request)
        except LlamactlError as error:
            self.refuse(request, error)
            return
        lease = door.supervisor.try_lease(model.name)
        if lease is None:
            self._asked = request
            self._waiting = asyncio.get_running_loop().create_task(self._wait(request, model))
        else:
            self._send(request, door.pool(lease.endpoint), lease)

    async def _wait(self, request: Request, model: Model) -> None:
        try:
            lease = await self._door.supervisor.lease(model)
        except LlamactlError as error:
            self._waiting = None
            if not self._gone:
                self.refuse(request, error)
            return
        except Exception as error:  # a bug: logged here, answered as one
            log.exception("no lease on %s", model.name)
            self._waiting = None
            self.refuse(request, LlamactlError(f"internal error: {error!r}"))
            return
        self._waiting = None
        if self._gone:
            lease.release()
        else:
            self._send(request, self._door.pool(lease.endpoint), lease)

    def _send(self, request: Request, pool: Pool, lease: Lease | None) -> None:
        self.forward = Forward(self, request, pool, lease)
        self.forward.start()

    def tunnelled(self) -> None:
        """From here on both sides send what they like."""
        if self._held:
            self._held = False
            self.transport.resume_reading()
        if self._reader.rest and self.forward is not None:
            self.forward.send(self._reader.rest)
            self._reader.rest = b""

    def refuse(self, request: Request, error: LlamactlError) -> None:
        """Answer with an error."""
        self.closing = self.closing or not request.head.keep_alive
        unread = request.fault is not None
        self.transport.write(dialects.refusal(error, close=self.closing, bodiless=request.head.method == b"HEAD"))
        if unread and self.transport.can_write_eof():
            # Closing now, with the client still sending, would reset the connection before it reads this.
            self.forward = None
            self._lingering = True
            self._deadline = self._door.tick + LINGER
            self.transport.write_eof()
            return
        self.finished()

    def finished(self, *, broken: bool = False) -> None:
        """The answer is out. `broken`: it is not whole, and the client must notice."""
        self.forward = None
        if self._gone:
            return
        self._deadline = self._door.tick + (STALLED if self.paused else IDLE)
        reader = self._reader
        if self.closing or broken or (reader.ended and not reader.requests):
            self.transport.close()
            return
        if reader.requests:
            self._serve()
            return
        if self._held:
            self._held = False
            self.transport.resume_reading()
        if reader.in_head or reader.in_body:
            self._expect_more()

    def end(self) -> None:
        """No more requests: now if none is under way, else after its answer."""
        self.closing = True
        if self._idle():
            self.transport.abort()

    def give_up(self, error: LlamactlError) -> None:
        """Its request, if there is one, is not answered any more but with this error."""
        self.closing = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
            self.refuse(self._asked, error)
        elif self.forward is not None:
            self.forward.fail(error)

    def expire(self) -> None:
        """Its time is up."""
        begun = self._reader.in_head or self._reader.in_body
        if begun and self._idle() and not self._lingering and not self.transport.is_closing():
            self._deadline = self._door.tick + LINGER
            self.transport.write(dialects.refusal(TimedOut("the request took too long"), close=True, status=408))
            self.transport.close()
        else:
            self.transport.abort()

    @property
    def due(self) -> int:
        return self._deadline

    @property
    def busy(self) -> bool:
        """A model is at work for it, or waited for."""
        return self._waiting is not None or (self.forward is not None and self.forward.leased)

    @property
    def expected(self) -> bool:
        """An answer is under way, or the first request is still to come."""
        return not self._idle() or self._deadline <= self._door.tick + HEAD


class Door:
    """Listens, and gives every connection what it needs.

    `resolve` finds a model by what a client calls it (raising `NotFound`), `web` is the path of the web face's socket.
    What `configure` says may change while it is open.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        resolve: Callable[[str], Model],
        web: str,
        *,
        default: str = "",
        max_body: int = 100 << 20,
        drain: float = 30.0,
    ) -> None:
        self.supervisor = supervisor
        self.connections: set[Connection] = set()
        self.tick = 0  # seconds since the door opened; cheaper for every request than asking a clock
        self._resolve = resolve
        self._web_path = web
        self.leaving = Leaving()
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._pools: dict[str, Pool] = {}
        self.configure(default=default, max_body=max_body, drain=drain)

    def configure(self, *, default: str, max_body: int, drain: float) -> None:
        """`default`: the model of a request that names none (empty: such a request is refused).

        `max_body` in bytes; `drain` seconds that requests under way are given when the door closes.
        """
        self.max_body = max_body
        self._default = default
        self._drain = drain
        for connection in self.connections:
            connection.allow(max_body)

    @property
    def web(self) -> Pool:
        return self.pool(self._web_path)

    def pool(self, path: str) -> Pool:
        pool = self._pools.get(path)
        if pool is None:
            pool = self._pools[path] = Pool(path)
        return pool

    def model_for(self, request: Request) -> Model:
        """Raises `BadRequest` or `NotFound`."""
        head = request.head
        name = routing.model_of(request.body, head.kind, head.content_type, head.query) or self._default
        if not name:
            raise BadRequest(
                "the request names no model and no default model is set",
                'put "model" into it, or: llamactl config set models.default NAME',
            )
        return self._resolve(name)

    async def serve(
        self, sockets: list[socket.socket], *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Until cancelled; then requests under way may end. The sockets stay open, for another time."""
        self.leaving = Leaving()
        self._sockets = sockets
        await self.open()
        task_status.started()
        try:
            while True:
                await anyio.sleep(1)
                self._sweep()
        finally:
            self.shut()
            with anyio.CancelScope(shield=True):
                await self._close()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            server = await loop.create_server(lambda: Connection(self), sock=sock.dup(), backlog=1024)
            self._servers.append(server)

    def shut(self) -> None:
        """Let nobody in; who comes waits in the kernel."""
        for server in self._servers:
            server.close()
        self._servers.clear()

    def hurry(self) -> None:
        """Whoever waits for the door to close has no more patience."""
        self.leaving.hurry()

    def answers(self, endpoint: str) -> dict[int, object]:
        """How far each answer is that this endpoint is giving, tunnels aside."""
        forwards = [connection.forward for connection in self.connections]
        return {id(f): f.progress for f in forwards if f is not None and f.behind == endpoint and not f.tunnel}

    def left(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self.leaving.left(connection)

    def _sweep(self) -> None:
        self.tick += 1
        for connection in [c for c in self.connections if c.due <= self.tick]:
            connection.expire()
        for pool in list(self._pools.values()):
            if not pool.sweep():
                del self._pools[pool.path]

    async def _close(self) -> None:
        for connection in list(self.connections):
            connection.end()
        with anyio.move_on_after(self._drain):
            await self.leaving.wait(self.connections)
        await give_up(self)
        for connection in list(self.connections):
            connection.transport.abort()
        for pool in self._pools.values():
            pool.close()
        await anyio.lowlevel.checkpoint()
