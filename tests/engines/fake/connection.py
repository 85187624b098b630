"""HTTP/1.1 as cpp-httplib speaks it, one client at a time."""

import contextlib
import hashlib
import itertools
import json
import select
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from tests.engines.fake.state import State

NOT_UNDERSTOOD = b"HTTP/1.1 400 Bad Request\r\nServer: llama.cpp\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Left(Exception):
    """The client went away, or is sent away."""


class Request:
    """`number` counts all requests, beginning with 1."""

    def __init__(self, head: bytes, number: int) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, self.version = first.split(" ")
        self.headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        self.body = b""
        self.number = number

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    def summary(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "path": self.path,
            "headers": self.headers,
            "body_length": len(self.body),
            "body_sha256": hashlib.sha256(self.body).hexdigest(),
        }


class Connection:
    """One client: requests one after the other, each of them handed to `respond`."""

    numbers = itertools.count(1)

    def __init__(
        self, client: socket.socket, state: State, respond: Callable[["Connection", Request, State], None]
    ) -> None:
        self.client = client
        self.state = state
        self.vices = state.vices
        self.respond = respond
        self.buffer = b""
        self.served = 0
        self.says_close = False
        self.ends = False

    def serve(self) -> None:
        with self.client, contextlib.suppress(Left, OSError):
            try:
                while not self.ends and (request := self.receive()):
                    self.answer(request)
            except ValueError as error:
                self.state.say(f"not understood: {error}")
                self.client.sendall(NOT_UNDERSTOOD)

    def receive(self) -> Request | None:
        self.buffer = b""  # whatever came too early is lost
        self.client.settimeout(self.vices.keepalive_timeout)
        while b"\r\n\r\n" not in self.buffer:
            if not self.fill():
                return None
        self.client.settimeout(None)
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        request = Request(head, next(self.numbers))
        self.served += 1
        self.says_close = request.header("connection").lower() == "close" or self.served >= self.vices.keepalive_max
        self.ends = self.says_close or request.version == "HTTP/1.0"
        if request.header("expect").lower() == "100-continue":
            self.client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request.header("transfer-encoding").lower() == "chunked":
            request.body = b"".join(self.chunks())
        else:
            request.body = self.exactly(int(request.header("content-length") or 0))
        return request

    def answer(self, request: Request) -> None:
        began = time.monotonic()
        self.state.busy.add(request.number)
        self.state.record("request", id=request.number, **request.summary())
        try:
            self.respond(self, request, self.state)
        except (Left, OSError):
            self.state.record("aborted", id=request.number, after=time.monotonic() - began)
            raise
        finally:
            self.state.busy.discard(request.number)
        self.state.record("answered", id=request.number, after=time.monotonic() - began)

    def chunks(self) -> Iterable[bytes]:
        while size := int(self.line().partition(b";")[0], 16):
            yield self.exactly(size)
            self.line()
        while self.line():
            pass

    def fill(self) -> bool:
        piece = self.client.recv(65536)
        self.buffer += piece
        return bool(piece)

    def line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            if not self.fill():
                raise Left
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def exactly(self, size: int) -> bytes:
        pieces = [self.buffer[:size]]
        self.buffer = self.buffer[size:]
        missing = size - len(pieces[0])
        while missing:
            if not (piece := self.client.recv(min(missing, 1 << 20))):
                raise Left
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def pause(self, seconds: float) -> None:
        """Let time pass; raises `Left` as soon as the client goes. SIGTERM ends all generation."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 or self.state.stopping.is_set():
            look = 0.02 if self.state.stopping.is_set() else min(left, 0.02)
            if select.select([self.client], [], [], look)[0]:
                if not self.client.recv(1, socket.MSG_PEEK):
                    raise Left
                time.sleep(look)  # something was sent too early: look again later

    def head(self, request: Request, status: str, kind: str, size: int | None) -> bytes:
        """The head of an answer; one without a size will be chunked."""
        closes = self.says_close or status[0] in "45"
        lines = [f"HTTP/1.1 {status}", "Server: llama.cpp", f"Access-Control-Allow-Origin: {request.header('origin')}"]
        lines += [f"Content-Type: {kind}"] if size is not None else ["X-Accel-Buffering: no", f"Content-Type: {kind}"]
        lines += ["Transfer-Encoding: chunked" if size is None else f"Content-Length: {size}"]
        lines += ["Connection: close" if closes else f"Keep-Alive: timeout=5, max={self.vices.keepalive_max}", "", ""]
        head = "\r\n".join(lines).encode("latin-1")
        if self.vices.close_after_headers and request.method == "POST":
            self.client.sendall(head)
            raise Left
        return head

    def reply(self, request: Request, answer: Any, status: str = "200 OK") -> None:
        """`answer` as JSON, or as it is if it is text."""
        plain = isinstance(answer, str)
        text = answer if plain else json.dumps(answer, separators=(",", ":"), ensure_ascii=False)
        body = text.encode()
        kind = "text/plain; version=0.0.4" if plain else "application/json; charset=utf-8"
        head = self.head(request, status, kind, len(body))
        if self.vices.crash_at == "mid_stream" and request.method == "POST":
            self.client.sendall(head + body[: len(body) // 2])
            self.state.crash_if("mid_stream")
        self.client.sendall(head if request.method == "HEAD" else head + body)

    def stream(self, request: Request, events: Iterable[bytes]) -> None:
        self.client.sendall(self.head(request, "200 OK", "text/event-stream", None))
        waiting = b""
        for event in events:
            waiting += event
            while waiting and len(waiting) >= (size := self.vices.chunk_size or len(waiting)):
                self.client.sendall(b"%x\r\n%b\r\n" % (size, waiting[:size]))
                waiting = waiting[size:]
        rest = b"%x\r\n%b\r\n" % (len(waiting), waiting) if waiting else b""
        self.client.sendall(rest + b"0\r\n\r\n")
        self.ends = True
