"""How answers come back through the door: framing, streams, other protocols, back-pressure."""

import asyncio
from pathlib import Path

import pytest

from llamactl.proxy.request import LARGE
from tests.proxy.asking import CLOSING, UPGRADE, ask, asked, get, post
from tests.proxy.front import opened, until
from tests.proxy.upstreams import (
    CLOSE,
    EARLY_HINTS,
    ECHO,
    EVENTS,
    HANG,
    SWITCH,
    always,
    chunk,
    chunked,
    chunked_head,
    event,
    in_turn,
    sized,
    until_close,
)
from tests.proxy.wire import ID_LINE

pytestmark = pytest.mark.anyio

OLD = b"POST /v1/embeddings HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (len(asked()), asked())


# --- framing ----------------------------------------------------------------------------------------


async def test_a_sized_answer_to_the_byte(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(
            b"HTTP/1.1 201 Created\r\nServer: llama.cpp\r\ncontent-length:  5\r\nKeep-Alive: timeout=5, max=100\r\n"
            b"Connection: keep-alive\r\nX-Y: z\r\n\r\nhello"
        )
        client = await front.client()
        for _ in range(2):
            client.send(ask())
            assert await client.until(b"hello") == (
                b"HTTP/1.1 201 Created\r\nServer: llama.cpp\r\nX-Y: z\r\n%bContent-Length: 5\r\n\r\nhello" % ID_LINE
            )


async def test_chunks_to_the_byte(tmp_path: Path) -> None:
    """With what stands around them, so that a client sees what llama-server wrote."""
    chunks = b"5;x=y\r\nhello\r\n00001\r\n!\r\n0\r\nX-Trailer: z\r\n\r\n"
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked_head("X-Y: z") + chunks)
        client = await front.client()
        for _ in range(2):
            client.send(ask())
            assert await client.until(chunks) == (
                b"HTTP/1.1 200 OK\r\nX-Y: z\r\n%bTransfer-Encoding: chunked\r\n\r\n%b" % (ID_LINE, chunks)
            )
        assert len(front.upstream.visits) == 1


