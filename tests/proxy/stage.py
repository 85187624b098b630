"""One connection through the door, in memory: every piece arrives as the test cuts it, thousands of times a second."""

import asyncio
from collections import deque
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, cast

from llamactl.core.model import Model
from llamactl.proxy.connection import Connection
from llamactl.proxy.door import Door
from llamactl.proxy.upstream import Exchange, Pool, Upstream
from llamactl.supervisor import Supervisor
from tests.proxy.front import Leases
from tests.proxy.gates import OpenGate
from tests.proxy.upstreams import CLOSE, ECHO, Play
from tests.proxy.wire import take_request


class Line(asyncio.Transport):
    """A transport without a socket: `sent` is what the protocol wrote, `deliver` what comes from the other side."""

    def __init__(self, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
        self.sent = bytearray()
        self.due: deque[bytes] = deque()
        self.reading = True
        self.closing = False
        self._protocol = protocol
        self._lost = False

    def step(self) -> bool:
        """One piece of what is due arrives. False if there was nothing to do."""
        if self.closing:
            if not self._lost:
                self._lost = True
                cast(asyncio.Protocol, self._protocol).connection_lost(None)
                return True
            return False
        if not self.due or not self.reading:
            return False
        data = self.due.popleft()
        if isinstance(self._protocol, asyncio.BufferedProtocol):
            place = memoryview(self._protocol.get_buffer(-1))
            count = min(len(place), len(data))
            place[:count] = data[:count]
            if data[count:]:
                self.due.appendleft(data[count:])
            self._protocol.buffer_updated(count)
        else:
            cast(asyncio.Protocol, self._protocol).data_received(data)
        return True

    def write(self, data: Any) -> None:
        if not self.closing:
            self.sent += data

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        self.closing = True

    abort = close

    def is_closing(self) -> bool:
        return self.closing

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.closing = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_reading(self) -> bool:
        return self.reading

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol


class Cutter:
    """Cuts a stream of bytes at these places, counted from its beginning."""

    def __init__(self, places: Iterable[int]) -> None:
        self._places = sorted(places)
        self._at = 0

    def __call__(self, data: bytes) -> list[bytes]:
        start, self._at = self._at, self._at + len(data)
        cuts = [0, *(place - start for place in self._places if start < place < self._at), len(data)]
        return [data[a:b] for a, b in pairwise(cuts)]


class FarEnd:
    """A server behind the door: one connection to it. `received` is every request, to the byte."""

    def __init__(self, stage: "Stage", upstream: Upstream) -> None:
        self.line = Line(upstream)
        self._stage = stage
        self._seen = 0
        self._ends = False
        self._echoes = False

    def step(self) -> bool:
        if self.line.step():
            return True
        if self._ends and not self.line.due and not self.line.closing:
            self.line.close()
            return True
        if self._echoes and len(self.line.sent) > self._seen:
            data, self._seen = bytes(self.line.sent[self._seen :]), len(self.line.sent)
            self.line.due += self._stage.cut_answers(data)
            return True
        taken = None if self._ends or self._echoes else take_request(bytes(self.line.sent[self._seen :]))
        if taken is None:
            return False
        end = len(self.line.sent) - len(taken[1])
        self._stage.received.append(bytes(self.line.sent[self._seen : end]))
        self._seen = end
        for step in self._stage.play(taken[0]):
            if isinstance(step, bytes):
                self.line.due += self._stage.cut_answers(step)
            self._ends = self._ends or step is CLOSE
            self._echoes = self._echoes or step is ECHO
        return True


class StagePool(Pool):
    """Connects in memory."""

    def __init__(self, path: str, stage: "Stage") -> None:
        super().__init__(path)
        self.stage = stage

    def take(self, exchange: Exchange, *, fresh: bool = False) -> None:
        if self.idle and not fresh:
            super().take(exchange)
        else:
            self.stage.connecting.append((self, exchange))


class Stage:
    """`play` is what all servers do. `received` are the requests that reached them."""

    def __init__(self, play: Play, answer_cuts: Iterable[int] = ()) -> None:
        self.play = play
        self.cut_answers = Cutter(answer_cuts)
        self.received: list[bytes] = []
        self.connecting: list[tuple[StagePool, Exchange]] = []
        self.leases = Leases()
        self.leases.endpoints = {"a": "up"}
        self._ends: list[FarEnd] = []
        self.door = Door(cast(Supervisor, self.leases), lambda name: Model(name=name, path="/a", size=1), "web")
        self.door.gate = OpenGate()
        for path in ("up", "web"):
            self.door._pools[path] = StagePool(path, self)
        connection = Connection(self.door)
        self.client = Line(connection)
        connection.connection_made(self.client)

    def send(self, pieces: Iterable[bytes]) -> bytes:
        """What the client has been sent when all of these have arrived, each after what the one before led to."""
        for piece in pieces:
            self.client.due.append(piece)
            while self._step():
                pass
        return bytes(self.client.sent)

    def _step(self) -> bool:
        if self.connecting:
            pool, exchange = self.connecting.pop(0)
            upstream = Upstream(pool)
            self._ends.append(FarEnd(self, upstream))
            upstream.connection_made(self._ends[-1].line)
            upstream.exchange = exchange
            exchange.connected(upstream)
            return True
        return self.client.step() or any(end.step() for end in self._ends)
