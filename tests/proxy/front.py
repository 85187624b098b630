"""A door that is open, what stands behind it, and those who come to it."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, cast

import anyio
from anyio.abc import TaskStatus

from llamactl.core.errors import LlamactlError, NotFound
from llamactl.core.instance import Exit, Instance, Loading
from llamactl.core.model import Model
from llamactl.core.shape import Shape
from llamactl.proxy.access import Gate
from llamactl.proxy.door import Door
from llamactl.supervisor import Supervisor
from tests.proxy.gates import OpenGate
from tests.proxy.upstreams import LENGTH, FakeUpstream
from tests.proxy.wire import Answer, Malformed, take_answer

PATIENCE = 20.0
"""Seconds for a whole test; it takes milliseconds unless something hangs."""


class FakeLease:
    """`released`: how often it was given back."""

    def __init__(self, leases: "Leases", model: str, endpoint: str) -> None:
        self.leases = leases
        self.model = model
        self.endpoint = endpoint
        self.on_revoked: Callable[[], None] | None = None
        self.released = 0

    def loading(self, since: float) -> float:
        return 0.0

    def release(self) -> None:
        self.released += 1

    async def fate(self, patience: float) -> Exit | None:
        await anyio.lowlevel.checkpoint()
        return self.leases.fates.pop(0) if self.leases.fates else None

    def revoke(self) -> None:
        assert self.on_revoked is not None
        self.on_revoked()


class Leases:
    """In the place of the supervisor. A model in `loading` is waited for, one in `failing` is not to be had."""

    def __init__(self) -> None:
        self.endpoints: dict[str, str] = {}
        self.loading: dict[str, asyncio.Event] = {}
        self.failing: dict[str, LlamactlError] = {}
        self.granted: list[FakeLease] = []
        self.fates: list[Exit] = []  # how llama-servers end that hang up; by default they do not
        self.lines: tuple[str, ...] = ()
        self.waiting = 0
        self.priorities: list[int] = []
        self.on_grant: Callable[[FakeLease], object] = lambda _: None

    @property
    def out(self) -> list[FakeLease]:
        return [lease for lease in self.granted if not lease.released]

    def try_lease(self, name: str) -> FakeLease | None:
        if name in self.failing or name in self.loading:
            return None
        lease = FakeLease(self, name, self.endpoints[name])
        self.granted.append(lease)
        self.on_grant(lease)
        return lease

    def instance(self, name: str) -> Instance:
        return Instance(model=name, phase=Loading(monotonic() - 3, 1), eta=1.0)

    def last_lines(self, name: str) -> tuple[str, ...]:
        return self.lines

    def serving(self, name: str) -> object:
        return None if name in self.failing or name in self.loading else self

    async def lease(self, model: Model, *, priority: int = 0) -> FakeLease:
        self.priorities.append(priority)
        self.waiting += 1
        try:
            if model.name in self.loading:
                await self.loading[model.name].wait()
                self.loading.pop(model.name, None)
            else:
                await anyio.lowlevel.checkpoint()
        finally:
            self.waiting -= 1
        if model.name in self.failing:
            raise self.failing[model.name]
        lease = self.try_lease(model.name)
        assert lease is not None
        return lease


class Client:
    """Speaks bytes, is answered in `Answer`s."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._received = bytearray()

    def send(self, *data: bytes) -> None:
        self._writer.write(b"".join(data))

    async def sent(self) -> None:
        """All of it is on its way."""
        await self._writer.drain()

    async def ask(self, *data: bytes) -> Answer:
        self.send(*data)
        return await self.answer(data[0].partition(b" ")[0])

    async def answer(self, method: bytes = b"GET") -> Answer:
        while (taken := self._take_answer(method)) is None:
            if self._reader.at_eof():
                raise Malformed(f"the answer is cut off: {bytes(self._received[-200:])!r}")
            await self._read()
        answer, rest = taken
        self._received = bytearray(rest)
        return answer

    async def until(self, text: bytes) -> bytes:
        """What has come when `text` has."""
        seen = 0
        while (at := self._received.find(text, seen)) < 0:
            assert not self._reader.at_eof(), bytes(self._received[-200:])
            seen = max(0, len(self._received) - len(text))
            await self._read()
        return self._cut(at + len(text))

    async def take(self, size: int) -> bytes:
        """So many bytes."""
        while len(self._received) < size:
            assert not self._reader.at_eof(), len(self._received)
            await self._read()
        return self._cut(size)

    async def rest(self) -> bytes:
        """All until the door closes."""
        with suppress(ConnectionError):
            while not self._reader.at_eof():
                await self._read()
        return self._cut(len(self._received))

    @property
    def unsent(self) -> int:
        """Bytes that have not left, beyond what the kernel keeps."""
        return self._writer.transport.get_write_buffer_size()

    def hang_up(self) -> None:
        """Says no more, but listens."""
        self._writer.write_eof()

    def leave(self) -> None:
        self._writer.transport.abort()

    async def _read(self) -> None:
        self._received += await self._reader.read(1 << 18)

    def _cut(self, size: int) -> bytes:
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken

    def _take_answer(self, method: bytes) -> tuple[Answer, bytes] | None:
        """Looks at a long one only when its end may be there."""
        end = self._received.find(b"\r\n\r\n") + 4
        length = LENGTH.search(self._received, 0, end)
        is_long = len(self._received) - end > 10_000 and not self._reader.at_eof()
        if is_long and length is not None and len(self._received) < end + int(length[1]):
            return None
        if is_long and length is None and not self._received.endswith(b"\r\n\r\n"):
            return None
        return take_answer(bytes(self._received), method, closed=self._reader.at_eof())


