"""The near end: a blocking socket, no event loop, nothing imported that a quick command does not need."""

import contextlib
import socket
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from llamactl.core.errors import LlamactlError, TimedOut, Unreachable, from_problem
from llamactl.rpc.calls import Call, Notice, Snapshot, Watch
from llamactl.rpc.messages import Response, question

A = TypeVar("A")

NO_DAEMON_HINT = "llamactl daemon start"


class _Notification(msgspec.Struct):
    params: Notice | None = None


class Client:
    """One connection to a daemon's control socket; a context manager.

    Every method raises what the daemon answers as the error it is, `Unreachable` when nobody answers
    and `TimedOut` after `timeout` seconds without an answer (None: wait for ever).
    """

    def __init__(self, paths: list[str], timeout: float | None = None) -> None:
        """Connects to the first of `paths` where a daemon listens."""
        self._timeout = timeout
        self._number = 0
        self._socket = _connect(paths, timeout)
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def call(self, call: Call[A]) -> A:
        self._number += 1
        self._send(question(call, self._number))
        response = msgspec.json.decode(self._line(), type=Response)
        if isinstance(response.error, msgspec.UnsetType):
            if isinstance(response.result, msgspec.UnsetType):
                raise LlamactlError("the daemon's answer has neither result nor error")
            answer: A = msgspec.json.decode(response.result, type=call.answer_type())
            return answer
        if response.error.data is not None:
            raise from_problem(response.error.data)
        hint = "is the daemon of the same version? llamactl version"
        raise LlamactlError(response.error.message, hint)

    def watch(self) -> tuple[Snapshot, Iterator[Notice]]:
        """The present, then every event; this connection serves nothing else any more."""
        return self.call(Watch()), self._notices()

    def _notices(self) -> Iterator[Notice]:
        while True:
            notice = msgspec.json.decode(self._line(), type=_Notification).params
            if notice is not None:
                yield notice

    def _send(self, line: bytes) -> None:
        try:
            self._socket.sendall(line)
        except OSError as error:
            raise Unreachable(f"the daemon went away: {error}", NO_DAEMON_HINT) from None

    def _line(self) -> bytes:
        try:
            line = self._lines.readline()
        except TimeoutError:
            raise TimedOut(f"no answer from the daemon within {self._timeout:g} s", "llamactl daemon status") from None
        except OSError as error:
            raise Unreachable(f"the daemon went away: {error}", NO_DAEMON_HINT) from None
        if not line.endswith(b"\n"):
            raise Unreachable("the daemon went away before it answered", NO_DAEMON_HINT)
        return line


def _connect(paths: list[str], timeout: float | None) -> socket.socket:
    refused = ""
    for path in paths:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        try:
            connection.connect(path)
            return connection
        except OSError as error:
            if not isinstance(error, FileNotFoundError | ConnectionRefusedError):
                refused = f" ({path}: {error.strerror or error})"
            with contextlib.suppress(OSError):
                connection.close()
    raise Unreachable(f"no daemon listens on {' or '.join(paths)}{refused}", NO_DAEMON_HINT)
