"""What a request calls its model: in its body, its query or its path. (pure)"""

import mmap
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar
from urllib.parse import parse_qs, unquote

from llamactl.core.errors import BadRequest, LlamactlError, NotFound
from llamactl.proxy.asked import asked
from llamactl.proxy.head import FORM

M = TypeVar("M")

_MANY = 1000
"""Fields of a form, or parts of a multipart body: no client has so many, and each takes its time."""
_LONGEST, _MOST_SLASHES = 255, 8
"""Of a model's name; to look for more would take its time."""

_Body = bytes | mmap.mmap


def in_body(body: _Body, kind: bytes, content_type: bytes, query: bytes) -> str | None:
    """In the JSON body, the form, or else `?model=`; None when the request does not say.
    `kind` is the content type without its parameters, in lower case.

    Raises `BadRequest` for a body that is not what its content type says.
    """
    if not body:
        name = None
    elif is_json(body, kind):
        name = asked(body).model
    elif kind == FORM:
        name = _in_multipart(body, content_type)
    else:
        name = _in_form(bytes(body))
    return name or (in_query(query) if query else None)


def is_json(body: _Body, kind: bytes) -> bool:
    """Is it to be read as JSON? All is that does not say it is a form; and `curl -d '{…}'` says so by mistake."""
    if kind == b"application/x-www-form-urlencoded":
        return body[:99].lstrip()[:1] == b"{"
    return kind != FORM


def in_query(query: bytes) -> str | None:
    """`?model=`; raises `BadRequest` if there are too many fields."""
    return _in_form(query) if b"model=" in query else None


class Moved(LlamactlError):
    """`location` is relative to where it was looked for."""

    code, status = "moved", 308

    def __init__(self, path: bytes, query: bytes) -> None:
        super().__init__("this address ends with a slash")
        last = path.rpartition(b"/")[2]
        self.location = (b"./%b/?%b" % (last, query) if query else b"./%b/" % last).decode("ascii")


def in_path(rest: bytes, resolve: Callable[[str], M]) -> tuple[M, bytes]:
    """Of what follows `/upstream/`: the model named by the longest beginning that names one, and the path behind it.

    A name may have slashes in it, written as such or as `%2F`; one written `%2F` ends no name. The path is as it came,
    and empty if there is nothing behind the name, not even a slash. Raises `NotFound`, as `resolve` does.
    """
    segments = rest.split(b"/", _MOST_SLASHES)
    names: list[str] = []
    for segment in segments:
        names.append("/".join([*names[-1:], unquote(segment.decode("latin-1"))]))
        if len(names[-1]) > _LONGEST:
            break
    for count in range(len(names), 1, -1):
        with suppress(NotFound):
            return resolve(names[count - 1]), rest[len(b"/".join(segments[:count])) :]
    return resolve(names[0]), rest[len(segments[0]) :]


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
    fence = b"--" + boundary
    at = body.find(fence)
    parts = 0
    while at >= 0:
        head_at = at + len(fence) + 2
        at = body.find(b"\r\n" + fence, head_at)
        head_end = body.find(b"\r\n\r\n", head_at, at + 2)  # of this part, not of one far away
        if at < 0:
            break
        parts += 1
        if parts > _MANY:
            raise BadRequest(f"more than {_MANY} parts in a multipart body")
        if head_end >= 0 and _parameter(_disposition(body[head_at:head_end]), b"name") == b"model":
            return body[head_end + 4 : at].decode("utf-8", "replace").strip()
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
