"""A request that is asked for as a stream, though the client is to be answered at once and whole."""

import re
from typing import cast

import httptools

from llamactl.core.errors import UpstreamDied
from llamactl.proxy import failures
from llamactl.proxy.answer import Answer
from llamactl.proxy.dialects import REASONS
from llamactl.proxy.forward import Chunks, Forward
from llamactl.proxy.gather import Gather, Unexpected, gather

_STREAMED = re.compile(rb"(?i)\r\ncontent-type:[ \t]*text/event-stream[^\r]*")
_UNBUFFERED = re.compile(rb"(?i)\r\nx-accel-buffering:[^\r]*")  # said of streams only


class Gathering(Forward):
    """What is no stream of events (an error, or an answer all the same) is passed on as it comes.

    Nothing of a stream goes to the client before its end, so that whatever goes wrong has a status of its own.
    """

    _gather: Gather | None = None
    _head: Answer = cast(Answer, None)  # of the stream

    def _begun(self, answer: Answer, length: int, data: bytes, start: int) -> None:
        if self.streamed is not None and answer.status == 200:
            if answer.events:
                self._begin_gathering(answer, data[start:])
                return
            self._pool.plain = True  # it does not stream: to ask for it changes bodies in vain
        waiting = self._client.waiting
        if waiting is None or not waiting.begun:
            super()._begun(answer, length, data, start)
        else:
            self._follow(answer, length, data, start)

    def _begin_gathering(self, answer: Answer, data: bytes) -> None:
        self._head = answer
        self._gather = gather(self._request.path)
        self._chunks = Chunks(keep=True)
        if self._request.record is not None:
            self._request.record.answered(self._request.record.status, events=True)  # the client is told none yet
        self._take(self._gather, self._chunks, data)

    def _follow(self, answer: Answer, length: int, data: bytes, start: int) -> None:
        """White space has gone before it, and a head: of the answer there is only its body to come."""
        body, record = data[start:], self._request.record
        if not answer.sized:
            self.fail(UpstreamDied("llama-server answered in a way that cannot follow upon white space"))
        elif len(body) < length:
            self._received = data
        else:
            if record is not None:
                record.answered(record.status, events=False)
                record.take(body)
            self._answer_with(answer.status, body)

    def received(self, data: bytes) -> None:
        if self._gather is not None and self._chunks is not None:
            self._take(self._gather, self._chunks, data)
        else:
            super().received(data)

    def _take(self, gather: Gather, chunks: Chunks, data: bytes) -> None:
        self._tail = data  # it goes on
        if self._request.record is not None:
            self._request.record.take(data)
        try:
            chunks.feed(data)
            for piece in chunks.kept:
                gather.feed(piece)
            chunks.kept.clear()
            if gather.failure is not None:
                self._answer_with(gather.status, gather.failure)
            elif chunks.done:
                body = gather.body()
                if body is None:
                    self.fail(UpstreamDied("llama-server ended its answer before it was complete"))
                else:
                    self._answer_with(200, body)
        except httptools.HttpParserError as error:
            self.fail(UpstreamDied(f"the answer of llama-server is broken: {error}"))
        except Unexpected:
            self._ask_without()

    def _answer_with(self, status: int, body: bytes) -> None:
        client, head = self._client, self._request.head
        record = self._request.record
        if record is not None and record.captured is not None:
            record.captured.instead(body)
        waiting = client.waiting
        if waiting is not None and waiting.begun:
            if record is not None and status != 200:  # which is what the client was told
                record.error = failures.answered(status, body).code
            waiting.finish(body)
            self._finish()
            return
        if record is not None:
            record.status = status
        client.closing = client.closing or head.old or not head.keep_alive
        wire = _STREAMED.sub(b"\r\nContent-Type: application/json; charset=utf-8", self._head.wire)
        wire = _UNBUFFERED.sub(b"", wire)
        if status != 200:
            reason = REASONS.get(status, "Error").encode()
            wire = b"HTTP/1.1 %d %b%b" % (status, reason, wire[wire.index(b"\r\n") :])
        ending = b"Connection: close\r\n" if client.closing else b""
        head_lines = wire + client.added
        client.transport.write(b"%bContent-Length: %d\r\n%b\r\n%b" % (head_lines, len(body), ending, body))
        chunks = self._chunks
        self._finish(keep=chunks is not None and chunks.done and self._head.keep)

    def _ask_without(self) -> None:
        """As the client did; and so for all that come after it."""
        self._pool.plain = True
        self.streamed = None
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abandon()
        self._gather = self._chunks = None
        self._received = b""
        if self._request.record is not None:
            self._request.record.forget()
        self._pool.take(self)

    def lost(self) -> None:
        if self._gather is None:
            super().lost()
        else:
            self._upstream, self._hinted = None, True
            self._bereft(UpstreamDied("llama-server went away before it had answered completely"))
