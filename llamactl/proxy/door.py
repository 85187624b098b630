"""The listening side: lets connections in, gives each what it needs, and closes."""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable

import anyio
import anyio.lowlevel
import msgspec
from anyio.abc import TaskStatus

from llamactl.core.errors import BadRequest, Cancelled
from llamactl.core.model import Model
from llamactl.proxy import naming, shaping
from llamactl.proxy.access import Gate
from llamactl.proxy.asked import asked as read
from llamactl.proxy.connection import Connection
from llamactl.proxy.leaving import Leaving, give_up
from llamactl.proxy.naming import Moved
from llamactl.proxy.record import Journal
from llamactl.proxy.request import Request
from llamactl.proxy.upstream import Pool
from llamactl.supervisor import Supervisor

HANDSHAKE = 10.0
"""Seconds for TLS to be agreed upon."""


class Door:
    """Listens, and gives every connection what it needs.

    `resolve` finds a model by what a client calls it (raising `NotFound`), `web` is the path of the web face's socket.
    `spool` is a directory for large files on their way to a model; without one they are kept in memory.
    What `configure` says may change while it is open.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        resolve: Callable[[str], Model],
        web: str,
        *,
        spool: str = "",
        default: str = "",
        max_body: int = 100 << 20,
        drain: float = 30.0,
        connections: int = 0,
    ) -> None:
        self.supervisor = supervisor
        self.connections: set[Connection] = set()
        self.callers: Counter[str] = Counter()  # how many of the connections are from which address beyond this machine
        self.tick = 0  # seconds since the door opened; cheaper for every request than asking a clock
        self._resolve = resolve
        self._web_path = web
        self.spool = spool
        self.gate = Gate()
        self.journal = Journal()
        self.leaving = Leaving()
        self._sockets: list[socket.socket] = []
        self._tls: ssl.SSLContext | None = None
        self._servers: list[asyncio.Server] = []
        self._pools: dict[str, Pool] = {}
        self.configure(default=default, max_body=max_body, drain=drain, connections=connections)

    def configure(self, *, default: str, max_body: int, drain: float, connections: int = 0) -> None:
        """`default`: the model of a request that names none (empty: such a request is refused).

        `max_body` in bytes; `drain` seconds that requests under way are given when the door closes; so many
        `connections` may come from one address beyond this machine, 0 is no limit.
        """
        self._connections = connections
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
        """Of a request as it is to go there. Raises `BadRequest`, `NotFound`, or `Moved`."""
        head = request.head
        named, name = head.route.named, None
        if named == "body" and head.kind == b"application/json" and request.body:  # most are
            request.asked = asked = read(request.body)  # what it says is wanted again
            name = asked.model or naming.in_query(head.query)
        elif named == "body":
            name = naming.in_body(request.body, head.kind, head.content_type, head.query)
        elif named == "path":
            return self._through(request)
        else:
            name = naming.in_query(head.query)
        name = name or self._default
        if not name:
            raise BadRequest(
                "the request names no model and no default model is set",
                'put "model" into it, or: llamactl config set models.default NAME',
            )
        model = self._resolve(name)
        if model.shapes and named == "body":
            self._shape(request, model)
        return model

    def _shape(self, request: Request, model: Model) -> None:
        """Of forms there is nothing to be changed, nor of what has no body."""
        shape = model.shapes.get("")
        if shape is not None and request.body and naming.is_json(request.body, request.head.kind):
            values = {name: msgspec.json.encode(value) for name, value in shape.set.items()}
            request.body = shaping.edit(request.body, values, shape.strip)
            request.asked = None  # it may say something else now

    def _through(self, request: Request) -> Model:
        """For `/upstream/MODEL/…`, whose end is what the llama-server is asked for."""
        head = request.head
        model, path = naming.in_path(head.route.rest, self._resolve)
        if not path:  # a page at such an address would look for its parts in the wrong place
            raise Moved(head.path, head.query)
        request.target = path + head.target[len(head.path) :]
        return model

    async def serve(
        self,
        sockets: list[socket.socket],
        tls: ssl.SSLContext | None = None,
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Until cancelled; then requests under way may end. The sockets stay open, for another time.

        With `tls` it is spoken on all but Unix sockets.
        """
        self.leaving = Leaving()
        self._sockets, self._tls = sockets, tls
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
            tls = None if sock.family == socket.AF_UNIX else self._tls
            server = await loop.create_server(
                lambda: Connection(self),
                sock=sock.dup(),
                backlog=1024,
                ssl=tls,
                ssl_handshake_timeout=HANDSHAKE if tls else None,
            )
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

    def cancel(self, id: str) -> bool:
        """End the request with that id; false if there is none under way."""
        wanted = id.encode("latin-1", "replace")
        found = [connection for connection in self.connections if connection.asked == wanted]
        for connection in found:
            connection.give_up(Cancelled(f"request {id} was cancelled"))
        return bool(found)

    def entered(self, connection: Connection, address: str) -> bool:
        """False if there are too many from there. `address` is empty for this machine's."""
        self.connections.add(connection)
        if not address:
            return True
        self.callers[address] += 1
        return not self._connections or self.callers[address] <= self._connections

    def left(self, connection: Connection, address: str) -> None:
        self.connections.discard(connection)
        if address:
            self.callers[address] -= 1
            if not self.callers[address]:
                del self.callers[address]
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