class _Opening(TaskStatus[None]):
    def __init__(self) -> None:
        self.done = asyncio.Event()

    def started(self, value: None = None) -> None:
        self.done.set()


class Front:
    """`upstream` serves the models `a` and `b`, `web` everything else."""

    def __init__(
        self,
        door: Door,
        leases: Leases,
        upstream: FakeUpstream,
        web: FakeUpstream,
        listener: socket.socket,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.door = door
        self.leases = leases
        self.upstream = upstream
        self.web = web
        self._listener = listener
        self._tls = tls
        self.address = listener.getsockname()
        self._clients: list[Client] = []
        self._serving: asyncio.Task[None] | None = None

    async def client(self, *, narrow: bool = False, tls: ssl.SSLContext | None = None) -> Client:
        """A new connection; the kernel holds as little as possible of what has come for a `narrow` one."""
        sock = socket.socket()
        if narrow:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, self.address)
        name = None if tls is None else "localhost"
        limit = 1 << 14 if narrow else 1 << 20
        client = Client(*await asyncio.open_connection(sock=sock, limit=limit, ssl=tls, server_hostname=name))
        self._clients.append(client)
        return client

    async def ask(self, *data: bytes) -> Answer:
        """One request on a connection of its own."""
        client = await self.client()
        answer = await client.ask(*data)
        client.leave()
        return answer

    def pass_time(self, seconds: int) -> None:
        """As the door counts it."""
        for _ in range(seconds):
            self.door._sweep()

    def narrow_answers(self) -> None:
        """The kernel holds as little as possible of what the door has written to its clients."""
        for connection in self.door.connections:
            connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    async def settled(self) -> None:
        """Whatever can move has moved: for many rounds of the loop no byte more has come or gone."""
        still, before = 0, (0, 0)
        while still < 20:
            await asyncio.sleep(0.001)
            visits = self.upstream.visits + self.web.visits
            now = (
                sum(visit.sent + len(visit.received) for visit in visits),
                sum(client.unsent for client in self._clients),
            )
            still, before = (still + 1 if now == before else 0), now

    async def open(self) -> None:
        """For connections, once more or for the first time."""
        opening = _Opening()
        serving = self.door.serve([self._listener], self._tls, task_status=opening)
        self._serving = asyncio.get_running_loop().create_task(serving)
        await opening.done.wait()

    async def close(self) -> None:
        """Returns when the door is closed."""
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait([self._serving])
            assert self._serving.cancelled()

    def everybody_leaves(self) -> None:
        for client in self._clients:
            client.leave()


async def until(condition: Callable[[], object]) -> None:
    """Bounded by the patience for the whole test."""
    while not condition():  # noqa: ASYNC110  # there is no event for whatever may be asked here
        await asyncio.sleep(0.001)


@asynccontextmanager
async def opened(
    directory: Path,
    *,
    drain: float = 0.0,
    default: str = "",
    backlog: int = 1024,
    tls: ssl.SSLContext | None = None,
    gate: Gate | None = None,
    **options: Any,
) -> AsyncIterator[Front]:
    """A door; `options` are its own. When it is closed nothing may be left: no lease, connection or task."""
    loop = asyncio.get_running_loop()
    before = asyncio.all_tasks()
    problems: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: problems.append(context))
    upstream, web = FakeUpstream(str(directory / "up.sock")), FakeUpstream(str(directory / "web.sock"))
    leases = Leases()
    leases.endpoints = dict.fromkeys("ab", upstream.path)
    door = Door(cast(Supervisor, leases), _resolve, web.path, default=default, drain=drain, **options)
    door.gate = gate or OpenGate()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        front = Front(door, leases, upstream, web, listener, tls)
        await upstream.open(backlog)
        await web.open()
        await front.open()
        try:
            with anyio.fail_after(PATIENCE):
                yield front
                front.everybody_leaves()
                await until(lambda: not leases.out and not leases.waiting and not door.connections)
        finally:
            front.everybody_leaves()
            with anyio.fail_after(PATIENCE):
                await front.close()
                await upstream.close()
                await web.close()
                await until(lambda: asyncio.all_tasks() <= before)
    assert [lease.released for lease in leases.granted] == [1] * len(leases.granted), "given back more than once"
    assert not problems, problems


def _resolve(name: str) -> Model:
    if name == "a:shaped":
        return Model(name="a", path="/models/a.gguf", size=4, shapes={"": Shape({"seed": 1}, ("top_k",))})
    if name not in ("a", "b"):
        raise NotFound(f"no model is called {name}", "llamactl models ls")
    return Model(name=name, path=f"/models/{name}.gguf", size=4)
