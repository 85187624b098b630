"""Heads of answers from upstream."""

import pytest

from llamactl.proxy.answer import Answer, read


def parse(head: bytes) -> tuple[Answer, int] | None:
    """Twice: the second time it has been seen before."""
    data = head + b"\r\n\r\nbody"
    first, second = read(data, len(head)), read(data, len(head))
    if first is None or second is None:
        assert first is second is None
        return None
    for name in Answer.__slots__:
        assert getattr(first[0], name) == getattr(second[0], name)
    assert first[1] == second[1]
    return first


def valid(head: bytes) -> tuple[Answer, int]:
    parsed = parse(head)
    assert parsed is not None
    return parsed


@pytest.mark.parametrize(
    ("lines", "sized", "chunked", "length"),
    [
        (b"Content-Length: 5", True, False, 5),
        (b"content-length: 5", True, False, 5),
        (b"CONTENT-LENGTH:5", True, False, 5),
        (b"Content-Length: \t5  ", True, False, 5),
        (b"Content-Length: 0", True, False, 0),
        (b"content-length:0", True, False, 0),
        (b"Transfer-Encoding: chunked", False, True, 0),
        (b"transfer-encoding:Chunked", False, True, 0),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5", False, True, 5),
        (b"X-Content-Length: 5", False, False, 0),
        (b"Server: llama.cpp", False, False, 0),
    ],
)
def test_how_the_body_ends(lines: bytes, sized: bool, chunked: bool, length: int) -> None:
    answer, announced = valid(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\nX: y")
    assert (answer.sized, answer.chunked) == (sized, chunked)
    assert announced == length or chunked
    assert b"ontent-Length:" not in answer.wire.replace(b"X-Content", b"")
    assert b"ransfer-" not in answer.wire


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 7\r\nContent-Length: 5",
        b"Content-Length: ",
        b"Content-Length:",
        b"Content-Length: +5",
        b"Content-Length: -5",
        b"Content-Length: 5, 5",
        b"Content-Length: 0x5",
        b"content-length: five",
    ],
)
def test_lengths_that_are_none(lines: bytes) -> None:
    """Also after the same head with valid ones."""
    for length in (b"5", b"0", b"7"):
        valid(b"HTTP/1.1 200 OK\r\nContent-Length: " + length)
    assert parse(b"HTTP/1.1 200 OK\r\n" + lines) is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"HTTP/1.1",
        b"HTTP/2 200 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.1  200 OK",
        b"ICY 200 OK",
        b" HTTP/1.1 200 OK",
        b"http/1.1 200 OK",
        b"GET / HTTP/1.1",
        b"{}",
    ],
)
def test_what_is_not_http(line: bytes) -> None:
    assert parse(line) is None
    assert parse(line + b"\r\nContent-Length: 5") is None


@pytest.mark.parametrize("line", [b"HTTP/1.1 404 Not Found", b"HTTP/1.1 404 ", b"HTTP/1.1 404", b"HTTP/1.0 404 X"])
@pytest.mark.parametrize("more", [b"", b"\r\nX: y"])
def test_the_status(line: bytes, more: bytes) -> None:
    answer, _ = valid(line + more)
    assert answer.status == 404
    assert answer.wire.startswith(b"HTTP/1.1 404"), "the version is ours, whatever upstream speaks"
    assert answer.wire.endswith(more + b"\r\n")


@pytest.mark.parametrize(
    ("start", "lines", "keep"),
    [
        (b"HTTP/1.1", b"", True),
        (b"HTTP/1.1", b"Connection: keep-alive\r\n", True),
        (b"HTTP/1.1", b"Connection: close\r\n", False),
        (b"HTTP/1.1", b"connection:Close\r\n", False),
        (b"HTTP/1.1", b"Connection: x\r\nConnection: close\r\n", False),
        (b"HTTP/1.0", b"", False),
    ],
)
def test_whether_the_connection_goes_on(start: bytes, lines: bytes, keep: bool) -> None:
    answer, _ = valid(start + b" 200 OK\r\n" + lines + b"Content-Length: 5")
    assert answer.keep == keep
    assert b"onnection" not in answer.wire


def test_what_is_passed_on() -> None:
    head = b"HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nKeep-Alive: timeout=5\r\nX-Keep-Alive: y\r\n"
    assert (
        valid(head + b"Content-Length: 5\r\nA:\r\nA: b")[0].wire
        == b"HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nX-Keep-Alive: y\r\nA:\r\nA: b\r\n"
    )


@pytest.mark.parametrize(
    ("lines", "events"),
    [
        (b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked", True),
        (b"Transfer-Encoding: chunked\r\ncontent-type:Text/Event-Stream; charset=utf-8", True),
        (b"Content-Type: text/event-stream\r\nContent-Length: 5", False),
        (b"Content-Type: text/plain\r\nTransfer-Encoding: chunked", False),
    ],
)
def test_event_streams(lines: bytes, events: bool) -> None:
    assert valid(b"HTTP/1.1 200 OK\r\n" + lines)[0].events == events


def test_each_length_is_its_own() -> None:
    for length in (0, 1, 600, 123456789012345, 1234567890123456):
        assert valid(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX: 1" % length)[1] == length


def test_more_heads_than_are_remembered() -> None:
    for _ in range(2):
        for i in range(600):
            assert valid(b"HTTP/1.1 200 OK\r\nX: %d" % i)[0].wire == b"HTTP/1.1 200 OK\r\nX: %d\r\n" % i
