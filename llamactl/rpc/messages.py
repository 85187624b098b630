"""JSON-RPC 2.0, without a socket: lines in, questions out; answers in, lines out.

One JSON object (or one array of them, a batch) a line, UTF-8. Error codes −32700 to −32603 are those of
the specification; ours are in `core.errors`, with the `Problem` as `data`.
"""

from typing import Any

import msgspec

from llamactl.core.errors import LlamactlError, Problem
from llamactl.rpc.calls import CALLS, Call

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32600, -32601, -32602, -32603
LONGEST = 16 << 20
"""Bytes of the longest line that the far end accepts."""

Id = str | int | float | None


class Request(msgspec.Struct):
    """`id` is absent in a notification, to which nothing is answered."""

    jsonrpc: str
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")
    id: Id | msgspec.UnsetType = msgspec.UNSET


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    code: int
    message: str
    data: Problem | None = None


class Response(msgspec.Struct, frozen=True):
    """One of `result` and `error`; a result of nothing is null."""

    id: Id
    jsonrpc: str = "2.0"
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: Fault | msgspec.UnsetType = msgspec.UNSET


class Question(msgspec.Struct, frozen=True):
    """A call that arrived, or why it is none. `reply` is false for notifications."""

    id: Id
    call: Call[Any] | Fault
    reply: bool = True

    @property
    def repeatable(self) -> bool:
        """Needs it not be finished before the daemon executes itself anew?"""
        return isinstance(self.call, Call) and self.call.repeatable


_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for a line that is not JSON, or nested beyond reason."""

_encode = msgspec.json.Encoder().encode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_request = msgspec.json.Decoder(Request).decode


def parse(line: bytes) -> tuple[list[Question], bool]:
    """The questions of one line, and whether they came as a batch."""
    if not line.lstrip().startswith(b"["):
        return [_question(line)], False
    try:
        items = _decode_items(line)
    except _BROKEN as error:
        return [Question(None, Fault(PARSE_ERROR, f"not JSON: {error}"))], False
    if not items:
        return [Question(None, Fault(INVALID_REQUEST, "an empty batch"))], False
    return [_question(bytes(item)) for item in items], True


def _question(text: bytes) -> Question:
    try:
        request = _decode_request(text)
    except msgspec.ValidationError as error:
        return Question(None, Fault(INVALID_REQUEST, str(error)))
    except _BROKEN as error:
        return Question(None, Fault(PARSE_ERROR, f"not JSON: {error}"))
    reply = request.id is not msgspec.UNSET
    number = None if isinstance(request.id, msgspec.UnsetType) else request.id
    if request.jsonrpc != "2.0":
        return Question(number, Fault(INVALID_REQUEST, 'jsonrpc must be "2.0"'), reply)
    kind = CALLS.get(request.method)
    if kind is None:
        return Question(number, Fault(METHOD_NOT_FOUND, f"no such method: {request.method}"), reply)
    try:
        return Question(number, msgspec.json.decode(request.params, type=kind), reply)
    except _BROKEN as error:
        return Question(number, Fault(INVALID_PARAMS, f"{request.method}: {error}"), reply)


def fault(error: LlamactlError) -> Fault:
    return Fault(error.rpc, error.message, error.problem())


def answer(number: Id, outcome: object) -> bytes:
    """One line. A `Fault` is an error, everything else a result."""
    if isinstance(outcome, Fault):
        return bytes(_encode(Response(number, error=outcome)) + b"\n")
    return bytes(_encode(Response(number, result=msgspec.Raw(_encode(outcome)))) + b"\n")


def batch(answers: list[bytes]) -> bytes:
    return b"[" + b",".join(line.rstrip() for line in answers) + b"]\n"


def question(call: Call[Any], number: int) -> bytes:
    return bytes(_encode({"jsonrpc": "2.0", "id": number, "method": call.method, "params": call}) + b"\n")


def notice(params: object) -> bytes:
    """A notification `event`: what a watcher gets after the snapshot."""
    return bytes(_encode({"jsonrpc": "2.0", "method": "event", "params": params}) + b"\n")


AGAIN = _encode({"jsonrpc": "2.0", "method": "again"}) + b"\n"
"""A notification, the last line on a connection: the daemon executes itself anew. What is not answered by now shall be
asked again, on another connection."""
