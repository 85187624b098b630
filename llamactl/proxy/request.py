"""One HTTP request as it arrives: its head parsed by httptools, its body collected, both within limits.

What goes upstream is written anew from what was parsed here, so that nobody behind the door can read the
request differently.
"""

import mmap
from collections import deque

import httptools

from llamactl.core.errors import BadRequest, BodyTooLarge
from llamactl.core.units import show_size

MAX_HEAD = 64 << 10
"""Bytes of request line and headers together."""
MAX_HEADERS = 128
LARGE = 256 << 10
"""Bytes from which a body of known length is read straight into its place instead of through the parser."""

# Not passed on: they belong to this connection, are the client's secrets, or are written anew.
_HOP = frozenset(
    (
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"te", b"trailer",
        b"transfer-encoding", b"upgrade", b"expect", b"content-length", b"http2-settings",
        b"authorization", b"x-api-key", b"accept-encoding", b"content-type",
    )
)  # fmt: skip
_KNOWN_OPTIONS = frozenset((b"keep-alive", b"close", b"upgrade"))


class HeadTooLarge(BadRequest):
    code, status = "head_too_large", 431


class Request:
    """`lines` are the header lines to pass on, flat: name, `: `, value, CRLF, name …

    `target` is in origin form. `fault` says why it is refused; the connection ends after that answer.
    """

    __slots__ = (
        "body", "chunked", "connection", "content_type", "expects", "fault", "keep_alive", "length", "lines",
        "method", "old", "size", "target", "upgrade",
    )  # fmt: skip

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.lines: list[bytes] = []
        self.content_type = b""
        self.connection = b""
        self.upgrade = b""
        self.length: int | None = None  # as announced
        self.chunked = False
        self.expects = False
        self.keep_alive = True
        self.old = False  # HTTP/1.0
        self.size = 0  # bytes of head so far, then of body
        self.body: bytes | mmap.mmap = b""
        self.fault: BadRequest | None = None

    @property
    def path(self) -> bytes:
        return self.target.partition(b"?")[0]

    @property
    def query(self) -> bytes:
        return self.target.partition(b"?")[2]

    def head(self) -> bytes:
        """Request line and headers as they go upstream."""
        parts = [self.method, b" ", self.target, b" HTTP/1.1\r\n", *self.lines]
        if self.content_type:
            parts += (b"Content-Type: ", self.content_type, b"\r\n")
        if self.length is not None or self.chunked:
            parts.append(b"Content-Length: %d\r\n" % len(self.body))
        if self.upgrade:
            parts += (b"Connection: Upgrade\r\nUpgrade: ", self.upgrade, b"\r\n")
        parts.append(b"\r\n")
        return b"".join(parts)


