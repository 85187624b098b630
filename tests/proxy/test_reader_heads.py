"""Heads: what is refused, and what is passed on of those that are not."""

import pytest

from llamactl.core.errors import BadRequest
from llamactl.proxy.request import MAX_HEAD, MAX_HEADERS, HeadTooLarge, Reader
from tests.proxy.reading import all_emitted, bytewise, emitted, fault, read

NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"


def refused(data: bytes) -> BadRequest:
    """However it arrives, and however often the same has been seen before."""
    first = fault(read(data + NEXT))
    for reader in (read(data), read(*bytewise(data)), read(data), read(data, NEXT)):
        assert (fault(reader).status, fault(reader).message) == (first.status, first.message)
    return first


def post(*lines: bytes) -> bytes:
    return b"".join(line + b"\r\n" for line in (b"POST /a HTTP/1.1", b"Host: x", *lines, b""))


# --- how long is the body? --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
        (b"Transfer-Encoding: identity", b"Content-Length: 5"),
        (b"Content-Length: 5", b"Content-Length: 5"),
        (b"Content-Length: 5", b"Content-Length: 6"),
        (b"Content-Length: 5", b"content-length: 5"),
        (b"Content-Length: 5", b"X: y", b"CONTENT-LENGTH: 0"),
        (b"Content-Length: 5, 5",),
        (b"Content-Length: 5,6",),
        (b"Content-Length: +5",),
        (b"Content-Length: -5",),
        (b"Content-Length: 0x5",),
        (b"Content-Length: 5 5",),
        (b"Content-Length: 5_0",),
        (b"Content-Length: 5;",),
        (b"Content-Length: 5.0",),
        (b"Content-Length: 1e1",),
        (b"Content-Length: five",),
        (b'Content-Length: "5"',),
        (b"Content-Length: \xb2",),
        (b"Content-Length: ",),
        (b"Content-Length:",),
        (b"Content-Length: 18446744073709551621",),
        (b"Content-Length: " + b"9" * 5000,),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
        (b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked, identity",),
        (b"Transfer-Encoding: identity, chunked",),
        (b"Transfer-Encoding: chunked, chunked",),
        (b"Transfer-Encoding: gzip, chunked",),
        (b"Transfer-Encoding: gzip",),
        (b"Transfer-Encoding: identity",),
        (b"Transfer-Encoding: xchunked",),
        (b"Transfer-Encoding: chunkedx",),
        (b"Transfer-Encoding: chunked;q=1",),
        (b'Transfer-Encoding: "chunked"',),
        (b"Transfer-Encoding: \x0bchunked",),
        (b"Transfer-Encoding:",),
        (b"Transfer-Encoding:\r\n chunked",),
        (b"Transfer-Encoding : chunked",),
        (b"Content-Length : 5",),
        (b"Content-Length\t: 5",),
        (b"Content-Length:\r\n 5",),
        (b"X: y\r\n Content-Length: 5",),
    ],
)
def test_lengths_that_can_be_read_in_two_ways(lines: tuple[bytes, ...]) -> None:
    assert refused(post(*lines)).status == 400


def test_a_length_is_not_forgiven_because_of_an_earlier_one() -> None:
    """A head that was seen with a valid length says nothing about one without."""
    for length in (b"5", b"5"):
        assert all_emitted(read(post(b"Content-Length: " + length) + b"hello"))[0].body == b"hello"
    for lines in ((b"Content-Length: ",), (b"Content-Length:",), (b"Content-Length: ", b"Content-Length: 5")):
        assert refused(post(*lines)).status == 400


@pytest.mark.parametrize(
    "line",
    [
        b"Content-Length: 5",
        b"content-length: 5",
        b"CONTENT-LENGTH: 5",
        b"Content-length:5",
        b"Content-Length:   5",
        b"Content-Length: 5  ",
        b"Content-Length:\t5",
        b"Content-Length: 0000000000000000005",
    ],
)
def test_a_length_however_it_is_written(line: bytes) -> None:
    head = post(line, b"X-Spelt: " + line)
    for pieces in ((head + b"hello" + NEXT,), (head, b"hello" + NEXT), (head + b"he", b"llo", NEXT)) * 2:
        assert [sent.body for sent in all_emitted(read(*pieces))] == [b"hello", b""]


