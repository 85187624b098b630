"""Bodies: by their length, in chunks, straight to their place; none larger than allowed."""

import mmap
import tracemalloc

import psutil
import pytest

from llamactl.proxy.request import LARGE, MAX_HEAD, HeadTooLarge, Reader
from tests.proxy.reading import LIMIT, all_emitted, bytewise, fault, feed, read

NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def sized(length: int, *lines: bytes) -> bytes:
    return b"".join(
        line + b"\r\n" for line in (b"POST /a HTTP/1.1", b"Host: x", *lines, b"Content-Length: %d" % length, b"")
    )


def pattern(length: int) -> bytes:
    """No two places in it look alike."""
    return b"".join(b"%07d\n" % i for i in range(length // 8 + 1))[:length]


# --- chunks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "chunks",
    [
        b"5\r\nhello\r\n0\r\n\r\n",
        b"1\r\nh\r\n3\r\nell\r\n1\r\no\r\n0\r\n\r\n",
        b"00000000000000000000000000005\r\nhello\r\n000\r\n\r\n",
        b'5;a;b=c;d="e f"\r\nhello\r\n0;last\r\n\r\n',
        b"5\r\nhello\r\n0\r\nX-Trailer: y\r\nServer-Timing: z\r\n\r\n",
        b"5\r\nhello\r\n0\r\nConnection: upgrade\r\nUpgrade: websocket\r\nExpect: 100-continue\r\nHost: evil\r\n\r\n",
        b"5\r\nhello\r\n0\r\nAuthorization: x\r\nContent-Type: text/x\r\n\r\n",
    ],
)
def test_chunks(chunks: bytes) -> None:
    """They are put together, and sent on with their length; trailers are dropped."""
    for pieces in ([CHUNKED + chunks + NEXT], bytewise(CHUNKED + chunks + NEXT), [CHUNKED, chunks, NEXT]):
        reader = read(*pieces)
        first, second = all_emitted(reader)
        assert first.headers == [(b"host", b"x"), (b"content-length", b"5")]
        assert first.body == b"hello"
        assert not reader.requests[0].head.upgrade
        assert second.target == b"/next"


def test_chunks_of_every_kind_of_size() -> None:
    body = pattern(300_000)
    data, at = CHUNKED, 0
    for size in (1, 9, 10, 15, 16, 255, 256, 4095, 65536, 200_000):
        data += b"%X\r\n%b\r\n" % (size, body[at : at + size])
        at += size
    [sent] = all_emitted(read(data + b"0\r\n\r\n"))
    assert sent.body == body[:at]
    [sent] = all_emitted(read(*[data[i : i + 1000] for i in range(0, len(data), 1000)], b"0\r\n\r\n"))
    assert sent.body == body[:at]


def test_no_chunks() -> None:
    [sent] = all_emitted(read(CHUNKED + b"0\r\n\r\n"))
    assert sent.headers == [(b"host", b"x"), (b"content-length", b"0")]


@pytest.mark.parametrize(
    "chunks",
    [
        b"\r\nhello\r\n",
        b" 5\r\nhello\r\n",
        b"5 \r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b"-5\r\nhello\r\n",
        b"0x5\r\nhello\r\n",
        b"5_0\r\nhello\r\n",
        b"g\r\nhello\r\n",
        b"5\nhello\r\n",
        b"5\rhello\r\n",
        b"5\r\rhello\r\n",
        b"5;a\nb\r\nhello\r\n",
        b"5;a\rb\r\nhello\r\n",
        b"5;\x00\r\nhello\r\n",
        b"4\r\nhello\r\n",
        b"6\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"10000000000000005\r\nhello\r\n",
        b"0\r\nX y\r\n\r\n",
        b"0\r\nX: y\r\n z\r\n\r\n",
        b"0\r\nX: \x00\r\n\r\n",
        b"0\r\nContent-Length: 5\r\n\r\n",
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"0\n\n",
        b"0\r\n\n",
    ],
)
def test_chunks_that_are_none(chunks: bytes) -> None:
    for pieces in ([CHUNKED + chunks + NEXT], bytewise(CHUNKED + chunks + NEXT), [CHUNKED, chunks, NEXT]):
        assert fault(read(*pieces)).status == 400


@pytest.mark.parametrize("size", [b"ffffffffffffffff", b"7fffffffffffffff", b"%x" % (LIMIT + 1)])
def test_a_huge_chunk_is_counted_when_it_comes(size: bytes) -> None:
    reader = read(CHUNKED + size + b"\r\n" + b"x" * 1000)
    assert not reader.requests
    fed = 1000
    while not reader.requests:
        reader.feed(b"x" * 65536)
        fed += 65536
        assert fed < LIMIT + 2 * 65536
    assert fault(reader).status == 413


@pytest.mark.parametrize("end", [b"0\r\n", b"0\r\nX: ", b"5;", b"5;a=", b'5;a="', b"", b"000"])
@pytest.mark.parametrize("more", [b"0", b"X: y\r\n", b"y"])
@pytest.mark.parametrize("piece", [1, 1000, 100_000])
def test_what_stands_around_chunks_is_bounded(end: bytes, more: bytes, piece: int) -> None:
    """Chunk sizes, extensions and trailers; nothing of them counts as body."""
    reader = read(CHUNKED, b"3\r\nabc\r\n", end)
    data = more * -(-piece // len(more))
    fed = 0
    while not reader.requests:
        reader.feed(data)
        fed += len(data)
        assert fed <= 3 * (MAX_HEAD + len(data))
    assert isinstance(fault(reader), HeadTooLarge) or fault(reader).status == 400


def test_many_small_chunks_are_not_a_flood() -> None:
    chunks = b"1;extension=value\r\nx\r\n" * 20_000
    [sent] = all_emitted(read(CHUNKED + chunks + b"0\r\n\r\n"))
    assert sent.body == b"x" * 20_000
    [sent] = all_emitted(read(CHUNKED, *bytewise(chunks[:200_000]), chunks[200_000:], b"0\r\n\r\n"))
    assert sent.body == b"x" * 20_000


def test_many_small_chunks_take_no_more_memory_than_their_body() -> None:
    reader = read(CHUNKED)
    chunks = b"2\r\nab\r\n" * 8192
    tracemalloc.start()
    try:
        for _ in range(16):
            reader.feed(chunks)
        assert tracemalloc.get_traced_memory()[0] < 4 * 16 * 2 * 8192
    finally:
        tracemalloc.stop()
    reader.feed(b"0\r\n\r\n")
    assert all_emitted(reader)[0].body == b"ab" * 8192 * 16


# --- the limit --------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [0, 1, 1000, LARGE, 2 * LARGE])
def test_the_limit(limit: int) -> None:
    body = pattern(limit + 1)
    for data in (sized(limit) + body[:limit], CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (limit, body[:limit])):
        if limit or data.startswith(sized(0)):
            assert [sent.body for sent in all_emitted(read(data, max_body=limit))] == [body[:limit]]
    for data in (sized(limit + 1), sized(limit + 1) + body, CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (limit + 1, body)):
        refused = fault(read(data + NEXT, max_body=limit))
        assert refused.status == 413
        assert "http.max_body" in refused.hint


def test_too_large_is_known_before_the_body_comes() -> None:
    reader = read(sized(LIMIT + 1, b"Expect: 100-continue"))
    assert fault(reader).status == 413
    assert not reader.awaits_continue


# --- 100-continue -----------------------------------------------------------------------------------


def test_who_waits_for_100_continue() -> None:
    for line in (b"Expect: 100-continue", b"expect: 100-Continue"):
        reader = read(sized(5, line))
        assert reader.awaits_continue
        feed(reader, b"hel")
        feed(reader, b"lo")
        assert not reader.requests[0].fault
        assert all_emitted(reader)[0].body == b"hello"
    assert not read(sized(5, b"Expect: 100-continue") + b"hello").awaits_continue, "it is all here"
    assert not read(sized(5)).awaits_continue
    assert not read(sized(5, b"Expect: something")).awaits_continue


# --- large bodies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [LARGE - 1, LARGE, LARGE + 1, 3 * LARGE])
@pytest.mark.parametrize("piece", [777, 65536, LARGE + 400])
def test_large_bodies(length: int, piece: int) -> None:
    """The rest of one goes to its place without the parser, and the next request comes after it."""
    body = pattern(length)
    data = NEXT + sized(length) + body + NEXT + sized(5) + b"hello"
    reader = Reader(10 * LARGE)
    for at in range(0, len(data), piece):
        feed(reader, data[at : at + piece])
    assert [sent.body for sent in all_emitted(reader)] == [b"", body, b"", b"hello"]
    assert isinstance(reader.requests[1].body, mmap.mmap) == (length >= LARGE)
    assert reader.place is None
    assert not reader.in_body


@pytest.mark.parametrize("length", [LARGE, LARGE + 100])
def test_a_large_body_cut_around_its_ends(length: int) -> None:
    body, head = pattern(length), sized(length)
    data = head + body + NEXT
    for cut in [*range(len(head) - 3, len(head) + 4), *range(len(head) + length - 3, len(data))]:
        assert [sent.body for sent in all_emitted(read(data[:cut], data[cut:]))] == [body, b""]


def test_the_last_large_body_of_a_connection() -> None:
    reader = read(sized(LARGE, b"Connection: close"), pattern(LARGE))
    assert all_emitted(reader)[0].body == pattern(LARGE)
    assert reader.ended


def test_a_large_body_takes_no_memory_before_it_comes() -> None:
    before = psutil.Process().memory_info().rss
    readers = [read(sized(100 << 20), max_body=100 << 20) for _ in range(20)]
    assert all(reader.place is not None and len(reader.place) == 100 << 20 for reader in readers)
    assert psutil.Process().memory_info().rss - before < 50 << 20


# --- pipelining -------------------------------------------------------------------------------------


def test_pipelined_requests_in_their_order() -> None:
    data = b"".join(
        sized(len(b"%d" % i), b"X-Number: %d" % i) + b"%d" % i
        if i % 3
        else CHUNKED + b"%x\r\n%d\r\n0\r\n\r\n" % (len(str(i)), i)
        for i in range(300)
    )
    for piece in (1, 10, 1000, len(data)):
        reader = read(*[data[at : at + piece] for at in range(0, len(data), piece)])
        assert [int(sent.body) for sent in all_emitted(reader)] == list(range(300))


def test_thousands_of_offers_of_http2_in_one_piece() -> None:
    data = b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n" * 5000
    assert len(read(data).requests) == 5000


def test_empty_lines_are_not_remembered_as_a_head() -> None:
    assert len(all_emitted(read(b"\n\r\n\r\nGET /secret HT", b"TP/1.1\r\n\r\n"))) == 1
    assert not read(b"\n\r\n\r\n").requests


def test_the_same_head_again_is_not_taken_for_a_whole_request() -> None:
    """The short way is for one request in one piece; more or less than that goes through the parser."""
    whole = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    reader = Reader(1 << 20)
    for _ in range(3):  # parsed, known, known to the last digit
        reader.feed(whole)
    reader.feed(whole[:-2])
    assert len(reader.requests) == 3
    reader.feed(whole[-2:])
    reader.feed(whole)
    reader.feed(whole + whole[:-1])
    reader.feed(whole[-1:])
    assert [request.body for request in reader.requests] == [b"hello"] * 7
    assert not reader.in_body and not reader.ended