async def test_a_stream_comes_as_it_is_said(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        events = [asyncio.Event() for _ in range(20)]
        steps = [step for i, told in enumerate(events) for step in (told, chunk(event(f"{i}")))]
        front.upstream.play = always(chunked_head(EVENTS), *steps, b"0\r\n\r\n")
        client = await front.client()
        client.send(ask())
        assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream")
        for i, told in enumerate(events):
            assert len(front.leases.out) == 1
            told.set()
            assert await client.until(b"\n\n\r\n") == chunk(event(f"{i}"))
        await client.until(b"0\r\n\r\n")
        assert not front.leases.out


async def test_an_answer_until_close(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = in_turn(always(*until_close(b"all there is")), always(*until_close(b"old", "1.0")))
        for body in (b"all there is", b"old"):
            client = await front.client()
            client.send(ask(), get(b"/not-begun"))
            answer = await client.answer()
            assert (answer.body, answer.header(b"connection")) == (body, b"close")
            assert await client.rest() == b""
        assert not front.web.requests


async def test_an_answer_of_http_1_0_with_a_length(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", CLOSE)
        client = await front.client()
        for _ in range(3):
            assert (await client.ask(ask())).body == b"old"
        assert len(front.upstream.visits) == 3


@pytest.mark.parametrize(
    ("status", "head"),
    [
        ("204 No Content", b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n"),
        ("304 Not Modified", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 1000\r\n\r\n"),
        ("304 Not Modified", b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ],
)
async def test_answers_without_a_body(tmp_path: Path, status: str, head: bytes) -> None:
    async with opened(tmp_path) as front:
        front.web.play = in_turn(always(head), lambda request: [sized(request.target)])
        client = await front.client()
        answer = await client.ask(get(b"/1"))
        assert (answer.status, answer.body) == (int(status[:3]), b"")
        assert (await client.ask(get(b"/2"))).body == b"/2"
        assert len(front.web.visits) == 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
async def test_head(tmp_path: Path, head: bytes) -> None:
    async with opened(tmp_path) as front:
        front.web.play = in_turn(always(head), lambda request: [sized(request.target)])
        client = await front.client()
        client.send(get(b"/1", method=b"HEAD"), get(b"/2"))
        answered = await client.until(b"\r\n\r\n/2")
        assert answered.count(ID_LINE) == 2
        assert answered.replace(ID_LINE, b"").startswith(head)


async def test_hints_are_not_passed_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        hinted = asyncio.Event()
        front.upstream.play = always(EARLY_HINTS, EARLY_HINTS[:9], hinted, EARLY_HINTS[9:] + sized(b"hello"))
        client = await front.client()
        client.send(ask())
        await until(lambda: front.upstream.requests)
        hinted.set()
        assert (await client.answer()).body == b"hello"


async def test_a_last_answer_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        for play in (always(sized(b"x")), always(chunked(b"x")), always(*until_close(b"x"))):
            front.upstream.play = play
            client = await front.client()
            answer = await client.ask(post(asked(), CLOSING))
            assert (answer.body, answer.header(b"connection")) == (b"x", b"close")
            assert await client.rest() == b""


@pytest.mark.parametrize("connection", [b"", b"Connection: keep-alive\r\n"])
async def test_old_clients(tmp_path: Path, connection: bytes) -> None:
    """They know no chunks, and every answer ends their connection."""
    old = OLD.replace(b"\r\n\r\n", b"\r\n" + connection + b"\r\n", 1)
    async with opened(tmp_path) as front:
        for play in (always(sized(b"hello")), always(chunked(b"he", b"l" * 2, b"o")), always(*until_close(b"hello"))):
            front.upstream.play = play
            client = await front.client()
            answer = await client.ask(old)
            assert (answer.body, answer.header(b"connection")) == (b"hello", b"close")
            assert answer.header(b"transfer-encoding") is None
            assert await client.rest() == b""


async def test_an_old_client_has_a_stream_as_it_is_said(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        more = asyncio.Event()
        front.upstream.play = always(chunked_head(EVENTS), chunk(event("1")), more, chunk(event("2")) + b"0\r\n\r\n")
        client = await front.client()
        client.send(OLD)
        await client.until(b"\r\n\r\n" + event("1"))
        more.set()
        assert await client.rest() == event("2")


async def test_many_answers_at_once(tmp_path: Path) -> None:
    """What comes in the same piece as the end of an answer is not the next one, since nobody has asked."""
    async with opened(tmp_path) as front:
        front.upstream.play = in_turn(always(sized(b"one") + sized(b"smuggled")), lambda request: [sized(request.body)])
        client = await front.client()
        client.send(ask("1"), ask("2"))
        assert (await client.answer()).body == b"one"
        assert (await client.answer()).body == asked("2")
        assert len(front.upstream.visits) == 2, "such a connection is not used again"


async def test_bytes_that_nobody_asked_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        later = asyncio.Event()
        front.upstream.play = in_turn(always(sized(b"one"), later, sized(b"smuggled"), HANG), always(sized(b"two")))
        client = await front.client()
        assert (await client.ask(ask())).body == b"one"
        later.set()
        await front.upstream.visits[0].gone.wait()
        assert (await client.ask(ask())).body == b"two"


# --- other protocols ----------------------------------------------------------------------------------


async def test_both_sides_talk_through_a_tunnel(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.web.play = always(SWITCH, b"welcome", ECHO)
        client = await front.client()
        client.send(UPGRADE)
        head = await client.until(b"welcome")
        assert head == (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n%bConnection: Upgrade\r\n\r\nwelcome" % ID_LINE
        )
        for text in (b"\x00\xff", b"GET / HTTP/1.1\r\n\r\n", b"x" * 100_000):
            client.send(text)
            assert await client.take(len(text)) == text
        [sent] = front.web.requests
        assert (sent.all(b"upgrade"), sent.all(b"connection")) == ([b"websocket"], [b"Upgrade"])
        front.pass_time(1000)
        client.send(b"still there?")
        await client.until(b"still there?")


async def test_what_is_said_before_the_tunnel_is_open(tmp_path: Path) -> None:
    """Together with the request, and after it."""
    async with opened(tmp_path) as front:
        ready = asyncio.Event()
        front.web.play = always(ready, SWITCH, ECHO)
        client = await front.client()
        client.send(UPGRADE, b"early,")
        await until(lambda: front.web.requests)
        for piece in (b"later,", b"latest,", b"y" * 300_000):
            client.send(piece)
            await client.sent()
        await front.settled()
        ready.set()
        await client.until(b"\r\n\r\n" + b"early,later,latest," + b"y" * 300_000)
        client.send(b"last")
        await client.until(b"last")


async def test_what_is_said_before_the_tunnel_is_open_is_not_taken_in_without_end(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        ready = asyncio.Event()
        front.web.play = always(ready, SWITCH, ECHO)
        client = await front.client(narrow=True)
        client.send(UPGRADE, b"x" * (24 << 20))
        await until(lambda: front.web.requests)
        await front.settled()
        assert client.unsent > 8 << 20
        ready.set()
        await client.until(b"\r\n\r\n" + b"x" * 1000)


async def test_a_tunnel_after_pipelined_requests(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.web.play = lambda request: [SWITCH, ECHO] if request.target == b"/ws" else [sized(request.target)]
        client = await front.client()
        client.send(get(b"/1"), get(b"/2"), get(b"/3"), UPGRADE, b"early,")
        for i in (b"/1", b"/2", b"/3"):
            assert (await client.answer()).body == i
        await client.until(b"\r\n\r\nearly,")
        client.send(b"later")
        await client.until(b"later")


@pytest.mark.parametrize("by", ["client", "server"])
async def test_a_tunnel_ends_for_both(tmp_path: Path, by: str) -> None:
    async with opened(tmp_path) as front:
        end = asyncio.Event()
        front.web.play = always(SWITCH, end, b"bye", CLOSE) if by == "server" else always(SWITCH, ECHO)
        client = await front.client()
        client.send(UPGRADE)
        await client.until(b"\r\n\r\n")
        if by == "server":
            end.set()
            assert await client.rest() == b"bye"
        else:
            client.leave()
            await front.web.visits[0].gone.wait()


async def test_an_upgrade_that_is_declined(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        client = await front.client()
        client.send(UPGRADE, b"early")
        assert (await client.answer()).body == b"/ws"
        assert await client.rest() == b"", "what follows is in a protocol that nobody speaks"


async def test_a_tunnel_that_nobody_asked_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.web.play = always(SWITCH, ECHO)
        client = await front.client()
        assert (await client.ask(get(b"/"))).status == 502
        await front.web.visits[0].gone.wait()


async def test_a_tunnel_does_not_run_over(tmp_path: Path) -> None:
    """A server that does not read stops the client from sending; a client that does not read stops the server."""
    async with opened(tmp_path) as front:
        front.web.play = always(SWITCH, ECHO)
        client = await front.client(narrow=True)
        client.send(UPGRADE)
        await client.until(b"\r\n\r\n")
        front.web.listening.clear()
        text = b"".join(b"%07d\n" % i for i in range(3 << 20))  # 24 MiB
        client.send(text)
        await front.settled()
        assert client.unsent > 8 << 20
        front.web.listening.set()
        await front.settled()
        assert front.web.visits[0].sent < 12 << 20, "nobody takes what comes back"
        assert await client.take(len(text)) == text


# --- back-pressure --------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", ["sized", "chunked", "until it closes", "for an old client"])
async def test_a_client_that_does_not_read(tmp_path: Path, framing: str) -> None:
    """The server is not read either; later all of it arrives."""
    body = b"".join(b"%07d\n" % i for i in range(1 << 20))  # 8 MiB
    pieces = [body[at : at + 50_000] for at in range(0, len(body), 50_000)]
    async with opened(tmp_path) as front:
        if framing == "sized":
            front.upstream.play = always(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), *pieces)
        elif framing == "until it closes":
            front.upstream.play = always(b"HTTP/1.1 200 OK\r\n\r\n", *pieces, CLOSE)
        else:
            front.upstream.play = always(chunked_head(), *map(chunk, pieces), b"0\r\n\r\n")
        client = await front.client(narrow=True)
        front.narrow_answers()
        client.send(OLD if framing == "for an old client" else ask())
        await until(lambda: any(connection.paused for connection in front.door.connections))
        await front.settled()
        assert front.upstream.visits[0].sent < 4 << 20, "what the kernel holds, and no more"
        [connection] = front.door.connections
        assert connection.transport.get_write_buffer_size() < 1 << 20
        assert (await client.answer()).body == body
        await until(lambda: not front.leases.out)


async def test_a_paused_client_whose_next_answer_is_ready(tmp_path: Path) -> None:
    """The first has been taken from its server, and lies before the client; the second is not read meanwhile."""
    async with opened(tmp_path) as front:
        large = b"x" * (200 << 10)
        front.upstream.play = always(sized(large))
        client = await front.client(narrow=True)
        front.narrow_answers()
        client.send(*[ask()] * 100)
        await until(lambda: any(connection.paused for connection in front.door.connections))
        await front.settled()
        assert len(front.upstream.requests) < 20
        for _ in range(100):
            assert (await client.answer()).body == large


async def test_a_large_body_for_a_server_that_does_not_read(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.listening.clear()
        client = await front.client()
        client.send(post(asked("x" * (10 * LARGE))))
        await until(lambda: front.leases.out)
        await front.settled()
        front.upstream.listening.set()
        assert (await client.answer()).body == asked("x" * (10 * LARGE))