# --- the request line -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b"GET /",
        b"GET / HTTP/0.9",
        b"GET / HTTP/1",
        b"GET / HTTP/1.2",
        b"GET / HTTP/1.10",
        b"GET / HTTP/2.0",
        b"GET / HTTP/3",
        b"GET / http/1.1",
        b"GET / HTTP/1.1 ",
        b"GET / HTTP 1.1",
        b"GET / XTTP/1.1",
        b"GET /a b HTTP/1.1",
        b"GET\t/ HTTP/1.1",
        b" GET / HTTP/1.1",
        b"GET",
        b"GET HTTP/1.1",
        b"get / HTTP/1.1",
        b"NOSUCHMETHOD / HTTP/1.1",
        b"GE\x00T / HTTP/1.1",
        b"GET /\x00 HTTP/1.1",
        b"GET /\x01 HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET /\xff HTTP/1.1",
        b"GET name HTTP/1.1",
        b"GET * HTTP/1.1",
        b"POST * HTTP/1.1",
        b"GET host:80 HTTP/1.1",
        b"GET ftp://host/ HTTP/1.1",
        b"GET file:///etc/passwd HTTP/1.1",
        b"CONNECT host:443 HTTP/1.1",
        b"CONNECT / HTTP/1.1",
        b"CONNECT http://host/ HTTP/1.1",
        b"HTTP/1.1 200 OK",
        b"PRI * HTTP/2.0",
    ],
)
def test_request_lines_that_are_none(line: bytes) -> None:
    assert refused(line + b"\r\nHost: x\r\n\r\n").status == 400


@pytest.mark.parametrize(
    "data",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        b"\x00\x00\x00\x00",
        b"{}\r\n\r\n",
        b"GET /\n\n",
        b"GET / HTTP/1.1\n\n",
        b"GET / HTTP/1.1\r\r\n\r\n",
    ],
)
def test_other_protocols(data: bytes) -> None:
    assert refused(data).status == 400


@pytest.mark.parametrize(
    ("target", "origin"),
    [
        (b"/", b"/"),
        (b"//x//y?z#q", b"//x//y?z#q"),
        (b"/a?b=/c?d", b"/a?b=/c?d"),
        (b"/%00%2f/..;x=y/~!$&'()*+,=:@", b"/%00%2f/..;x=y/~!$&'()*+,=:@"),
        (b"http://host/p/q?r", b"/p/q?r"),
        (b"HTTPS://host:443/p", b"/p"),
        (b"http://host", b"/"),
        (b"http://user:secret@host/p", b"/p"),
        (b"http://host?q=/x", b"/?q=/x"),
        (b"http://host/?q=http://other/x", b"/?q=http://other/x"),
    ],
)
def test_targets(target: bytes, origin: bytes) -> None:
    reader = read(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target)
    [sent] = all_emitted(reader)
    assert sent.target == origin
    assert reader.requests[0].head.path == origin.partition(b"?")[0]
    assert reader.requests[0].head.query == origin.partition(b"?")[2]


def test_options_of_the_server() -> None:
    [sent] = all_emitted(read(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"))
    assert sent.target == b"*"


def test_empty_lines_before_a_request() -> None:
    assert [sent.target for sent in all_emitted(read(b"\r\n\r\n" + NEXT + b"\r\n" + NEXT))] == [b"/next"] * 2


# --- header lines -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b"X : y",
        b"X\t: y",
        b": y",
        b"no colon",
        b" X: y",
        b"X: y\r\n z",
        b"X: y\r\n\tz",
        b"X: y\r\n ",
        b"X: y\nZ: a",
        b"X: y\rZ: a",
        b"X: y\r",
        b"X: \x00",
        b"X: a\x01b",
        b"X: a\x7fb",
        b"X: a\x1b[31m",
        b"X\x00: y",
        b"X(y): z",
        b"X y: z",
        b"X/y: z",
        "Ä: y".encode(),
        b'"X": y',
        b"\xff\xfe: y",
    ],
)
def test_header_lines_that_are_none(line: bytes) -> None:
    assert refused(b"GET / HTTP/1.1\r\nHost: x\r\n" + line + b"\r\n\r\n").status == 400
    assert refused(b"GET / HTTP/1.1\r\n" + line + b"\r\nHost: x\r\n\r\n").status == 400


def test_what_is_passed_on() -> None:
    lines = [
        b"Host: x",
        b"Accept: */*",
        b"X-a: 1",
        b"x-A: 2",
        b"X-Empty:",
        "X-Text: grüße\tb".encode(),
        b"Cookie: a=b; c=d",
    ]
    data = b"POST /a HTTP/1.1\r\n" + b"".join(line + b"  \r\n" for line in lines)
    data += b"content-type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}"
    for pieces in ([data], bytewise(data), [data]):
        [sent] = all_emitted(read(*pieces))
        assert sent.headers == [
            (b"host", b"x"),
            (b"accept", b"*/*"),
            (b"x-a", b"1"),
            (b"x-a", b"2"),
            (b"x-empty", b""),
            (b"x-text", "grüße\tb".encode()),
            (b"cookie", b"a=b; c=d"),
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", b"2"),
        ]


