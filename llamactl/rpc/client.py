"""The near end: a blocking socket, no event loop, nothing imported that a quick command does not need."""

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from llamactl.core.errors import LlamactlError, TimedOut, Unreachable, from_problem
from llamactl.core.events import Numbered
from llamactl.rpc.calls import Call, Lost, Notice, Snapshot, Watch
from llamactl.rpc.messages import AGAIN, Response, question

A = TypeVar("A")

NO_DAEMON_HINT = "llamactl daemon start"
OTHER_VERSION_HINT = "is the daemon of the same version? llamactl version"


class _Notification(msgspec.Struct):
    params: msgspec.Raw


class _Again(Exception):
    """The daemon executes itself anew: the next one answers."""


class Client:
    """A connection to a daemon's control socket, the one at `path`; a context manager.

    Where the daemon executes itself anew meanwhile, the next one is asked what is still unanswered.

    Every method raises what the daemon answers as the error it is, `Unreachable` when nobody answers
    and `TimedOut` after `timeout` seconds without an answer (None: wait for ever).
    """

    def __init__(self, paths: list[str], timeout: float | None = None) -> None:
        """Connects to the first of `paths` where a daemon listens."""
        self._paths = paths
        self._timeout = timeout
        self._number = 0
        self._connect(timeout)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def call(self, call: Call[A]) -> A:
        found: A = _decoded(self.answer(call), call.answer_type())
        return found

    def answer(self, call: Call[Any]) -> msgspec.Raw:
        """As it came, whatever version of the daemon it came from."""
        asked, began = call, time.monotonic()
        self._socket.settimeout(self._timeout)
        while True:
            try:
                return self._ask(call)
            except _Again:
                waited = time.monotonic() - began
                self._connect_again(waited)
                call = asked.later(waited)

    def watch(self, since: int | None = None, types: tuple[str, ...] = ()) -> tuple[Snapshot, Iterator[Notice]]:
        """The present, then every event, as `Watch` says; this connection serves nothing else any more."""
        snapshot = self.call(Watch(since, types))
        return snapshot, self._notices(snapshot.last_event if since is None else since, types)

    def wait_for_end(self) -> None:
        """Until the daemon ends this connection. Raises `TimedOut`."""
        with contextlib.suppress(Unreachable, _Again):
            while True:
                self._line()

    def _notices(self, last: int, types: tuple[str, ...]) -> Iterator[Notice]:
        """Those after event number `last`."""
        while True:
            try:
                notice = _notice(_decoded(self._line(), _Notification).params)
            except _Again:
                self._connect_again()
                self.call(Watch(last, types))
                continue
            last = last + notice.lost if isinstance(notice, Lost) else max(last, notice.id)
            yield notice

    def _ask(self, call: Call[Any]) -> msgspec.Raw:
        """Raises `_Again`."""
        self._number += 1
        self._send(question(call, self._number))
        response: Response = _decoded(self._line(), Response)
        if isinstance(response.error, msgspec.UnsetType):
            if isinstance(response.result, msgspec.UnsetType):
                raise LlamactlError("the daemon's answer has neither result nor error", OTHER_VERSION_HINT)
            return response.result
        if response.error.data is not None:
            raise from_problem(response.error.data)
        raise LlamactlError(response.error.message, OTHER_VERSION_HINT)

    def _connect(self, timeout: float | None) -> None:
        self._socket, self.path = _connection(self._paths, timeout)
        self._lines = self._socket.makefile("rb")

    def _connect_again(self, waited: float = 0.0) -> None:
        """So many seconds of the timeout are over."""
        self.close()
        self._connect(None if self._timeout is None else max(self._timeout - waited, 0.001))

    def _send(self, line: bytes) -> None:
        try:
            self._socket.sendall(line)
        except BrokenPipeError:
            pass  # why, is to be read
        except OSError as error:
            raise Unreachable(f"the daemon went away: {error}", NO_DAEMON_HINT) from None

    def _line(self) -> bytes:
        try:
            line = self._lines.readline()
        except TimeoutError:
            raise TimedOut(f"no answer from the daemon within {self._timeout:g} s", "llamactl daemon status") from None
        except OSError as error:
            raise Unreachable(f"the daemon went away: {error}", NO_DAEMON_HINT) from None
        if line == AGAIN:
            raise _Again
        if not line.endswith(b"\n"):
            raise Unreachable("the daemon went away before it answered", NO_DAEMON_HINT)
        return line


def _notice(params: msgspec.Raw) -> Notice:
    try:
        return msgspec.json.decode(params, type=Lost)
    except msgspec.DecodeError:
        notice: Numbered = _decoded(params, Numbered)
        return notice


def _decoded(text: bytes | msgspec.Raw, kind: Any) -> Any:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LlamactlError(f"the daemon's answer cannot be understood: {error}", OTHER_VERSION_HINT) from None


def _connection(paths: list[str], timeout: float | None) -> tuple[socket.socket, str]:
    refused = ""
    for path in paths:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        try:
            connection.connect(path)
            return connection, path
        except OSError as error:
            if not isinstance(error, FileNotFoundError | ConnectionRefusedError):
                refused = f" ({path}: {error.strerror or error})"
            with contextlib.suppress(OSError):
                connection.close()
    raise Unreachable(f"no daemon listens on {' or '.join(paths)}{refused}", NO_DAEMON_HINT)
