"""HTTP/1.1 read a second time: strictly, and by other means than the door does."""

import re
from typing import NamedTuple

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rb"(%b) ([\x21-\x7e]+) HTTP/1\.([01])" % _TOKEN)
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-9][0-9]{2}) [\t\x20-\x7e]*")
_FIELD = re.compile(
    rb"(%b):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*" % _TOKEN
)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t\x20-\x7e]*)?\r\n")


ID = b"r-1"
"""Of every request that brings none with it."""
ID_LINE = b"X-Request-Id: %b\r\n" % ID


class Malformed(Exception):
    """Not HTTP/1.1 as its specification has it."""


class Sent(NamedTuple):
    """A request. `headers` in their order, names in lower case."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    minor: bytes = b"1"

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]


class Answer(NamedTuple):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """None if it is absent; it must not be there twice."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) < 2, f"{name.decode()} stands there twice"
        return values[0] if values else None


def requests(data: bytes) -> list[Sent]:
    """All of `data`, which must end where a request ends."""
    found = []
    while data:
        taken = take_request(data)
        if taken is None:
            raise Malformed(f"cut off: {data[:80]!r}")
        found.append(taken[0])
        data = taken[1]
    return found


def take_request(data: bytes) -> tuple[Sent, bytes] | None:
    """The first request and what follows it; None if there is more to come."""
    head = _take_head(data)
    if head is None:
        return None
    start, headers, rest = head
    line = _REQUEST_LINE.fullmatch(start)
    if line is None:
        raise Malformed(f"request line: {start!r}")
    framed = _take_body(headers, rest)
    if framed is None:
        return None
    return Sent(line[1], line[2], headers, framed[0], line[3]), framed[1]


def take_answer(data: bytes, method: bytes = b"GET", *, closed: bool = False) -> tuple[Answer, bytes] | None:
    """The first answer and what follows it; None if there is more to come. `closed`: nothing comes any more."""
    head = _take_head(data)
    if head is None:
        return None
    start, headers, rest = head
    line = _STATUS_LINE.fullmatch(start)
    if line is None:
        raise Malformed(f"status line: {start!r}")
    status = int(line[1])
    if method == b"HEAD" or status in (204, 304) or status < 200:
        return Answer(status, headers, b""), rest
    if not {b"content-length", b"transfer-encoding"} & {name for name, _ in headers}:
        return (Answer(status, headers, rest), b"") if closed else None
    framed = _take_body(headers, rest)
    return None if framed is None else (Answer(status, headers, framed[0]), framed[1])


def answers(data: bytes, *methods: bytes) -> list[Answer]:
    """All of `data`, which must hold one whole answer to each of these methods (and interim ones)."""
    found: list[Answer] = []
    due = list(methods)
    while due:
        taken = take_answer(data, due[0], closed=True)
        if taken is None:
            raise Malformed(f"cut off: {data[-80:]!r}")
        found.append(taken[0])
        data = taken[1]
        if taken[0].status >= 200:
            del due[0]
    if data:
        raise Malformed(f"too much: {data[:80]!r}")
    return found


def _take_head(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes]], bytes] | None:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    start, *lines = data[:end].split(b"\r\n")
    headers = []
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise Malformed(f"header: {line!r}")
        headers.append((field[1].lower(), field[2]))
    return start, headers, data[end + 4 :]


def _take_body(headers: list[tuple[bytes, bytes]], data: bytes) -> tuple[bytes, bytes] | None:
    lengths = [value for name, value in headers if name == b"content-length"]
    codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        raise Malformed(f"framed more than once: {lengths} {codings}")
    if codings:
        if codings != [b"chunked"]:
            raise Malformed(f"transfer coding: {codings}")
        return _take_chunks(data)
    length = 0
    if lengths:
        if re.fullmatch(rb"[0-9]+", lengths[0]) is None:
            raise Malformed(f"length: {lengths[0]!r}")
        length = int(lengths[0])
    return None if len(data) < length else (data[:length], data[length:])


def _take_chunks(data: bytes) -> tuple[bytes, bytes] | None:
    body: list[bytes] = []
    at = 0
    while True:
        size = _CHUNK.match(data, at)
        if size is None:
            if b"\r\n" in data[at:]:
                raise Malformed(f"chunk size: {data[at : at + 40]!r}")
            return None
        at, length = size.end(), int(size[1], 16)
        if not length:
            return _take_trailers(b"".join(body), data, at)
        if len(data) < at + length + 2:
            return None
        if data[at + length : at + length + 2] != b"\r\n":
            raise Malformed(f"after a chunk: {data[at + length : at + length + 40]!r}")
        body.append(data[at : at + length])
        at += length + 2


def _take_trailers(body: bytes, data: bytes, at: int) -> tuple[bytes, bytes] | None:
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        line, at = data[at:end], end + 2
        if not line:
            return body, data[at:]
        if _FIELD.fullmatch(line) is None:
            raise Malformed(f"trailer: {line!r}")