@pytest.mark.parametrize(
    "line",
    [
        b"Authorization: Bearer secret",
        b"X-Api-Key: secret",
        b"Proxy-Authorization: Basic secret",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: keep-alive",
        b"TE: trailers",
        b"Trailer: X",
        b"Expect: 100-continue",
        b"HTTP2-Settings: AAM",
        b"Accept-Encoding: gzip",
        b"Upgrade: websocket",
        b"Connection: keep-alive",
        b"Connection: close",
    ],
)
def test_what_is_not_passed_on(line: bytes) -> None:
    name, _, value = line.partition(b": ")
    for spelt in (line, name.upper() + b":" + value, name.lower() + b": \t" + value):
        [sent] = all_emitted(read(post(b"X-First: 1", spelt, b"X-Last: 2")))
        assert sent.headers == [(b"host", b"x"), (b"x-first", b"1"), (b"x-last", b"2")]


def test_headers_that_connection_names_are_not_passed_on() -> None:
    lines = (
        b"X-One: 1",
        b"Connection: X-One , keep-alive,, x-TWO",
        b"X-Two: 2",
        b"Connection: x-three",
        b"X-Three: 3",
        b"X-Four: 4",
    )
    [sent] = all_emitted(read(post(*lines)))
    assert sent.headers == [(b"host", b"x"), (b"x-four", b"4")]


def test_what_frames_the_body_is_ours_whatever_connection_names() -> None:
    [sent] = all_emitted(read(post(b"Connection: content-length, transfer-encoding", b"Content-Length: 5") + b"hello"))
    assert sent.body == b"hello"


# --- the end of a connection ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nConnection: Close\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nConnection: x, close\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nConnection: x\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
    ],
)
def test_keeping_a_connection(head: bytes, keeps: bool) -> None:
    for _ in range(2):
        reader = read(head)
        assert reader.requests[0].head.keep_alive == keeps
        assert reader.ended != keeps
        reader = read(head + NEXT)
        assert [sent.target for sent in all_emitted(reader)] == ([b"/", b"/next"] if keeps else [b"/"])


