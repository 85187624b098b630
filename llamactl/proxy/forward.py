"""One request through a lease: sent upstream, its answer spliced back as it comes."""

import re
from typing import TYPE_CHECKING

import httptools

from llamactl.core.errors import LlamactlError, UpstreamDied
from llamactl.proxy import dialects
from llamactl.proxy.request import Request
from llamactl.proxy.upstream import Pool, Upstream
from llamactl.supervisor import Lease

if TYPE_CHECKING:
    from llamactl.proxy.door import Connection

MAX_HEAD = 64 << 10
"""Bytes of an answer's head."""

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])[ \r]")
_FRAMING = re.compile(
    rb"\r\n(content-length|transfer-encoding|connection|keep-alive|upgrade)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE
)
_EVENTS = re.compile(rb"\r\ncontent-type:[ \t]*text/event-stream", re.IGNORECASE)


class _Chunks:
    """Where a chunked body ends, and its contents for those who cannot read chunks."""

    def __init__(self, head: bytes, *, keep: bool) -> None:
        self.done = False
        self.kept: list[bytes] = []
        if keep:
            self.on_body = self.kept.append
        self._parser = httptools.HttpResponseParser(self)
        self.feed(head)

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.done = True


class Forward:
    """Between one client's `Connection` and one `Upstream`.

    Ends in exactly one call of `client.finished`, unless the client goes first (`client_lost`).
    """

    __slots__ = (
        "_chunks", "_client", "_events", "_head", "_keep", "_lease", "_left", "_pool", "_request", "_retried",
        "_started", "_tail", "_upstream", "tunnel",
    )  # fmt: skip

    def __init__(self, client: "Connection", request: Request, pool: Pool, lease: Lease | None) -> None:
        self._client = client
        self._request = request
        self._pool = pool
        self._lease = lease
        self._upstream: Upstream | None = None
        self._head = b""  # of the answer, while it is not complete
        self._started = False  # the answer's head has gone to the client
        self._left: int | None = 0  # bytes of the body still to come; None: chunked, or until the end
        self._chunks: _Chunks | None = None
        self._events = False
        self._tail = b""
        self._keep = True  # the upstream connection may be used again
        self._retried = False
        self.tunnel = False
        if lease is not None:
            lease.on_revoked = self._revoked

    def start(self) -> None:
        """Ask for a connection; everything else follows."""
        self._pool.take(self)

    # --- upstream --------------------------------------------------------------------------------

    def connected(self, upstream: Upstream) -> None:
        if self._client.forward is not self:  # the client left while we were connecting
            self._pool.give_back(upstream)
            return
        self._upstream = upstream
        request = self._request
        if len(request.body) < 65536:
            upstream.transport.write(request.head() + request.body)
        else:
            upstream.transport.write(request.head())
            upstream.transport.write(memoryview(request.body))
        if self._client.paused:
            upstream.transport.pause_reading()

    def not_connected(self, error: OSError) -> None:
        if self._client.forward is self:
            self._fail(UpstreamDied(f"llama-server does not answer: {error.strerror or error}"))

    def received(self, data: bytes) -> None:
        if self._started:
            self._pass_on(data)
            return
        if self._head:
            data = self._head + data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._head = data
            if len(data) > MAX_HEAD:
                self._fail(UpstreamDied("llama-server's answer has a head without an end"))
            return
        self._answer(data[: end + 2], data[end + 4 :])

    def lost(self) -> None:
        upstream, self._upstream = self._upstream, None
        if self.tunnel or (self._started and self._left is None and self._chunks is None):
            self._finish(keep=False)  # such an answer ends with its connection
        elif upstream is not None and upstream.used and not self._head and not self._started and not self._retried:
            self._retried = True  # it was closed as too old at the very moment we took it
            self._pool.take(self, fresh=True)
        else:
            self._fail(UpstreamDied("llama-server went away before it had answered completely"))

    def hold(self) -> None:
        if self.tunnel:
            self._client.transport.pause_reading()

    def go_on(self) -> None:
        if self.tunnel:
            self._client.transport.resume_reading()

    def _answer(self, head: bytes, rest: bytes) -> None:
        """`head` up to and with the CRLF of its last line."""
        client, request = self._client, self._request
        status_line = _STATUS.match(head)
        if status_line is None:
            self._fail(UpstreamDied("what llama-server answered is not HTTP"))
            return
        status = int(status_line[2])
        length: int | None = None
        chunked = False
        for name, value in _FRAMING.findall(head):
            lower = name.lower()
            if lower == b"content-length":
                length = int(value) if value.isdigit() else 0
            elif lower == b"transfer-encoding":
                chunked = True
            elif lower == b"connection":
                self._keep = self._keep and value.strip().lower() != b"close"
        if 100 <= status < 200:
            self._informational(status, head, rest)
            return
        if request.method == b"HEAD" or status in (204, 304):
            self._left = 0
        elif chunked:
            self._left = None
            self._chunks = _Chunks(head + b"\r\n", keep=request.old)
        else:
            self._left = length
        if self._left is None and self._chunks is None:  # it ends with its connection, and so must ours
            client.closing, self._keep = True, False
        client.closing = client.closing or request.old
        self._events = chunked and not request.old and _EVENTS.search(head) is not None
        kept = _FRAMING.sub(b"", head[:-2])
        if chunked and not request.old:
            kept += b"\r\nTransfer-Encoding: chunked"
        elif length is not None and not chunked:
            kept += b"\r\nContent-Length: %d" % length
        kept += b"\r\nConnection: close\r\n\r\n" if client.closing or not request.keep_alive else b"\r\n\r\n"
        self._started = True
        self._head = b""
        if self._left is not None and len(rest) <= self._left:  # the common case: one write for all of it
            self._left -= len(rest)
            client.transport.write(kept + rest)
            if not self._left:
                self._finish(keep=self._keep)
            return
        client.transport.write(kept)
        if rest or self._left == 0:
            self._pass_on(rest)

    def _informational(self, status: int, head: bytes, rest: bytes) -> None:
        """101 opens the tunnel that was asked for; others (`103 Early Hints` …) are for us, not the client."""
        self._head = b""
        if status == 101 and self._request.upgrade:
            self._started = self.tunnel = True
            self._keep = False
            self._client.transport.write(head + b"\r\n" + rest)
            self._client.tunnelled()
        elif status == 101:
            self._fail(UpstreamDied("llama-server changed to a protocol nobody asked for"))
        else:
            self.received(rest)

    def _pass_on(self, data: bytes) -> None:
        client = self._client
        if self._chunks is not None:
            try:
                self._chunks.feed(data)
            except httptools.HttpParserError as error:
                self._fail(UpstreamDied(f"llama-server's answer is broken: {error}"))
                return
            if self._request.old:
                client.transport.write(b"".join(self._chunks.kept))
                self._chunks.kept.clear()
            else:
                client.transport.write(data)
                self._tail = data[-4:]
            if self._chunks.done:
                self._finish(keep=self._keep)
        elif self._left is None:
            client.transport.write(data)
        else:
            if len(data) > self._left:
                data = data[: self._left]
                self._keep = False
            self._left -= len(data)
            client.transport.write(data)
            if not self._left:
                self._finish(keep=self._keep)

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
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abandon()
        self._release()

    # --- the end ---------------------------------------------------------------------------------

    def _revoked(self) -> None:
        self._fail(UpstreamDied("the model was stopped while it answered", retry_after=1.0))

    def _fail(self, error: LlamactlError) -> None:
        """Say so if it can still be said; a started answer must not look complete."""
        client = self._client
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abandon()
        self._release()
        if not self._started:
            client.refuse(self._request, error)
            return
        if self._events and self._tail in (b"\n\n\r\n", b""):  # at the border of a chunk
            client.transport.write(dialects.error_event(error))
        client.closing = True
        client.finished(broken=True)

    def _finish(self, *, keep: bool) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            if keep:
                if self._client.paused:
                    upstream.transport.resume_reading()
                self._pool.give_back(upstream)
            else:
                upstream.abandon()
        self._release()
        self._client.finished()

    def _release(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.on_revoked = None
            lease.release()
