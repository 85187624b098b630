"""What goes over a WebSocket: `{type, data, timestamp, requestId?}`, the timestamp in milliseconds since the epoch."""

import time
from typing import Annotated, Any, Literal

import msgspec

from llamactl.core.errors import BadRequest
from llamactl.core.lines import Level

Topic = Literal["metrics", "models", "logs", "status", "requests", "events"]

RequestId = str | int | None


class Subscribe(msgspec.Struct, frozen=True):
    """`since`: what happened after the event of this number is told first. `interval`: seconds between two metrics.

    `models` are globs; None is all. `level` is the least that lines of logs have. `types` are those of `events`, as in
    the call `watch`.
    """

    topics: tuple[Topic, ...]
    since: Annotated[int, msgspec.Meta(ge=0)] | None = None
    interval: Annotated[float, msgspec.Meta(ge=1, le=60)] | None = None
    models: tuple[str, ...] | None = None
    level: Level | None = None
    types: tuple[str, ...] | None = None


class Unsubscribe(msgspec.Struct, frozen=True):
    """Without topics: all."""

    topics: tuple[Topic, ...] | None = None


class Ask(msgspec.Struct, frozen=True):
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")


class Received(msgspec.Struct, frozen=True):
    type: str
    data: msgspec.Raw = msgspec.Raw(b"{}")
    requestId: RequestId = None  # as it is on the wire


class Sent(msgspec.Struct, frozen=True, omit_defaults=True):
    type: str
    data: Any
    timestamp: int
    requestId: RequestId = None


_encode = msgspec.json.Encoder().encode


def envelope(type: str, data: object, at: float | None = None, request: RequestId = None) -> bytes:
    """`at` in seconds since the epoch, now if it is not given."""
    return bytes(_encode(Sent(type, data, round(1000 * (time.time() if at is None else at)), request)))


def read(text: str | bytes, kind: Any) -> Any:
    """Raises `BadRequest`, with the place of what is wrong."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"the message does not fit: {error}") from None


def frame(payload: bytes) -> bytes:
    """A WebSocket text frame of a server (RFC 6455, 5.2): the same for every connection, so it is made once."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload
