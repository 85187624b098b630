"""The near end of a daemon over HTTP: one WebSocket for calls and for what happens."""

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeVar

import msgspec
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from llamactl.core.errors import LlamactlError, Problem, TimedOut, Unreachable, from_problem
from llamactl.core.events import Numbered
from llamactl.rpc.calls import Call, Lost, Notice, Snapshot
from llamactl.rpc.messages import LONGEST

A = TypeVar("A")

PATH = "/llamaproxws"
PAUSES, LONGEST_PAUSE = (1.0, 2.0, 4.0, 8.0, 16.0), 30.0
"""Seconds before each try to come back; and after those."""
PATIENCE = 10.0
"""Seconds for a connection to be made."""


class _Message(msgspec.Struct):
    type: str
    data: msgspec.Raw
    requestId: str | int | None = None  # as it is on the wire


class Remote:
    """A connection to a daemon at an `http://` or `https://` URL; a context manager, like `rpc.client.Client`.

    `key` is shown to it, `told` is given the state of the connection in words when that changes.
    """

    def __init__(
        self,
        url: str,
        timeout: float | None = None,
        key: str = "",
        told: Callable[[str], object] = lambda _: None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._told = told
        self._sleep = sleep
        self._number = 0
        self._open = ExitStack()
        self._connection = self._connect()

    def __enter__(self) -> "Remote":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._open.close()

    def call(self, call: Call[A]) -> A:
        found: A = _decoded(self.answer(call), call.answer_type())
        return found

    def answer(self, call: Call[Any]) -> msgspec.Raw:
        """As it came. What may be asked twice is asked again where the connection was lost."""
        began, asked = time.monotonic(), call
        while True:
            try:
                return self._ask("call", {"method": call.method, "params": call}, "result", began)
            except ConnectionClosed:
                if not asked.repeatable:
                    raise self._gone() from None
                self._connection = self._connect()
                call = asked.later(time.monotonic() - began)

    def watch(self, since: int | None = None, types: tuple[str, ...] = ()) -> tuple[Snapshot, Iterator[Notice]]:
        """The present, then every event, over all interruptions; this connection serves nothing else any more."""
        self._subscribe(since, types)
        snapshot: Snapshot = _decoded(self._until("snapshot"), Snapshot)
        return snapshot, self._notices(snapshot.last_event if since is None else since, types)

    def wait_for_end(self) -> None:
        """Until the daemon ends this connection."""
        try:
            while True:
                self._receive(time.monotonic())
        except ConnectionClosed:
            pass

    # --- one connection --------------------------------------------------------------------------

    def _connect(self) -> ClientConnection:
        self._open.close()
        try:
            opening = connect(
                f"ws{self._url.removeprefix('http')}{PATH}",
                additional_headers=self._headers,
                compression=None,
                max_size=LONGEST,
                open_timeout=PATIENCE if self._timeout is None else min(PATIENCE, self._timeout),
                close_timeout=1,
                proxy=None,
            )
            return self._open.enter_context(opening)
        except InvalidStatus as error:
            raise _refusal(error, self._url) from None
        except (OSError, InvalidHandshake, WebSocketException, ValueError, EOFError) as error:
            raise Unreachable(f"no daemon answers at {self._url}: {error}", way_out(error, self._url)) from None

    def _gone(self) -> Unreachable:
        return Unreachable(f"the daemon at {self._url} went away", "llamactl daemon status, there")

    def _send(self, type: str, data: object, number: int) -> None:
        self._connection.send(msgspec.json.encode({"type": type, "data": data, "requestId": number}), text=True)

    def _receive(self, began: float) -> _Message:
        left = None if self._timeout is None else max(0.0, self._timeout - (time.monotonic() - began))
        try:
            message: _Message = _decoded(self._connection.recv(left), _Message)
        except TimeoutError:
            said = f"no answer from the daemon at {self._url} within {self._timeout:g} s"
            raise TimedOut(said, "llamactl daemon status, there") from None
        return message

    def _ask(self, type: str, data: object, answer: str, began: float) -> msgspec.Raw:
        """Raises what it answers as the error it is."""
        self._number += 1
        self._send(type, data, self._number)
        while True:
            message = self._receive(began)
            if message.requestId == self._number:
                if message.type == answer:
                    return message.data
                raise from_problem(_decoded(message.data, Problem))

    def _until(self, type: str) -> msgspec.Raw:
        began = time.monotonic()
        while (message := self._receive(began)).type != type:
            pass
        return message.data

    # --- what happens ----------------------------------------------------------------------------

    def _subscribe(self, since: int | None, types: tuple[str, ...]) -> None:
        wanted = {"topics": ["events"], "since": since, "types": types or None}
        self._ask("subscribe", wanted, "subscribed", time.monotonic())

    def _notices(self, last: int, types: tuple[str, ...]) -> Iterator[Notice]:
        """Those after event number `last`."""
        self._timeout = None
        while True:
            try:
                message: _Message = _decoded(self._connection.recv(), _Message)
            except ConnectionClosed:
                self._come_back(last, types)
                continue
            if message.type == "event":
                numbered: Numbered = _decoded(message.data, Numbered)
                last = max(last, numbered.id)
                yield numbered
            elif message.type == "dropped":
                yield Lost(_decoded(message.data, dict[str, int])["count"])

    def _come_back(self, last: int, types: tuple[str, ...]) -> None:
        """For as long as it takes; the daemon may be away for hours."""
        tries = 0
        while True:
            if tries < len(PAUSES):
                self._told(f"reconnecting to {self._url} ({tries + 1}/{len(PAUSES)})")
            elif tries == len(PAUSES):
                self._told(f"disconnected from {self._url}; trying every {LONGEST_PAUSE:g} s")
            self._sleep(PAUSES[tries] if tries < len(PAUSES) else LONGEST_PAUSE)
            tries += 1
            try:
                self._connection = self._connect()
                self._subscribe(last, types)
            except (Unreachable, ConnectionClosed):
                continue
            self._told(f"connected to {self._url} again")
            return


def way_out(error: Exception, url: str) -> str:
    """What to try where no daemon was met at a URL, by what was met there."""
    scheme, _, place = url.partition("://")
    if isinstance(error, ssl.SSLCertVerificationError):
        return "export SSL_CERT_FILE=CERTIFICATE.pem, with one that you trust"
    if isinstance(error, ssl.SSLError):
        return f"llamactl -H http://{place}, if it has no TLS"
    if scheme == "http" and isinstance(error, InvalidMessage | ConnectionResetError | http.client.HTTPException):
        return f"llamactl -H https://{place}, if it has TLS; else it is no llamactl daemon"
    return "llamactl daemon start, there; or name another with -H"


def _decoded(text: str | bytes | msgspec.Raw, kind: Any) -> Any:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        hint = "is the daemon of the same version? llamactl version"
        raise LlamactlError(f"the daemon's answer cannot be understood: {error}", hint) from None


def _refusal(error: InvalidStatus, url: str) -> LlamactlError:
    """What it says, if it is ours; else that it is none of ours."""
    status = error.response.status_code
    try:
        said = json.loads(error.response.body or b"")["error"]
        problem = Problem(str(said.get("code") or said.get("type")), str(said["message"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Unreachable(f"what answers at {url} is no llamactl daemon: HTTP {status}", "check the address")
    if status in (502, 503, 504):  # the door is there, and what is behind it is not yet
        return Unreachable(problem.message, "llamactl daemon status, there")
    if status in (401, 403):
        problem = msgspec.structs.replace(problem, hint="export LLAMACTL_API_KEY=llk_…")
    found = from_problem(problem)
    return (
        found
        if type(found) is not LlamactlError
        else Unreachable(f"{url}: HTTP {status}: {problem.message}", "llamactl logs, there")
    )
