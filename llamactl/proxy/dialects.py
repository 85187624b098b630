"""Errors as clients of each API expect them. (pure, but for the time that the web face's own shape has in it)

openai      {"error": {"message", "type", "param", "code"}}, `code` being a word
responses   the same; in a stream an event `error`
anthropic   {"type": "error", "error": {"type", "message"}}; in a stream an event `error`
llama       as openai, but `code` is the status: what llama-server itself answers
web         {"success": false, "error": {"code", "message", "details"?}, "timestamp"}
"""

import math
import time
from http import HTTPStatus
from typing import Any

import msgspec

from llamactl.core.errors import LlamactlError
from llamactl.core.units import show_time
from llamactl.proxy.naming import Moved
from llamactl.proxy.routing import Dialect

_OPENAI = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
}
_LLAMA = _OPENAI | {501: "not_supported_error", 503: "unavailable_error"}
_ANTHROPIC = _OPENAI | {413: "request_too_large", 503: "overloaded_error", 504: "timeout_error"}
_FIVES = {"anthropic": "api_error"}
_TYPES: dict[Dialect, dict[int, str]] = {"anthropic": _ANTHROPIC, "llama": _LLAMA}

REASONS = {status.value: status.phrase for status in HTTPStatus} | {
    431: "Request Header Fields Too Large",
    499: "Client Closed Request",  # nginx's; what repeats requests by itself leaves it alone
}


def error_body(error: LlamactlError, status: int | None = None, dialect: Dialect = "openai") -> bytes:
    """The JSON object alone."""
    status = status or error.status
    if dialect == "web":
        now = show_time(time.time())
        details = {"details": error.hint} if error.hint else {}
        told = {"code": error.code, "message": error.message, **details}
        return msgspec.json.encode({"success": False, "error": told, "timestamp": now})
    return msgspec.json.encode(_error(error, status, dialect))


def _error(error: LlamactlError, status: int, dialect: Dialect) -> dict[str, Any]:
    message = f"{error.message} ({error.hint})" if error.hint else error.message
    server = _FIVES.get(dialect, "server_error")
    kind = _TYPES.get(dialect, _OPENAI).get(status, server if status >= 500 else "invalid_request_error")
    if dialect == "anthropic":
        return {"type": "error", "error": {"type": kind, "message": message}}
    code = status if dialect == "llama" else error.code
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def retry_after(error: LlamactlError, status: int) -> int | None:
    """Whole seconds to say in `Retry-After`; None: nothing is said of it."""
    return max(1, math.ceil(error.retry_after or 1)) if error.retry_after is not None or status == 503 else None


def refusal(
    error: LlamactlError,
    *,
    close: bool,
    status: int | None = None,
    bodiless: bool = False,
    dialect: Dialect = "openai",
    added: bytes = b"",
) -> bytes:
    """A whole HTTP/1.1 answer. `bodiless`: only its head, as HEAD wants it. `added` are further headers."""
    status = status or error.status
    body = error_body(error, status, dialect)
    lines = [
        f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}",
        "Content-Type: application/json; charset=utf-8",
        f"Content-Length: {len(body)}",
    ]
    if (seconds := retry_after(error, status)) is not None:
        lines.append(f"Retry-After: {seconds}")
    if status == 401:
        lines.append("WWW-Authenticate: Bearer")
    if isinstance(error, Moved):
        lines.append(f"Location: {error.location}")
    if close:
        lines.append("Connection: close")
    head = "\r\n".join(lines).encode() + b"\r\n" + added + b"\r\n"
    return head if bodiless else head + body


def error_event(error: LlamactlError, dialect: Dialect = "openai") -> bytes:
    """One chunk of a chunked event stream, saying what went wrong. Nothing follows it that says it went well."""
    told, name = _error(error, error.status, dialect), b""
    if dialect == "responses":  # OpenAI's own has the members beside `type`, its clients look for `error`
        told = {"type": "error", "code": error.code, "message": told["error"]["message"], "param": None, **told}
    if dialect in ("responses", "anthropic"):
        name = b"event: error\n"
    event = b"%bdata: %b\n\n" % (name, msgspec.json.encode(told))
    return b"%x\r\n%b\r\n" % (len(event), event)
