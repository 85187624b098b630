"""Servers behind the door: they answer as they are told, and remember what they were sent."""

import asyncio
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import Enum

from tests.proxy.wire import Sent, take_request

LENGTH = re.compile(rb"\r\nContent-Length: ([0-9]+)\r\n")


class Act(Enum):
    """`CLOSE` the connection; `HANG` until the door goes; `ECHO` what comes until then."""

    CLOSE = 1
    HANG = 2
    ECHO = 3


CLOSE, HANG, ECHO = Act
Step = bytes | Act | asyncio.Event
"""Bytes to send, an act, or an event to wait for."""
Play = Callable[[Sent], Iterable[Step]]
"""What follows upon a request."""


def sized(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """An answer with a length."""
    return _head(status, *headers, f"Content-Length: {len(body)}") + body


def chunked(*pieces: bytes, headers: tuple[str, ...] = ("Content-Type: text/plain",)) -> bytes:
    """An answer in chunks, the last of them included."""
    return chunked_head(*headers) + b"".join(map(chunk, pieces)) + b"0\r\n\r\n"


def chunked_head(*headers: str) -> bytes:
    return _head("200 OK", *headers, "Transfer-Encoding: chunked")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def until_close(body: bytes, version: str = "1.1") -> tuple[Step, ...]:
    """An answer that ends with its connection."""
    return _head("200 OK", "Content-Type: text/plain", version=version) + body, CLOSE


EVENTS = "Content-Type: text/event-stream"
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def event(text: str) -> bytes:
    return b"data: %b\n\n" % text.encode()


def echo(request: Sent) -> Iterable[Step]:
    """The body if there is one, else the target."""
    return [sized(request.body or request.target)]


def always(*steps: Step) -> Play:
    return lambda _: steps


def in_turn(*plays: Play) -> Play:
    """One for each request; the last for all that follow."""
    left = list(plays)
    return lambda request: (left.pop(0) if len(left) > 1 else left[0])(request)


def _head(status: str, *headers: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"HTTP/{version} {status}", *headers, "\r\n"]).encode()


class Visit:
    """One connection from the door: all it has `received`, and whether the door is `gone`."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.received = bytearray()
        self.requests: list[Sent] = []
        self.gone = asyncio.Event()
        self.gone_at = 0.0
        self.sent = 0
        self.writer = writer
        self._seen = 0
        self._news = asyncio.Event()

    async def read(self, reader: asyncio.StreamReader, listening: asyncio.Event) -> None:
        with suppress(ConnectionError):
            while await listening.wait() and (data := await reader.read(1 << 16)):
                self.received += data
                self._news.set()
        self.gone_at = asyncio.get_running_loop().time()
        self.gone.set()
        self._news.set()

    async def next(self) -> Sent | None:
        """The next request; None when the door is gone."""
        while self._incomplete() or (taken := take_request(bytes(self.received[self._seen :]))) is None:
            if self.gone.is_set():
                return None
            await self._more()
        self._seen = len(self.received) - len(taken[1])
        self.requests.append(taken[0])
        return taken[0]

    async def act(self, step: Step) -> bool:
        """False when it was the last."""
        if isinstance(step, bytes):
            self.writer.write(step)
            await self.writer.drain()
            self.sent += len(step)
        elif isinstance(step, asyncio.Event):
            await self._either(step)
        elif step is HANG:
            await self.gone.wait()
        elif step is ECHO:
            await self._echo()
        return not self.gone.is_set() and not isinstance(step, Act)

    def _incomplete(self) -> bool:
        """For certain: so that a large body is not looked at again with each piece of it."""
        end = self.received.find(b"\r\n\r\n", self._seen)
        length = LENGTH.search(self.received, self._seen, max(0, end) + 2)
        return end < 0 or (length is not None and len(self.received) < end + 4 + int(length[1]))

    async def _echo(self) -> None:
        while not self.gone.is_set():
            data, self._seen = bytes(self.received[self._seen :]), len(self.received)
            self.writer.write(data)
            await self.writer.drain()
            if self._seen == len(self.received):
                await self._more()

    async def _more(self) -> None:
        self._news.clear()
        await self._news.wait()

    async def _either(self, event: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(each.wait()) for each in (event, self.gone)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


class FakeUpstream:
    """Listens on `path`; plays `play` for each request, and closes after `keep_alive` of them on one connection.

    While `listening` is cleared it reads nothing.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.play: Play = echo
        self.keep_alive = 0
        self.visits: list[Visit] = []
        self.requests: list[Sent] = []
        self.listening = asyncio.Event()
        self.listening.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, backlog: int = 1024) -> None:
        self._server = await asyncio.start_unix_server(self._visited, self.path, backlog=backlog, limit=1 << 20)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def received(self) -> list[bytes]:
        """By connection."""
        return [bytes(visit.received) for visit in self.visits]

    @property
    def open_visits(self) -> list[Visit]:
        return [visit for visit in self.visits if not visit.gone.is_set()]

    def _visited(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = Visit(writer)
        self.visits.append(visit)
        for work in (visit.read(reader, self.listening), self._serve(visit)):
            task = asyncio.get_running_loop().create_task(work)
            self._tasks.add(task)

    async def _serve(self, visit: Visit) -> None:
        try:
            with suppress(ConnectionError):
                while (request := await visit.next()) is not None:
                    self.requests.append(request)
                    for step in self.play(request):
                        if not await visit.act(step):
                            return
                    if len(visit.requests) == self.keep_alive:
                        return
        finally:
            visit.writer.close()
