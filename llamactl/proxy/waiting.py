"""Waiting made visible: what a client is told while a model loads for it or it queues.

A status is said as late as possible, so that a refusal is a real 429, 503 or 507: whatever can be decided at once
is, and so are most failed loads, for nothing is sent in the first `EVERY` seconds. Who waits longer for a stream is
answered 200 then, and a comment every so often; what goes wrong after that is an event, and the connection breaks off.
`X-Llamactl-Wait` asks for something else, and so may the key for whatever has no such header:

    comments    what has just been said
    reasoning   of chat/completions: the same as `reasoning_content`, for people who see no comments
    space       where no stream was asked for: white space before the JSON, and 200 whatever comes of it
    none        nothing before the answer
"""

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Literal

import msgspec

from llamactl.core import waiting
from llamactl.core.errors import LlamactlError
from llamactl.core.instance import Backoff, Instance, Loading, Starting, state
from llamactl.proxy import answer as answers
from llamactl.proxy import dialects, failures
from llamactl.proxy.answer import Answer
from llamactl.proxy.forward import Chunks, Forward
from llamactl.proxy.gather import as_stream, streams
from llamactl.proxy.request import Request

if TYPE_CHECKING:
    from llamactl.proxy.connection import Connection
    from llamactl.supervisor import Supervisor

EVERY = 4.5
"""Seconds; clients may count on something every 5."""
Way = Literal["comments", "reasoning", "space"]


class _Streams(msgspec.Struct):
    stream: bool = False


_streams = msgspec.json.Decoder(_Streams).decode


def way(request: Request, usual: str = "") -> Way | None:
    """How the client is to be told that it waits, if at all; `usual` is what their key says of that."""
    head, path = request.head, request.path
    lines = head.lines
    asked = next((lines[i + 2] for i in range(0, len(lines), 4) if lines[i].lower() == b"x-llamactl-wait"), None)
    asked = usual.encode() if asked is None else asked.strip().lower()
    if head.old or asked == b"none" or not streams(path):
        return None
    try:
        streaming = _streams(request.body).stream
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not streaming:
        return "space" if asked == b"space" and as_stream(path, request.body) is not None else None
    return "reasoning" if asked == b"reasoning" and path.endswith(b"chat/completions") else "comments"


def told(instance: Instance, now: float) -> str:
    """What there is to say to who waits for this model. `now` is on the clock of its phase."""
    phase = instance.phase
    passed = now - phase.since if isinstance(phase, Starting | Loading) else None
    next_try = phase.until - now if isinstance(phase, Backoff) else None
    return waiting.told(
        instance.model, state(phase), passed, instance.eta, instance.position, next_try, instance.loaded
    )


class Waiting:
    """Tells one client. `begun`: the head of an answer has gone to it."""

    def __init__(self, client: "Connection", request: Request, model: str, way: Way, supervisor: "Supervisor") -> None:
        self.begun = False
        self.way = way
        self._client = client
        self._request = request
        self._model = model
        self._supervisor = supervisor
        self._timer: asyncio.TimerHandle | None = None

    def go_on(self) -> None:
        self.end()
        self._timer = asyncio.get_running_loop().call_later(EVERY, self._tell)

    def end(self) -> None:
        """Nothing more is to be told."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def fail(self, error: LlamactlError) -> None:
        """What came of it; the answer is whole only where white space is its beginning."""
        dialect, record = self._request.head.route.dialect, self._request.record
        if record is not None:
            record.error = error.code
        if self.way == "space":
            self.finish(dialects.error_body(error, dialect=dialect))
        else:
            self._client.transport.write(dialects.error_event(error, dialect))

    def finish(self, body: bytes) -> None:
        self._client.transport.write(_chunk(body) + b"0\r\n\r\n")

    def _tell(self) -> None:
        self.go_on()
        client = self._client
        if client.paused:
            return
        if not self.begun:
            self.begun = True
            self._begin()
        client.transport.write(_chunk(self._piece()))

    def _begin(self) -> None:
        client = self._client
        client.closing = client.closing or not self._request.head.keep_alive
        kind = b"application/json; charset=utf-8" if self.way == "space" else b"text/event-stream"
        close = b"Connection: close\r\n" if client.closing else b""
        client.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%bTransfer-Encoding: chunked\r\n%b\r\n"
            % (kind, client.added, close)
        )
        if self._request.record is not None:
            self._request.record.status = 200

    def _piece(self) -> bytes:
        if self.way == "space":
            return b" "
        said = told(self._supervisor.instance(self._model), monotonic())
        if self.way == "comments":
            return f": {said}\n\n".encode()
        choice = {"index": 0, "delta": {"reasoning_content": said + "\n"}, "finish_reason": None}
        about = {"id": "waiting", "object": "chat.completion.chunk", "created": 0, "model": self._model}
        return b"data: %b\n\n" % msgspec.json.encode({"choices": [choice], **about})


class Announced(Forward):
    """The answer to one who has been told so long that he waits that its head has gone already."""

    def _begun(self, answer: Answer, length: int, data: bytes, start: int) -> None:
        rest = data[start:]
        if answer.status == 200 and answer.events:
            self._go_on(answer, rest)
        elif len(rest) < min(length, answers.MAX_HEAD):
            self._received = data
        else:
            self.fail(failures.answered(answer.status, rest))

    def _go_on(self, answer: Answer, rest: bytes) -> None:
        self._answer = answer
        self._chunks = Chunks(keep=False)
        record = self._record = self._request.record
        if record is not None:
            record.answered(answer.status, events=True)
        if rest:
            self._pass_on(rest)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