class Reader:
    """Requests out of a stream of bytes, put into `requests` as they become complete.

    After one with a `fault`, one that closes the connection or one that leaves HTTP, nothing more is read.
    """

    def __init__(self, max_body: int) -> None:
        self.requests: deque[Request] = deque()
        self._max_body = max_body
        self._parser = httptools.HttpRequestParser(self)
        self._request = Request()
        self._pieces: list[bytes] = []
        self._place: memoryview | None = None  # what is still empty of a large body
        self.in_head = False  # a head has begun and is not complete
        self.in_body = False
        self.awaits_continue = False  # set here, cleared by whoever has sent `100 Continue`
        self.ended = False
        self.rest = b""  # what followed a request for another protocol

    def feed(self, data: memoryview) -> None:
        if self.ended:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._parser = httptools.HttpRequestParser(self)
            if self._request.upgrade:
                self.rest = bytes(data[upgrade.args[0] :])
                self.ended = True
            else:  # an offer we do not pass on (h2c): go on in HTTP/1.1
                self.feed(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError:
            raise  # a bug of ours, not of the client's
        except httptools.HttpParserError as error:
            if not self.ended:
                self._fail(BadRequest(f"not a valid HTTP/1.1 request: {error}"))
        if self.in_head:
            self._request.size += len(data)
            if self._request.size > MAX_HEAD + len(data):
                self._fail(HeadTooLarge(f"the request's head is larger than {show_size(MAX_HEAD)}"))

    def room(self) -> memoryview | None:
        """Where the next bytes belong, if they are the rest of a large body."""
        return self._place

    def filled(self, count: int) -> None:
        """So many bytes were put into `room()`."""
        assert self._place is not None
        self._place = self._place[count:]
        if not self._place:
            self._place = None
            self._parser = httptools.HttpRequestParser(self)  # the old one still waits for this body
            self._complete()

    # --- called by the parser --------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._request = Request()
        self.in_head = True

    def on_url(self, url: bytes) -> None:
        self._request.target += url  # may come in pieces

    def on_header(self, name: bytes, value: bytes) -> None:
        request = self._request
        request.size += len(name) + len(value) + 4
        lower = name.lower()
        if lower not in _HOP:
            request.lines += (name, b": ", value, b"\r\n")
        elif lower == b"content-type":
            request.content_type = value
        elif lower == b"content-length":
            request.length = int(value)
        elif lower == b"connection":
            request.connection += b"," + value.lower()
        elif lower == b"transfer-encoding":
            request.chunked = True
        elif lower == b"expect":
            request.expects = value.lower() == b"100-continue"
        elif lower == b"upgrade":
            request.upgrade = value

    def on_headers_complete(self) -> None:
        if self.ended:
            return
        request, parser = self._request, self._parser
        self.in_head, self.in_body = False, True
        request.method = parser.get_method()
        request.keep_alive = parser.should_keep_alive()
        request.old = parser.get_http_version() == "1.0"
        if request.size + len(request.target) > MAX_HEAD or len(request.lines) > 4 * MAX_HEADERS:
            self._fail(HeadTooLarge(f"the request's head is larger than {show_size(MAX_HEAD)}"))
            return
        if request.connection or request.upgrade:
            self._connection_options(request)
        if not request.target.startswith(b"/"):
            self._origin_form(request)
        length = request.length
        if length is not None and length > self._max_body:
            self._fail(_too_large(self._max_body, length))
            return
        if length is not None and length >= LARGE:
            # Anonymous memory: unlike a bytearray it costs nothing before the bytes arrive.
            request.body = mmap.mmap(-1, length)
            self._place = memoryview(request.body)
        self.awaits_continue = request.expects and not request.old and not self.ended
        request.size = 0

    def on_body(self, data: bytes) -> None:
        if self.ended:
            return
        if self._place is not None:
            self._place[: len(data)] = data
            self._place = self._place[len(data) :]
            return
        self._request.size += len(data)
        if self._request.size > self._max_body:
            self._fail(_too_large(self._max_body))
            return
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        if not self.ended:
            self._place = None
            self._complete()

    # ---------------------------------------------------------------------------------------------

    def _complete(self) -> None:
        request = self._request
        if self._pieces:
            request.body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            self._pieces = []
        self.in_body = self.awaits_continue = False
        if not request.keep_alive and not request.upgrade:
            self.ended = True
        self.requests.append(request)

    def _fail(self, fault: BadRequest) -> None:
        self.ended = True
        self.in_head = self.in_body = False
        self._place, self._pieces = None, []
        self._request.fault = fault
        self._request.keep_alive = False
        self.requests.append(self._request)

    def _connection_options(self, request: Request) -> None:
        options = {option.strip() for option in request.connection.split(b",")}
        if b"upgrade" not in options or request.old or request.upgrade.lower() == b"h2c":
            request.upgrade = b""
        private = options - _KNOWN_OPTIONS - {b""}
        if private:
            lines = request.lines
            kept = [lines[i : i + 4] for i in range(0, len(lines), 4) if lines[i].lower() not in private]
            request.lines = [part for line in kept for part in line]

    def _origin_form(self, request: Request) -> None:
        scheme, separator, rest = request.target.partition(b"://")
        if separator and scheme.lower() in (b"http", b"https"):
            _authority, slash, path = rest.partition(b"/")
            request.target = slash + path or b"/"
        elif not (request.target == b"*" and request.method == b"OPTIONS"):
            self._fail(BadRequest(f"not a path: {request.target[:80].decode('latin-1')}"))


def _too_large(limit: int, length: int | None = None) -> BodyTooLarge:
    size = "" if length is None else f" of {show_size(length)}"
    return BodyTooLarge(f"the body{size} is larger than {show_size(limit)}", "http.max_body sets the limit")
