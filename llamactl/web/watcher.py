"""One WebSocket connection that is written to by the feed. Writing to it never waits."""

import asyncio
from collections import deque

from aiohttp import WSCloseCode, WSMsgType, web

from llamactl.core.access import Caller, matches
from llamactl.core.errors import LlamactlError, Unauthorized
from llamactl.core.events import Numbered, kind
from llamactl.core.lines import Level
from llamactl.web.envelope import Topic, envelope, frame

HIGH = 64 << 10
"""Bytes that wait to be sent: with more, the connection is taken for slow."""
ROOM = 500
"""Messages that wait for one that is slow; then the oldest are dropped."""
INTERVAL = 10.0
"""Seconds between two metrics, unless somebody wants another."""


class Message:
    """What is told to many: made into JSON and into a frame once."""

    __slots__ = ("frame", "payload")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.frame = frame(payload)


class Watcher:
    """`topics` are those that are subscribed to, each with the number of the event after which it goes on."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.WriteTransport, caller: Caller) -> None:
        self._socket = socket
        self._transport = transport
        self._waiting: deque[bytes] = deque()
        self._pumping: asyncio.Task[None] | None = None
        self.lost = 0
        self.caller = caller
        self.topics: dict[Topic, int] = {}
        self.models: tuple[str, ...] | None = None
        self.level: Level = "debug"
        self.types: frozenset[str] | None = None
        self.interval = INTERVAL
        self.due = 0.0

    def wants(self, topic: Topic, number: int) -> bool:
        after = self.topics.get(topic)
        return after is not None and (number > after or not number)

    def cares(self, model: str | None) -> bool:
        """What is about no model is for everybody, but not for a key that is limited to some."""
        if model is None:
            return self.caller.models is None
        return matches(self.models, model) and self.caller.uses(model)

    def of_type(self, numbered: Numbered) -> bool:
        """What passes is wanted by name only."""
        return kind(numbered.event) in self.types if self.types else numbered.id > 0

    @property
    def filtered(self) -> bool:
        return self.models is not None or self.caller.models is not None

    def send(self, message: Message) -> None:
        """At once, or as soon as there is room for it."""
        if self._pumping is None and self._transport.get_write_buffer_size() <= HIGH:
            if not self._transport.is_closing():
                self._transport.write(message.frame)
            return
        if len(self._waiting) >= ROOM:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(message.payload)
        if self._pumping is None:
            self._pumping = asyncio.get_running_loop().create_task(self._pump())

    async def tell(self, payload: bytes) -> None:
        """The same, but it waits where the other end is slow: for what one connection has asked for itself."""
        await self._socket.send_frame(payload, WSMsgType.TEXT)

    def close(self) -> None:
        if self._pumping is not None:
            self._pumping.cancel()

    async def end(self, why: LlamactlError) -> None:
        """Send it away: we go, or it is not wanted any more."""
        self.topics.clear()
        if isinstance(why, Unauthorized):
            await self.tell(envelope("error", why.problem()))
            await self._socket.close(code=WSCloseCode.POLICY_VIOLATION)
        else:
            await self._socket.close(code=WSCloseCode.GOING_AWAY)

    async def _pump(self) -> None:
        try:
            while self._waiting or self.lost:
                if self.lost:
                    lost, self.lost = self.lost, 0
                    await self.tell(envelope("dropped", {"count": lost}))
                else:
                    await self.tell(self._waiting.popleft())
        except ConnectionError:
            self._waiting.clear()
        finally:
            self._pumping = None
