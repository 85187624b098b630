"""What is remembered of one request for a model, of those under way, and of those that have just ended.

All that is done here for each request and each piece of an answer is to note it: what it means is found out later, by
who takes what has ended (`Journal.take`).
"""

import os
from collections import deque
from itertools import count
from time import monotonic

import msgspec

from llamactl.core.requests import ModelRequest, RequestState, Usage
from llamactl.proxy import usage
from llamactl.proxy.capture import Capture, Captured

HEADER = b"X-Request-Id: %b\r\n"
ID = slice(HEADER.index(b"%"), -2)
"""The header that tells the id of a request, and where in it that stands."""

ROOM = 2048
"""Requests that may have ended and not been taken. Beyond that, which no llama-server can do in a second, the oldest
are forgotten."""

EVENTS_TAIL = 8 << 10
"""Bytes of the end of a stream of events that are kept: its last events. A larger one is kept as it came."""

SMALL = 4 << 10
"""Bytes of an answer up to which it is kept until somebody takes the record; of a larger one only what it says is."""


class Record(msgspec.Struct, eq=False):
    """Times are monotonic seconds: when it `arrived`, was `leased` a model, had a `first` byte
    of its answer, `ended`. `loading` is how long of the wait its model was loading.

    `status` is what the client was told, 0 if nothing; `error` the code of what went wrong. `events` counts those of a
    stream so far, `counted` is for who looks at them now and then.
    """

    id: bytes
    endpoint: str
    model: str
    client: str
    key: str
    arrived: float
    leased: float = 0.0
    first: float = 0.0
    ended: float = 0.0
    loading: float = 0.0
    status: int = 0
    events: int = 0
    counted: int = 0
    error: str = ""
    captured: Captured | None = None
    _stream: bool = False
    _size: int = 0
    _start: bytes = b""
    _tail: deque[bytes] | None = None
    _usage: Usage | None = None

    def answered(self, status: int, *, events: bool) -> None:
        """The head of the answer has come. `events`: its body is a stream of them."""
        self.status = status
        self.first = monotonic()
        if events:
            self._stream = True

    def whole(self, status: int, body: bytes) -> None:
        """The answer has come in one piece, and is no stream: most do, so this is `answered` and `take` in one."""
        self.status = status
        self.first = monotonic()
        self._start = body
        self._size = len(body)
        if self.captured is not None:
            self.captured.take(body)

    def take(self, data: bytes) -> None:
        """More of the body; framed in chunks, if it came so."""
        if self.captured is not None:
            self.captured.take(data)
        if self._stream:
            self.events += data.count(b"data: {")
        if not self._size:
            self._start = data
            self._size = len(data)
            return
        tail = self._tail
        if tail is None:
            tail = self._tail = deque((self._start,))
            self._start = self._start[: usage.START]
        if len(self._start) < usage.START:
            self._start += data[: usage.START - len(self._start)]
        tail.append(data)
        self._size += len(data)
        limit = EVENTS_TAIL if self._stream else usage.TAIL
        while self._size - len(tail[0]) >= limit:
            self._size -= len(tail.popleft())

    def forget(self) -> None:
        """What has come counts for nothing: it is asked once more."""
        self._start, self._tail, self._size = b"", None, 0
        self.events = self.counted = 0
        self.first = 0.0
        self._stream = False

    def settle(self) -> None:
        """Find out what the answer says of itself, and let go of it."""
        tail = self._start if self._tail is None else b"".join(self._tail)
        self._usage = usage.read(self._start[: usage.START], tail[-usage.TAIL :], events=self._stream)
        self._start, self._tail, self._size = b"", None, 0

    @property
    def state(self) -> RequestState:
        if self.ended:
            return "ended"
        return "answering" if self.leased else "waiting"

    def told(self, epoch: float) -> ModelRequest:
        """As it is now. `epoch` is when the monotonic clock was at zero, in seconds since 1970."""
        now = self.ended or monotonic()
        if self.ended and self._usage is None:
            self.settle()
        said = self._usage or _NOTHING
        rate, generated = said.generation_rate, said.generated_tokens
        if rate is None and self._stream and generated is not None and generated > 1 and now > self.first:
            rate = (generated - 1) / (now - self.first)
        return ModelRequest(
            id=self.id.decode("latin-1"),
            at=round(epoch + self.arrived, 3),
            model=self.model,
            endpoint=self.endpoint,
            client=self.client,
            key=self.key,
            state=self.state,
            status=self.status or None,
            error=self.error,
            queued=max(0.0, (self.leased or now) - self.arrived - self.loading),
            loading=self.loading,
            first=self.first - self.arrived if self.first else None,
            duration=now - self.arrived,
            prompt_tokens=said.prompt_tokens,
            cached_tokens=said.cached_tokens,
            generated_tokens=generated,
            draft_tokens=said.draft_tokens,
            accepted_tokens=said.accepted_tokens,
            prompt_rate=said.prompt_rate,
            generation_rate=rate,
            finish=said.finish,
        )


_NOTHING = Usage()


class Journal:
    """The requests under way, and those that have ended since somebody took them.

    `lost` are those that were forgotten before.
    """

    def __init__(self) -> None:
        self.under_way: set[Record] = set()
        self.lost = 0
        self.capture = Capture()
        self._ended: deque[Record] = deque(maxlen=ROOM)
        self._header = HEADER % (b"%b-%%x" % os.urandom(6).hex().encode())
        self._numbers = count(1)

    def header(self) -> bytes:
        """For a request that has no id: one that no other has, after a restart of the daemon either."""
        return self._header % next(self._numbers)

    def begin(self, id: bytes, endpoint: str, model: str, client: str, key: str = "") -> Record:
        record = Record(id, endpoint, model, client, key, monotonic())
        self.under_way.add(record)
        return record

    def end(self, record: Record) -> None:
        record.ended = monotonic()
        self.under_way.discard(record)
        if record._size > SMALL:
            record.settle()
        if len(self._ended) == ROOM:
            self.lost += 1
        self._ended.append(record)

    def ended(self) -> list[Record]:
        """In that order."""
        return list(self._ended)

    def take(self) -> list[Record]:
        """The same, and they are forgotten here."""
        ended = self.ended()
        self._ended.clear()
        return ended
