"""Whom is this request for? (pure)"""

import mmap
import re
from typing import Literal
from urllib.parse import parse_qs

import msgspec

from llamactl.core.access import SCOPES, Needed
from llamactl.core.errors import BadRequest

_INFERENCE = ("chat/completions", "completions", "embeddings")
_MODEL_PATHS = frozenset(prefix + path.encode() for path in _INFERENCE for prefix in (b"/", b"/v1/"))


class _Named(msgspec.Struct):
    model: str | None = None


_MANY = 1000
"""Fields of a form, or parts of a multipart body: no client has so many, and each takes its time."""

_decode = msgspec.json.Decoder(_Named).decode
_Body = bytes | mmap.mmap


class Route(msgspec.Struct, frozen=True):
    """Who answers a request: a `model`'s llama-server, or the `web` face. `endpoint` is its name in records.

    `scope` is what it takes to be answered.
    """

    kind: Literal["model", "web"]
    endpoint: str = ""
    scope: Needed = "infer"


ELSEWHERE = Route("web", scope="observe")
_EVERY: tuple[Needed, ...] = ("", *SCOPES)
_WEB = {scope: Route("web", scope=scope) for scope in _EVERY}
_OPEN = frozenset((b"/health", b"/v1/health"))
_LISTS = frozenset((b"/models", b"/v1/models"))
_READS = frozenset((b"GET", b"HEAD", b"OPTIONS"))
_ADMIN = re.compile(rb"/api/(config|keys|logger/config)(/|$)")
_MODEL_ROUTES = {path: Route("model", path.decode().removeprefix("/v1").lstrip("/")) for path in _MODEL_PATHS}


def route(method: bytes, path: bytes) -> Route:
    """`path` is without its query."""
    reads = method in _READS
    if reads and path in _OPEN:
        return _WEB[""]
    if reads and path in _LISTS:
        return _WEB["infer"]
    if reads:
        return _WEB["admin" if path.startswith(b"/api/keys") else "observe"]
    found = _MODEL_ROUTES.get(path) if method == b"POST" else None
    return found or _WEB["admin" if _ADMIN.match(path) else "control"]


def model_of(body: _Body, kind: bytes, content_type: bytes, query: bytes) -> str | None:
    """What the request calls its model: in the JSON body, the form, or `?model=`; None when it does not say.
    `kind` is the content type without its parameters, in lower case.

    Raises `BadRequest` for a body that is not what its content type says.
    """
    if kind == b"multipart/form-data":
        name = _in_multipart(body, content_type)
    elif kind == b"application/x-www-form-urlencoded" and body[:99].lstrip()[:1] != b"{":  # `curl -d '{…}'` says so
        name = _in_form(bytes(body))
    else:
        name = _in_json(body)
    return name or (_in_form(query) if query else None)


def _in_json(body: _Body) -> str | None:
    try:
        return _decode(body).model
    except msgspec.ValidationError as error:
        raise BadRequest(f"the body does not fit: {error}", '"model" must be a string') from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise BadRequest("the body's JSON is nested too deep") from None


def _in_form(form: bytes) -> str | None:
    if form.count(b"&") >= _MANY:
        raise BadRequest(f"more than {_MANY} fields in a form")
    values = parse_qs(form.decode("utf-8", "replace")).get("model")
    return values[0] if values else None


def _in_multipart(body: _Body, content_type: bytes) -> str | None:
    """The part named `model`; parts are looked at by their heads, file contents are only searched for the boundary."""
    boundary = _parameter(content_type, b"boundary")
    if not boundary:
        raise BadRequest("multipart/form-data without a boundary")
    data = bytes(body)
    fence = b"--" + boundary
    at = data.find(fence)
    parts = 0
    while at >= 0:
        head_at = at + len(fence) + 2
        at = data.find(b"\r\n" + fence, head_at)
        head_end = data.find(b"\r\n\r\n", head_at, at + 2)  # of this part, not of one far away
        if at < 0:
            break
        parts += 1
        if parts > _MANY:
            raise BadRequest(f"more than {_MANY} parts in a multipart body")
        if head_end >= 0 and _parameter(_disposition(data[head_at:head_end]), b"name") == b"model":
            return data[head_end + 4 : at].decode("utf-8", "replace").strip()
        at += 2
    return None


def _disposition(head: bytes) -> bytes:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-disposition":
            return value
    return b""


def _parameter(value: bytes, name: bytes) -> bytes:
    """`name` among the `;`-separated parameters of a header value, unquoted; empty if absent."""
    for part in value.split(b";")[1:]:
        key, _, text = part.strip().partition(b"=")
        if key.strip().lower() == name:
            return text.strip().strip(b'"')
    return b""
