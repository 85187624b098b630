"""One HTTP request as it arrives: its head parsed by httptools, its body collected, both within limits.

What goes upstream is written anew from what was parsed here, so that nobody behind the door can read the
request differently.
"""

import mmap
import re
from collections import deque

import httptools
import msgspec

from llamactl.core.errors import BadRequest, BodyTooLarge, LlamactlError
from llamactl.core.units import show_size
from llamactl.proxy.asked import Asked
from llamactl.proxy.head import FORM, HOP, Head, framing, has_body, request_id, take_options, to_origin_form
from llamactl.proxy.record import Record
from llamactl.proxy.room import Heap, NoRoom, Room

MAX_HEAD = 64 << 10
"""Bytes of request line and headers together."""
MAX_HEADERS = 128
LARGE = 256 << 10
"""Bytes from which a body of known length is read straight into its place instead of through the parser."""

_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: ([0-9]{1,12})\r\n")
_REMEMBERED = 256
_SHORT = 4096

_heads: "dict[bytes, Head]" = {}
"""Heads seen before, by their bytes with 0 as Content-Length. A client sends the same head time
after time; to compare it is an order of magnitude cheaper than to parse it, and what is equal parses equally."""


class HeadTooLarge(BadRequest):
    code, status = "head_too_large", 431


class Request(msgspec.Struct, eq=False):
    """`fault` says why it is refused; the connection ends after that answer. `record` is kept of one for a model.

    `added` are headers that we add for whoever answers it. `target` is what is asked of the llama-server, where its
    head does not say that. `asked` is what its JSON body says, once that was read.
    """

    head: Head
    body: bytes | mmap.mmap = b""
    fault: LlamactlError | None = None
    record: Record | None = None
    asked: Asked | None = None
    added: bytes = b""
    target: bytes = b""

    @property
    def path(self) -> bytes:
        """What the llama-server is asked for, without the query."""
        if self.target:
            return self.target.partition(b"?")[0]
        return self.head.route.path or self.head.path

    def wire(self, size: int) -> bytes:
        """The head as it goes upstream, before a body of `size` bytes."""
        head = self.head
        if self.target:
            wire = b"%b %b%b" % (head.method, self.target, head.wire[head.wire.index(b" HTTP/1.1\r\n") :])
        elif self.added:
            wire = head.wire
        else:
            if size != head.size_before:
                head.wire_before, head.size_before = self._framed(head.wire, size), size
            return head.wire_before
        return self._framed(wire + self.added, size)

    def _framed(self, wire: bytes, size: int) -> bytes:
        if self.head.length is None and not self.head.chunked:
            return wire + b"\r\n"
        return b"%bContent-Length: %d\r\n\r\n" % (wire, size)