def test_old_clients() -> None:
    reader = read(b"POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert not reader.awaits_continue, "it would not understand"
    reader.feed(b"{}")
    assert reader.requests[0].head.old
    assert all_emitted(reader)[0].body == b"{}"


# --- other protocols are offered ----------------------------------------------------------------------

WEBSOCKET = (b"Connection: keep-alive, Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x")


def test_an_upgrade_is_passed_on_and_ends_http() -> None:
    head = b"GET /ws HTTP/1.1\r\nHost: x\r\n" + b"\r\n".join(WEBSOCKET) + b"\r\n\r\n"
    for pieces in ([head + b"early" + NEXT], [head, b"early", NEXT], [*bytewise(head + b"early"), NEXT]):
        reader = read(*pieces)
        [sent] = all_emitted(reader)
        assert sent.all(b"upgrade") == [b"websocket"]
        assert sent.all(b"connection") == [b"Upgrade"]
        assert sent.all(b"sec-websocket-key") == [b"x"]
        assert reader.ended
        assert reader.rest == b"early" + NEXT


@pytest.mark.parametrize(
    "lines",
    [
        (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAM"),
        (b"Connection: upgrade", b"Upgrade: H2C"),
        (b"Upgrade: websocket",),
        (b"Connection: upgrade",),
    ],
)
@pytest.mark.parametrize(
    ("framing", "body"),
    [
        ((), b""),
        ((b"Content-Length: 0",), b""),
        ((b"Content-Length: 5",), b"hello"),
        ((b"Transfer-Encoding: chunked",), b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
    ],
)
def test_an_offer_of_http2_is_ignored(lines: tuple[bytes, ...], framing: tuple[bytes, ...], body: bytes) -> None:
    """Some clients (Java's) make it with every request, bodies or not."""
    data = post(*lines, *framing) + body
    for pieces in ([data + NEXT], bytewise(data + NEXT), [data, NEXT], [data[:-3], data[-3:] + NEXT]):
        reader = read(*pieces)
        first, second = all_emitted(reader)
        assert first.body == (b"hello" if body else b"")
        assert not first.all(b"upgrade")
        assert not first.all(b"connection")
        assert second.target == b"/next"
        assert not reader.ended


def test_a_large_body_with_an_offer_of_http2() -> None:
    body = b"x" * (300 << 10)
    reader = read(
        post(b"Connection: upgrade", b"Upgrade: h2c", b"Content-Length: %d" % len(body)), body[:9], body[9:] + NEXT
    )
    assert [sent.body for sent in all_emitted(reader)] == [body, b""]


def test_an_upgrade_with_a_body_is_ignored() -> None:
    data = post(*WEBSOCKET, b"Content-Length: 5") + b"hello" + NEXT
    for pieces in ([data], bytewise(data)):
        first, second = all_emitted(read(*pieces))
        assert (first.body, first.all(b"upgrade"), second.target) == (b"hello", [], b"/next")


def test_old_clients_cannot_upgrade() -> None:
    [sent] = all_emitted(read(b"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n" + NEXT))
    assert not sent.all(b"upgrade")


# --- floods -----------------------------------------------------------------------------------------


def too_large(*pieces: bytes) -> bool:
    whole = isinstance(fault(read(b"".join(pieces))), HeadTooLarge)
    assert isinstance(fault(read(*pieces)), HeadTooLarge) == whole
    return whole


def test_heads_as_large_as_allowed() -> None:
    lines = [b"X-%03d: %b\r\n" % (i, b"v" * 400) for i in range(MAX_HEADERS - 1)]
    data = b"GET /%b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (b"p" * 8000, b"".join(lines))
    for pieces in ([data], bytewise(data), [data[i : i + 1000] for i in range(0, len(data), 1000)]):
        [sent] = all_emitted(read(*pieces))
        assert len(sent.headers) == MAX_HEADERS


def test_too_many_headers() -> None:
    data = b"GET / HTTP/1.1\r\n" + b"a:\r\n" * (MAX_HEADERS + 1) + b"\r\n"
    assert too_large(data)
    assert too_large(*bytewise(data))


def test_headers_that_are_not_passed_on_count_too() -> None:
    assert too_large(b"GET / HTTP/1.1\r\n" + b"Connection: keep-alive\r\n" * 4000 + b"\r\n")


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"GET /", b"x"),
        (b"GET / HTTP/1.1\r\nX: ", b"y"),
        (b"GET / HTTP/1.1\r\nX: ", b" "),
        (b"GET / HTTP/1.1\r\n", b"y"),
        (b"GET / HTTP/1.1\r\nCookie: ", b"a=b; "),
        (b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
        (b"GET / HTTP/1.1\r\n", b"Connection: a\r\n"),
        (b"GET / HTTP/1.1\r\nContent-Length: ", b"0"),
        (b"GET http://", b"x"),
    ],
)
@pytest.mark.parametrize("piece", [1, 1000, 65536])
def test_heads_without_an_end(start: bytes, more: bytes, piece: int) -> None:
    reader = Reader(1 << 20)
    reader.feed(start)
    sent = len(start)
    data = more * (-(-piece // len(more)))
    while not reader.requests:
        reader.feed(data)
        sent += len(data)
        assert sent <= 3 * (MAX_HEAD + 1000)
    assert fault(reader).status == 431


def test_a_flood_within_one_piece() -> None:
    assert too_large(b"GET /" + b"x" * (1 << 20) + b" HTTP/1.1\r\n\r\n")
    assert too_large(b"GET / HTTP/1.1\r\nX: " + b"y" * (1 << 20) + b"\r\n\r\n")
    assert too_large(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * (1 << 17) + b"\r\n")


def test_empty_lines_without_an_end() -> None:
    """They cost nothing, but a head must come of them in its time: that the door sees by `in_head` and its clock."""
    reader = read(*[b"\r\n" * 1000] * 100)
    assert not reader.requests
    assert not reader.in_body


# --- heads are remembered ---------------------------------------------------------------------------


def test_the_same_head_again() -> None:
    head = b"POST /again HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nX: y\r\n\r\n"
    for body in (b"one", b"", b"three", b"x" * 5000):
        data = head % len(body) + body
        for pieces in ([data], [data[:-1], data[-1:]], [data + NEXT], [data, NEXT], bytewise(data)):
            sent = all_emitted(read(*pieces))
            assert sent[0].body == body
            assert sent[0].headers == [(b"host", b"x"), (b"x", b"y"), (b"content-length", b"%d" % len(body))]


def test_a_head_seen_before_does_not_lift_the_limit() -> None:
    head = b"POST /limit HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    assert emitted(read(head % 10 + b"x" * 10, max_body=10).requests[0]).body == b"x" * 10
    assert fault(read(head % 11 + b"x" * 11, max_body=10)).status == 413
    assert fault(read(head % 11, max_body=10)).status == 413


def test_what_one_client_did_wrong_is_not_held_against_the_next() -> None:
    head = b"POST /shared HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
    for data in (
        head + b"{}",
        head + b"{}nonsense\r\n\r\n",
        head + b"{}\x00",
        head + b"{}" + post(b"Content-Length: x"),
    ):
        read(data)
        reader = read(head + b"{}")
        assert reader.requests[0].head.keep_alive
        assert not reader.ended


def test_more_heads_than_are_remembered() -> None:
    for i in range(1000):
        data = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % i
        assert [sent.target for sent in all_emitted(read(data))] == [b"/%d" % i]
    for i in range(1000):
        data = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % i
        assert [sent.target for sent in all_emitted(read(data))] == [b"/%d" % i]
