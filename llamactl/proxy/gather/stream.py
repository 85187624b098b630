"""What all streams of llama-server have in common. (pure)"""

from abc import ABC, abstractmethod

import msgspec
from msgspec import Raw

ABSENT = Raw()
"""A member that is not there."""


class Unexpected(Exception):
    """This llama-server streams something that nothing is known of here: it is to be asked without."""


class Gather(ABC):
    """One answer. `failure` is what llama-server said went wrong when it had begun to stream."""

    def __init__(self) -> None:
        self._rest = b""
        self.failure: bytes | None = None

    def feed(self, data: bytes) -> None:
        """A piece of the event stream, cut anywhere. Raises `Unexpected`."""
        *events, self._rest = (self._rest + data).split(b"\n\n")
        for event in events:
            name = b""
            for line in event.split(b"\n"):
                if line.startswith(b"data: "):
                    self._take(name, line[6:])
                elif line.startswith(b"event: "):
                    name = line[7:]

    def _take(self, name: bytes, data: bytes) -> None:
        if self.failure is not None or data in (b"[DONE]", b"null"):
            return
        try:
            if name == b"error":
                self.failure = msgspec.json.encode({"error": Raw(data)})
            elif data.startswith(b'{"error":'):
                self.failure = data
            else:
                self.event(data)
        except (msgspec.MsgspecError, KeyError, IndexError) as error:
            raise Unexpected(f"{type(error).__name__}: {error}") from None

    @abstractmethod
    def event(self, data: bytes) -> None:
        """One more event, without what frames it. Raises `msgspec.MsgspecError` for what is none known here."""

    @abstractmethod
    def body(self) -> bytes | None:
        """The whole answer; None when the stream ended before it was complete."""

    @property
    def status(self) -> int:
        """Of `failure`, as llama-server would have answered it."""
        assert self.failure is not None
        try:
            return msgspec.json.decode(self.failure, type=_Failed).error.code
        except msgspec.MsgspecError:
            return 500


class _Failure(msgspec.Struct):
    code: int = 500


class _Failed(msgspec.Struct):
    error: _Failure
