"""Errors as clients of each API expect them. (pure)

So far one dialect, OpenAI's: `{"error":{"message","type","param","code"}}`.
"""

import math
from http import HTTPStatus

import msgspec

from llamactl.core.errors import LlamactlError

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
}
REASONS = {status.value: status.phrase for status in HTTPStatus} | {
    431: "Request Header Fields Too Large",
    499: "Client Closed Request",  # nginx's; what repeats requests by itself leaves it alone
}


def error_body(error: LlamactlError, status: int | None = None) -> bytes:
    """The JSON object alone, as it also goes into an event of a started stream."""
    message = f"{error.message} ({error.hint})" if error.hint else error.message
    status = status or error.status
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": None, "code": error.code}})


def refusal(
    error: LlamactlError, *, close: bool, status: int | None = None, bodiless: bool = False, added: bytes = b""
) -> bytes:
    """A whole HTTP/1.1 answer. `bodiless`: only its head, as HEAD wants it. `added` are further headers."""
    status = status or error.status
    body = error_body(error, status)
    lines = [
        f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}",
        "Content-Type: application/json; charset=utf-8",
        f"Content-Length: {len(body)}",
    ]
    if error.retry_after is not None or status == 503:
        lines.append(f"Retry-After: {max(1, math.ceil(error.retry_after or 1))}")
    if close:
        lines.append("Connection: close")
    head = "\r\n".join(lines).encode() + b"\r\n" + added + b"\r\n"
    return head if bodiless else head + body


def error_event(error: LlamactlError) -> bytes:
    """One chunk of a chunked event stream, saying what went wrong. No `[DONE]` follows it."""
    event = b"data: " + error_body(error) + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)
