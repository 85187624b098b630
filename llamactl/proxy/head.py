"""What the head of a request says, and how it goes upstream: written anew from what was parsed. (pure)"""

import re

from llamactl.proxy.routing import ELSEWHERE, Route, route

# Not passed on: they belong to this connection, are the client's secrets, or are written anew.
HOP = frozenset(
    (
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"te", b"trailer",
        b"transfer-encoding", b"upgrade", b"expect", b"content-length", b"http2-settings",
        b"authorization", b"x-api-key", b"accept-encoding", b"content-type", b"x-llamactl-caller",
    )
)  # fmt: skip
FORM = b"multipart/form-data"
"""The kind of a body that may have files in it."""
_KNOWN_OPTIONS = frozenset((b"keep-alive", b"close", b"upgrade"))
_REQUEST_ID = re.compile(rb"[!-~]{1,128}")
_AUTHORITY = re.compile(rb"[^/?#]*")


class Head:
    """What a request's head says. Not changed once it is complete: requests share it. (`wire_before` is how it last
    went upstream, before a body of `size_before` bytes: mostly the next one is as long.)

    `wire` is how it goes upstream, but for Content-Length and the empty line. `target` is in origin form.
    `authorization` and `api_key` are the client's credentials as they came; they are never passed on. `credential` is
    the one that counts. `usual`: what it is answered with has a body, and another request may follow. `request_id` is
    what the client calls it, empty if nothing that one could write down.
    """

    __slots__ = (
        "accept_encoding", "api_key", "authorization", "chunked", "connection", "content_type", "credential", "expects",
        "host", "keep_alive", "kind", "length", "lines", "method", "old", "origin", "path", "query", "request_id",
        "route", "size", "size_before", "target", "upgrade", "usual", "wire", "wire_before",
    )  # fmt: skip

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.path = b""
        self.query = b""
        self.lines: list[bytes] = []  # to pass on, flat: name, `: `, value, CRLF, name …
        self.accept_encoding = b""
        self.authorization = b""
        self.api_key = b""
        self.request_id = b""
        self.credential = b""
        self.host = b""
        self.origin = b""  # of the page that asks, if a browser does
        self.content_type = b""
        self.kind = b""  # the content type without its parameters, in lower case
        self.connection = b""
        self.upgrade = b""
        self.length: int | None = None  # as announced
        self.chunked = False
        self.expects = False
        self.keep_alive = True
        self.old = False  # HTTP/1.0
        self.usual = False
        self.size = 0  # bytes
        self.wire = self.wire_before = b""
        self.size_before = -1
        self.route: Route = ELSEWHERE

    def complete(self) -> None:
        self.path, _, self.query = self.target.partition(b"?")
        self.kind = self.content_type.partition(b";")[0].strip().lower()
        self.credential = self.authorization or self.api_key
        self.usual = self.keep_alive and not self.old and self.method != b"HEAD"
        for at in range(0, len(self.lines), 4):
            name = self.lines[at].lower()
            if name == b"host":
                self.host = self.lines[at + 2]
            elif name == b"origin":
                self.origin = self.lines[at + 2]
        self.route = route(self.method, self.path, self.query)
        target = self.target
        if self.route.path:
            target = self.route.path + self.target[len(self.path) :]
        parts = [self.method, b" ", target, b" HTTP/1.1\r\n", *self.lines]
        if self.accept_encoding and self.route.named == "path":
            # Answers are read on their way, so they are asked for without one. But llama-server's web page comes
            # with gzip or not at all.
            parts += (b"Accept-Encoding: ", self.accept_encoding, b"\r\n")
        if self.content_type:
            parts += (b"Content-Type: ", self.content_type, b"\r\n")
        if self.upgrade:
            parts += (b"Connection: Upgrade\r\nUpgrade: ", self.upgrade, b"\r\n")
        self.wire = b"".join(parts)


def request_id(value: bytes) -> bytes:
    """The same, if it is printable and of a decent length; else nothing."""
    return value if _REQUEST_ID.fullmatch(value) else b""


def take_options(head: Head) -> None:
    """What `Connection` says: headers that it names are not passed on, nor offers of protocols we do not know."""
    options = {option.strip() for option in head.connection.split(b",")}
    if b"upgrade" not in options or head.old or head.upgrade.lower() == b"h2c" or has_body(head):
        head.upgrade = b""
    private = options - _KNOWN_OPTIONS - {b""}
    if private:
        lines = head.lines
        kept = [lines[i : i + 4] for i in range(0, len(lines), 4) if lines[i].lower() not in private]
        head.lines = [part for line in kept for part in line]


def has_body(head: Head) -> bool:
    return head.chunked or bool(head.length)


def framing(head: Head) -> bytes:
    """A head that says no more than where its body ends."""
    framing = b"Transfer-Encoding: chunked" if head.chunked else b"Content-Length: %d" % (head.length or 0)
    return b"POST / HTTP/1.1\r\n%b\r\n\r\n" % framing


def to_origin_form(head: Head) -> bool:
    """`http://host/path` becomes `/path`; false for what is no path at all."""
    scheme, separator, rest = head.target.partition(b"://")
    if separator and scheme.lower() in (b"http", b"https"):
        path = _AUTHORITY.sub(b"", rest, count=1)
        head.target = path if path.startswith(b"/") else b"/" + path
        return True
    return head.target == b"*" and head.method == b"OPTIONS"