class Reader:
    """Requests out of a stream of bytes, put into `requests` as they become complete.

    After one with a `fault`, one that closes the connection or one that leaves HTTP, nothing more is read.
    """

    def __init__(self, max_body: int, spool: str = "") -> None:
        """`spool` is a directory for large forms, which have files in them; without one they are kept in memory."""
        self.requests: deque[Request] = deque()
        self._max_body = max_body
        self._spool = spool
        self._parser = httptools.HttpRequestParser(self)
        self._head = Head()
        self._template = b""  # under which this head is to be remembered
        self._sized = False  # `_LENGTH` was found in it
        self._again = b""  # the last head as it came, of a request of so many bytes; not while another has begun
        self._again_size = 0
        self._again_head = self._head
        self._pieces: list[bytes] = []
        self._chunks = bytearray()  # not pieces: a million small ones would take far more than they hold
        self._size = 0
        self._room: Room | None = None  # for a large body
        self._heap: Heap | None = None  # for a large form in chunks
        self.in_head = False  # a head has begun and is not complete
        self.in_body = False
        self.awaits_continue = False  # set here, cleared by whoever has sent `100 Continue`
        self.begun: Head | None = None  # of a request whose body is to come; cleared by whoever has looked at it
        self.ended = False
        self.rest = b""  # what followed a request for another protocol
        self._switched = False  # to that protocol
        self._body_follows = False  # though the parser thinks that another protocol does
        self._around = 0  # bytes since the body last grew: of chunk extensions and trailers

    def allow(self, max_body: int) -> None:
        """Another limit. A body that has begun, and those after it, keep the one that it began with."""
        if not self.in_body:
            self._max_body = max_body
            self._again = b""  # its size was allowed by the old one

    def feed(self, data: bytes) -> None:
        self._again = b""
        while data and not self.ended:
            data = self._parse(data)
        if self._switched:
            self.rest += data

    def _parse(self, data: bytes) -> bytes:
        """What the parser does not want of it."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._parser = httptools.HttpRequestParser(self)
            if self._head.upgrade and not self.ended:
                self.ended = self._switched = True
            elif self._body_follows:  # an offer we do not pass on (h2c): go on in HTTP/1.1
                self._body_follows = False
                self._parser.feed_data(framing(self._head))
            return data[upgrade.args[0] :]
        except httptools.HttpParserCallbackError:
            raise  # a bug of ours, not of the client's
        except httptools.HttpParserError as error:
            if not self.ended:
                self.fail(BadRequest(f"not a valid HTTP/1.1 request: {error}"))
        if self.in_head:
            self._template = b""
            self._size += len(data)
            if self._size > MAX_HEAD + len(data):
                self.fail(_head_too_large())
        elif self.in_body:
            self._around += len(data)
            if self._around > MAX_HEAD + len(data):
                self.fail(_head_too_large())
        return b""

    def filled(self, count: int) -> bool:
        """So many bytes were put into `place`. True when the body is whole."""
        assert self._room is not None
        if not self._room.filled(count):
            return False
        self._parser = httptools.HttpRequestParser(self)  # the old one still waits for this body
        self._complete()
        return True

    @property
    def place(self) -> memoryview | None:
        """Where the next bytes belong, if they are of a large body."""
        return None if self._room is None else self._room.place

    def whole(self, data: bytes) -> Request | None:
        """The short way: if `data` is one whole request with a head seen before, that; else feed it."""
        again = self._again
        if again and len(data) == self._again_size and data.startswith(again):
            return Request(self._again_head, data[len(again) :])
        if self.in_head or self.in_body or self.ended:
            return None
        end = data.find(b"\r\n\r\n", 0, _SHORT)
        if end < 0:
            self._template = b""
            return None
        match = _LENGTH.search(data, 0, end + 2)
        if match is None:
            length, self._template = 0, data[:end]
        else:
            length, self._template = int(match[1]), data[: match.start(1)] + b"0" + data[match.end(1) : end]
        self._sized = match is not None
        head = _heads.get(self._template)
        if head is None or len(data) != end + 4 + length or length > self._max_body:
            return None
        if head.keep_alive:
            self._again, self._again_size, self._again_head = data[: end + 4], len(data), head
        else:
            self.ended = True
        return Request(head, data[end + 4 :])

    # --- called by the parser --------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if not self.ended and not self.in_body:
            self._head = Head()
            self._size = 0
            self.in_head = True

    def on_url(self, url: bytes) -> None:
        if self.in_head:
            self._head.target += url  # may come in pieces

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.in_head:
            return  # a trailer
        head = self._head
        head.size += len(name) + len(value) + 4
        lower = name.lower()
        if lower not in HOP:
            head.lines += (name, b": ", value, b"\r\n")
            if lower == b"x-request-id":
                head.request_id = request_id(value)
        elif lower == b"content-type":
            head.content_type = value
        elif lower == b"content-length":
            head.length = int(value)
        elif lower == b"connection":
            head.connection += b"," + value.lower()
        elif lower == b"transfer-encoding":
            head.chunked = True
            if value.strip().lower() != b"chunked":
                self.fail(BadRequest("no transfer coding but chunked is known here"))
        elif lower == b"expect":
            head.expects = value.lower() == b"100-continue"
        elif lower == b"upgrade":
            head.upgrade = value
        elif lower == b"authorization":
            head.authorization = value
        elif lower == b"x-api-key":
            head.api_key = value
        elif lower == b"accept-encoding":
            head.accept_encoding = value

    def on_headers_complete(self) -> None:
        if not self.in_head:
            return
        head, parser = self._head, self._parser
        self.in_head, self.in_body = False, True
        head.method = parser.get_method()
        head.keep_alive = parser.should_keep_alive()
        version = parser.get_http_version()
        head.old = version == "1.0"
        if version != "1.1" and not head.old:
            self.fail(BadRequest(f"HTTP/{version} is not spoken here, but HTTP/1.1 is"))
            return
        if head.size + len(head.target) > MAX_HEAD or len(head.lines) > 4 * MAX_HEADERS:
            self.fail(_head_too_large())
            return
        if head.connection or head.upgrade:
            take_options(head)
            self._body_follows = not head.upgrade and has_body(head) and parser.should_upgrade()
        if head.method == b"CONNECT" or (not head.target.startswith(b"/") and not to_origin_form(head)):
            self.fail(BadRequest(f"not a path: {head.target[:80].decode('latin-1')}"))
            return
        head.complete()
        length = head.length
        if length is not None and length > self._max_body:
            self.fail(_too_large(self._max_body, length))
            return
        if length is not None and length >= LARGE:
            try:
                self._room = Room(length, self._spool if head.kind == FORM else "")
            except NoRoom as fault:
                self.fail(fault)
                return
        self.awaits_continue = head.expects and not head.old
        self.begun = head
        self._size = self._around = 0
        if self._template:
            seen_whole = self._sized or head.length is None  # or the length is written in a way that `_LENGTH` misses
            once = head.expects or head.upgrade or head.chunked or head.connection or head.request_id
            if seen_whole and not once:
                if len(_heads) >= _REMEMBERED:
                    _heads.clear()
                _heads[self._template] = head
            self._template = b""

    def on_body(self, data: bytes) -> None:
        if self.ended:
            return
        self._around = 0
        if self._room is not None:
            self._room.place[: len(data)] = data
            self._room.filled(len(data))
            return
        self._size += len(data)
        if self._size > self._max_body:
            self.fail(_too_large(self._max_body))
            return
        if self._head.chunked:
            self._pile(data)
        else:
            self._pieces.append(data)

    def on_message_complete(self) -> None:
        if not self.ended and not self._body_follows:
            self._complete()

    # ---------------------------------------------------------------------------------------------

    def _pile(self, data: bytes) -> None:
        try:
            if self._heap is not None:
                self._heap.add(data)
                return
            self._chunks += data
            if len(self._chunks) >= LARGE and self._spool and self._head.kind == FORM:
                self._heap = Heap(self._spool)
                self._heap.add(self._chunks)
                self._chunks = bytearray()
        except NoRoom as fault:
            self.fail(fault)

    def _complete(self) -> None:
        head, place = self._head, self._room or self._heap
        body = place.body if place is not None else bytes(self._chunks) or b"".join(self._pieces)
        self._room, self._heap, self._pieces, self._chunks = None, None, [], bytearray()
        self.in_body = self.awaits_continue = False
        self.begun = None
        self.ended = not head.keep_alive and not head.upgrade
        self.requests.append(Request(head, body))

    def fail(self, fault: LlamactlError) -> None:
        """Read nothing more: neither the rest of this request nor any after it."""
        self.ended = True
        self._again = b""
        self.in_head = self.in_body = self.awaits_continue = False
        self._room, self._heap, self._pieces, self._chunks = None, None, [], bytearray()
        self.begun = None
        self.requests.append(Request(self._head, fault=fault))


def _head_too_large() -> HeadTooLarge:
    return HeadTooLarge(f"the request's head is larger than {show_size(MAX_HEAD)} or has over {MAX_HEADERS} headers")


def _too_large(limit: int, length: int | None = None) -> BodyTooLarge:
    size = "" if length is None else f" of {show_size(length)}"
    return BodyTooLarge(f"the body{size} is larger than {show_size(limit)}", "http.max_body sets the limit")
