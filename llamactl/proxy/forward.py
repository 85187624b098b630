"""One request through a lease: sent upstream, its answer spliced back as it comes."""

import asyncio
from typing import TYPE_CHECKING

import httptools
import msgspec

from llamactl.core.errors import LlamactlError, UpstreamDied
from llamactl.proxy import answer as answers
from llamactl.proxy import dialects, failures
from llamactl.proxy.answer import Answer
from llamactl.proxy.record import Record
from llamactl.proxy.request import Request
from llamactl.proxy.upstream import Pool, Upstream
from llamactl.supervisor import Lease

if TYPE_CHECKING:
    from llamactl.proxy.connection import Connection

EXPLAINED = 0.5
"""Seconds that the end of a stream may wait for the reason why it broke off."""
_ONE_WRITE = 64 << 10
"""Bytes of a body up to which copying it behind its head is cheaper than a write of its own."""


class Chunks:
    """Where a chunked body ends, and its contents for those who cannot read chunks."""

    def __init__(self, *, keep: bool) -> None:
        self.done = False
        self.kept: list[bytes] = []
        if keep:
            self.on_body = self.kept.append
        self._parser = httptools.HttpResponseParser(self)
        # The real head has been read already; this one says what matters here.
        self._parser.feed_data(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

    def feed(self, data: bytes) -> None:
        """Raises `httptools.HttpParserError`."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.done = True


class Forward(msgspec.Struct, eq=False):
    """Between one client's `Connection` and one `Upstream`, for which it asks the pool (`Pool.take`).

    `streamed` is the body that is sent instead of the client's, one that asks for a stream.

    Ends in exactly one call of `client.finished` or `client.refuse`, unless the client goes first
    (`client_lost`).
    """

    _client: "Connection"
    _request: Request
    _pool: Pool
    _lease: Lease | None
    streamed: bytes | None = None
    tunnel: bool = False
    _upstream: Upstream | None = None
    _received: bytes = b""  # of the answer's head, while that is not complete
    _tail: bytes = b""  # of its chunks
    _answer: Answer | None = None  # its head, once it has gone to the client
    _left: int | None = None  # bytes of the body still to come, where that is known
    _chunks: Chunks | None = None
    _retried: bool = False
    _hinted: bool = False
    _explaining: "asyncio.Task[None] | None" = None
    _record: Record | None = None  # once it is answered

    # --- upstream --------------------------------------------------------------------------------

    def connected(self, upstream: Upstream) -> None:
        if self._client.forward is not self:  # the client left while we were connecting
            self._pool.give_back(upstream)
            return
        self._upstream = upstream
        request = self._request
        body = self.streamed or request.body
        if isinstance(body, bytes) and len(body) < _ONE_WRITE:
            upstream.transport.write(request.wire(len(body)) + body)
        else:
            upstream.transport.write(request.wire(len(body)))
            upstream.transport.write(memoryview(body))
        if self._client.paused:
            upstream.transport.pause_reading()

    def not_connected(self, error: OSError) -> None:
        if self._client.forward is self:
            self._bereft(UpstreamDied(f"{self._behind} does not answer: {error.strerror or error}"))

    def received(self, data: bytes) -> None:
        if self._answer is not None or self.tunnel:
            self._pass_on(data)
            return
        if self._received:
            data = self._received + data
        end = data.find(b"\r\n\r\n")
        if end >= 0:
            read = answers.read(data, end)
            if read is None:
                self.fail(UpstreamDied(f"what {self._behind} answered is not HTTP"))
                return
            answer, length = read
            if answer.status < 200:
                self._informational(answer, data, end)
            else:
                self._begun(answer, length, data, end + 4)
        elif len(data) > answers.MAX_HEAD:
            self.fail(UpstreamDied(f"{self._behind} answered with a head without an end"))
        else:
            self._received = data

    def lost(self) -> None:
        upstream, self._upstream = self._upstream, None
        answer = self._answer
        if self.tunnel or (answer is not None and not answer.sized and not answer.chunked):
            self._finish()  # such an answer ends with its connection
        elif upstream is not None and upstream.used and not self._received and answer is None and not self._retried:
            self._retried = True  # it was closed as too old at the very moment we took it
            self._pool.take(self, fresh=True)
        else:
            self._bereft(UpstreamDied(f"{self._behind} went away before it had answered completely"))

    def _bereft(self, error: UpstreamDied) -> None:
        """Whoever was to answer is gone."""
        lease, answer = self._lease, self._answer
        if lease is None or self.tunnel or (answer is not None and not answer.events):
            self.fail(error)
            return
        if answer is not None:
            self._let_go(keep=False)
            self._explaining = asyncio.get_running_loop().create_task(self._explain(lease, error))
            return
        begun = bool(self._received) or self._hinted
        self._let_go(keep=False)
        self._client.bereft(self._request, lease, error, again=not begun)

    async def _explain(self, lease: Lease, error: UpstreamDied) -> None:
        """The last event of a stream that broke off says of what, if that is known soon."""
        exit = await lease.fate(EXPLAINED)
        self._explaining = None
        self.fail(error if exit is None else failures.died(error, exit))

    def _explain_no_more(self) -> None:
        explaining, self._explaining = self._explaining, None
        if explaining is not None:
            explaining.cancel()

    def hold(self) -> None:
        if self.tunnel:
            self._client.transport.pause_reading()

    def go_on(self) -> None:
        if self.tunnel:
            self._client.transport.resume_reading()

    def _begun(self, answer: Answer, length: int, data: bytes, start: int) -> None:
        """The final head has come: its body, of `length` if that is known, is `data[start:]` so far."""
        client, request = self._client, self._request
        record, rest = request.record, data[start:]
        if answer.sized and len(rest) == length and request.head.usual and not client.closing:
            # All of it is here, as it mostly is: one write.
            if record is not None:
                record.whole(answer.status, rest)
            elif answer.status == 403:
                client.denied()
            framing = b"Content-Length: %d\r\n\r\n" % length
            client.transport.write(b"".join((answer.wire, client.added, framing, rest)))
            self._finish(keep=answer.keep)
            return
        self._answer = answer
        self._record = record
        if record is not None:
            record.answered(answer.status, events=answer.events)
        elif answer.status == 403:
            client.denied()
        self._begin_other(answer, length)
        if rest or self._left == 0:
            self._pass_on(rest)

    def _begin_other(self, answer: Answer, length: int) -> None:
        client, head = self._client, self._request.head
        bodiless = head.method == b"HEAD" or answer.status in (204, 304)
        framing = b""
        if answer.chunked and not head.old:
            framing = b"Transfer-Encoding: chunked\r\n"
        elif answer.sized:
            framing = b"Content-Length: %d\r\n" % length
        if bodiless:
            self._left = 0
        elif answer.chunked:
            self._chunks = Chunks(keep=head.old)
        elif answer.sized:
            self._left = length
        else:
            client.closing = True  # it ends with its connection, and so must ours
        client.closing = client.closing or head.old or not head.keep_alive
        close = b"Connection: close\r\n" if client.closing else b""
        client.transport.write(b"%b%b%b%b\r\n" % (answer.wire, client.added, framing, close))

    def _informational(self, answer: Answer, data: bytes, end: int) -> None:
        """101 opens the tunnel that was asked for; others (`103 Early Hints` …) are for us, not the client."""
        self._received = b""
        self._retried = self._hinted = True  # it has begun to answer: it is not asked a second time
        if answer.status == 101 and self._request.head.upgrade:
            self.tunnel = True
            head = answer.wire + self._client.added
            self._client.transport.write(b"%bConnection: Upgrade\r\n\r\n%b" % (head, data[end + 4 :]))
            if self._request.record is not None:
                self._request.record.answered(answer.status, events=False)
            self._client.tunnelled()
        elif answer.status == 101:
            self.fail(UpstreamDied(f"{self._behind} changed to a protocol nobody asked for"))
        elif len(data) > end + 4:
            self.received(data[end + 4 :])

    def _pass_on(self, data: bytes) -> None:
        client = self._client
        if self._record is not None:
            self._record.take(data)
        if self._chunks is not None:
            self._pass_chunks(data, self._chunks)
        elif self._left is None:
            client.transport.write(data)
        else:
            excess = len(data) > self._left
            if excess:
                data = data[: self._left]
            self._left -= len(data)
            client.transport.write(data)
            if not self._left:
                self._finish(keep=not excess and self._answer is not None and self._answer.keep)

    def _pass_chunks(self, data: bytes, chunks: Chunks) -> None:
        try:
            chunks.feed(data)
        except httptools.HttpParserError as error:
            self.fail(UpstreamDied(f"the answer of {self._behind} is broken: {error}"))
            return
        if self._request.head.old:
            self._client.transport.write(b"".join(chunks.kept))
            chunks.kept.clear()
        else:
            self._client.transport.write(data)
            self._tail = (self._tail + data)[-4:] if len(data) < 4 else data[-4:]
        if chunks.done:
            self._finish(keep=self._answer is not None and self._answer.keep)

    @property
    def progress(self) -> object:
        """How far the answer is: another object whenever more of it has come. Nothing is counted for it."""
        if self._chunks is not None:
            return self._tail
        return self._received if self._answer is None else self._left

    @property
    def behind(self) -> str:
        """The socket of who is asked."""
        return self._pool.path

    # --- client ----------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """More from the client, through the tunnel."""
        if self._upstream is not None:
            self._upstream.transport.write(data)

    def pause(self) -> None:
        if self._upstream is not None:
            self._upstream.transport.pause_reading()

    def resume(self) -> None:
        if self._upstream is not None:
            self._upstream.transport.resume_reading()

    def client_lost(self) -> None:
        """Nobody wants the answer any more: llama-server stops when its connection closes."""
        self._explain_no_more()
        self._let_go(keep=False)

    @property
    def _behind(self) -> str:
        """Who is asked, for people."""
        return "the web face" if self._lease is None else "llama-server"

    # --- the end ---------------------------------------------------------------------------------

    @property
    def leased(self) -> bool:
        """A model is at work for it."""
        return self._lease is not None

    @property
    def stays(self) -> bool:
        """It is the answer to one who watches: it does not end by itself."""
        return self.tunnel or (self._answer is not None and self._answer.events)

    def revoked(self) -> None:
        self.fail(UpstreamDied("the model was stopped while it answered", retry_after=1.0))

    def fail(self, error: LlamactlError) -> None:
        """Say so if it can still be said; a started answer must not look complete."""
        self._explain_no_more()
        self._let_go(keep=False)
        client, answer = self._client, self._answer
        if answer is None and not self.tunnel:
            client.refuse(self._request, error)
            return
        if self._request.record is not None:
            self._request.record.error = error.code
        if answer is not None and answer.events and not self._request.head.old and self._tail in (b"\n\n\r\n", b""):
            dialect = self._request.head.route.dialect
            client.transport.write(dialects.error_event(error, dialect))  # at the border of a chunk
        client.finished(broken=True)

    def _finish(self, *, keep: bool = False) -> None:
        self._let_go(keep=keep)
        self._client.finished()

    def _let_go(self, *, keep: bool) -> None:
        """Of the connection and the lease."""
        upstream = self._upstream
        if upstream is not None:
            self._upstream = None
            if keep:
                if self._client.paused:
                    upstream.transport.resume_reading()
                self._pool.give_back(upstream)
            else:
                upstream.abandon()
        lease = self._lease
        if lease is not None:
            self._lease = None
            lease.release()
