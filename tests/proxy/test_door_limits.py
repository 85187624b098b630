"""Clients who take their time, send too much, or take nothing; and how the door closes."""

import asyncio
import json
from pathlib import Path

import pytest

from llamactl.proxy.connection import BODY, HEAD, IDLE, LINGER, STALLED, Connection
from llamactl.proxy.request import LARGE
from tests.proxy.asking import CLOSING, EXPECT, UPGRADE, ask, asked, get, post
from tests.proxy.front import Client, Front, opened, until
from tests.proxy.stage import Line, Stage
from tests.proxy.upstreams import ECHO, EVENTS, HANG, SWITCH, always, chunk, chunked_head, event, in_turn, sized
from tests.proxy.wire import Answer

pytestmark = pytest.mark.anyio


def code(answer: Answer) -> str:
    return str(json.loads(answer.body)["error"]["code"])


async def arrived(front: Front, client: Client) -> None:
    """The door has read whatever this client has sent."""
    await client.sent()
    await front.settled()


# --- too slow ---------------------------------------------------------------------------------------


async def test_who_says_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        client = await front.client()
        await until(lambda: front.door.connections)
        front.pass_time(HEAD - 1)
        assert front.door.connections
        front.pass_time(1)
        assert await client.rest() == b""


async def test_who_says_no_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        client = await front.client()
        for _ in range(3):
            await client.ask(get(b"/"))
            front.pass_time(IDLE - 1)
        await client.ask(get(b"/"))
        front.pass_time(IDLE)
        assert await client.rest() == b""


@pytest.mark.parametrize("before", [b"", get(b"/"), ask()])
async def test_a_head_that_comes_slowly(tmp_path: Path, before: bytes) -> None:
    """Byte by byte, with never a long pause."""
    async with opened(tmp_path) as front:
        client = await front.client()
        if before:
            await client.ask(before)
            front.pass_time(IDLE - HEAD - 1)
        for byte in b"GET / HTTP"[: HEAD - 1]:
            client.send(bytes([byte]))
            await arrived(front, client)
            front.pass_time(1)
        assert front.door.connections
        front.pass_time(1)
        answer = await client.answer()
        assert (answer.status, answer.header(b"connection")) == (408, b"close")
        assert await client.rest() == b""


@pytest.mark.parametrize("length", [1000, LARGE + 1000])
async def test_a_body_that_stops(tmp_path: Path, length: int) -> None:
    async with opened(tmp_path) as front:
        client = await front.client()
        data = post(b" " * length)
        client.send(data[: length // 2])
        for i in range(5):
            client.send(data[length // 2 + i : length // 2 + i + 1])
            await arrived(front, client)
            front.pass_time(BODY - 1)
        assert front.door.connections, "it goes on, if slowly"
        front.pass_time(1)
        assert (await client.answer()).status == 408
        assert await client.rest() == b""
        assert not front.leases.granted


async def test_who_waits_for_100_continue_and_then_says_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        client = await front.client()
        assert (await client.ask(post(asked(), EXPECT)[: -len(asked())])).status == 100
        front.pass_time(BODY)
        assert (await client.answer()).status == 408


@pytest.mark.parametrize("next", [b"GET / HT", post(asked())[:-3], post(asked(), EXPECT)[: -len(asked())]])
async def test_the_next_request_does_not_hurry_an_answer(tmp_path: Path, next: bytes) -> None:
    """It has begun and does not go on; that counts when the answer before it is out."""
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked_head(), chunk(b"1"), end := asyncio.Event(), b"0\r\n\r\n")
        client = await front.client()
        client.send(ask(), next)
        await client.until(b"1\r\n")
        await arrived(front, client)
        front.pass_time(10_000)
        end.set()
        await client.until(b"0\r\n\r\n")
        front.pass_time(max(HEAD, BODY))
        assert b"HTTP/1.1 408 " in await client.rest()


async def test_answers_take_as_long_as_they_take(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(
            head := asyncio.Event(), chunked_head(), body := asyncio.Event(), chunk(b"1") + b"0\r\n\r\n"
        )
        client = await front.client()
        client.send(ask())
        await until(lambda: front.upstream.requests)
        front.pass_time(100_000)
        head.set()
        await client.until(b"\r\n\r\n")
        front.pass_time(100_000)
        body.set()
        await client.until(b"0\r\n\r\n")


# --- takes nothing ------------------------------------------------------------------------------------


async def clogged(front: Front, *requests: bytes) -> Client:
    """A client that does not read what it has asked for, and is in the way of it by now."""
    client = await front.client(narrow=True)
    await until(lambda: front.door.connections)
    front.narrow_answers()
    client.send(*requests)
    await until(lambda: any(connection.paused for connection in front.door.connections))
    await front.settled()
    return client


async def test_who_takes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked_head(), *[chunk(b"x" * 60_000)] * 100, HANG)
        await clogged(front, ask())
        front.pass_time(STALLED - 1)
        assert front.leases.out
        front.pass_time(1)
        await until(lambda: not front.leases.out and not front.door.connections)
        await front.upstream.visits[0].gone.wait()


async def test_who_takes_little_by_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed: list[Connection] = []
    resume = Connection.resume_writing

    def noted(self: Connection) -> None:
        resumed.append(self)
        resume(self)

    monkeypatch.setattr(Connection, "resume_writing", noted)
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked_head(), *[chunk(b"x" * 60_000)] * 150, b"0\r\n\r\n")
        client = await clogged(front, ask())
        for _ in range(3):
            resumed.clear()
            while not resumed:  # how much lies between the door and this client is the kernel's affair
                await client.take(100_000)
                await front.settled()
            front.pass_time(STALLED - 1)
        await client.until(b"\r\n0\r\n\r\n")


async def test_who_asks_for_more_and_takes_nothing(tmp_path: Path) -> None:
    """Its first answer lies here whole, and nobody is asked for the next."""
    async with opened(tmp_path) as front:
        front.upstream.play = always(sized(b"x" * (200 << 10)))
        await clogged(front, *[ask()] * 50)
        assert len(front.upstream.requests) < 10
        front.pass_time(STALLED)
        await until(lambda: not front.door.connections)


@pytest.mark.parametrize("size", [20_000, 40_000, 60_000, 300_000])
async def test_who_does_not_take_the_last_answer(tmp_path: Path, size: int) -> None:
    """Little of it is left, so that nothing is paused; yet the connection must end."""
    async with opened(tmp_path) as front:
        front.upstream.play = always(sized(b"x" * size))
        client = await front.client(narrow=True)
        await until(lambda: front.door.connections)
        front.narrow_answers()
        client.send(post(asked(), CLOSING))
        await until(lambda: front.upstream.requests)
        await front.settled()
        front.pass_time(2 * STALLED)
        await until(lambda: not front.door.connections)


async def test_who_takes_nothing_and_then_sends_half_a_request(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(sized(b"x" * 60_000))
        client = await front.client(narrow=True)
        await until(lambda: front.door.connections)
        front.narrow_answers()
        client.send(ask(), b"GET / HT")
        await until(lambda: front.upstream.requests)
        await front.settled()
        front.pass_time(3 * STALLED)
        await until(lambda: not front.door.connections)


@pytest.mark.parametrize("data", [ask("x" * 12_000, model="nobody"), get(b"/" + b"x" * 12_000)])
async def test_who_goes_on_asking_and_takes_nothing(tmp_path: Path, data: bytes) -> None:
    """Not even refusals heap up."""
    async with opened(tmp_path) as front:
        front.web.play = always(sized(b"x" * 250))
        client = await clogged(front, data * 2000)  # 24 MB
        assert client.unsent > 8 << 20
        [connection] = front.door.connections
        assert connection.transport.get_write_buffer_size() < 1 << 20
        for _ in range(2000):
            assert len((await client.answer()).body) > 100
        assert not client.unsent


async def test_nobody_is_told_to_go_on_before_its_turn(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.web.play = always(sized(b"x" * (200 << 10)))
        client = await clogged(front, get(b"/1"), get(b"/2"), post(asked(), EXPECT)[: -len(asked())])
        for _ in range(2):
            assert (await client.answer()).body == b"x" * (200 << 10)
        assert (await client.answer()).status == 100
        assert (await client.ask(asked())).body == asked()


# --- too much -----------------------------------------------------------------------------------------


async def test_a_body_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """The client has its answer though it goes on sending, and may do so for a moment."""
    async with opened(tmp_path, max_body=1 << 20) as front:
        client = await front.client()
        client.send(post(b"x" * (8 << 20))[:1000])
        answer = await client.answer()
        assert (answer.status, code(answer), answer.header(b"connection")) == (413, "body_too_large", b"close")
        for _ in range(7):
            client.send(b"x" * (1 << 20))
            await client.sent()
        await arrived(front, client)
        assert front.door.connections
        front.pass_time(LINGER)
        await until(lambda: not front.door.connections)
        assert not front.leases.granted


@pytest.mark.parametrize("chunks", [True, False])
async def test_who_sends_it_all_and_then_reads(tmp_path: Path, chunks: bool) -> None:
    async with opened(tmp_path, max_body=1 << 20) as front:
        body = b"x" * (4 << 20)
        client = await front.client()
        if chunks:
            client.send(
                b"POST /v1/embeddings HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", chunk(body), b"0\r\n\r\n"
            )
        else:
            client.send(post(body))
        await client.sent()
        assert (await client.answer()).status == 413
        assert await client.rest() == b""


@pytest.mark.parametrize("limit", [0, 1000, 2 * LARGE])
async def test_the_limit_is_what_it_is_set_to(tmp_path: Path, limit: int) -> None:
    async with opened(tmp_path, max_body=limit) as front:
        client = await front.client()
        fits = asked().ljust(limit)
        assert (await client.ask(post(fits, path=b"/any"))).status == (200 if len(fits) == limit else 413)
        assert (await front.ask(post(asked().ljust(limit + 1)))).status == 413


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * (1 << 20), 431),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 100_000, 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"CONNECT example.org:443 HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500, 400),
    ],
)
async def test_faults(tmp_path: Path, data: bytes, status: int) -> None:
    """They are answered in their turn, and nothing after them is."""
    async with opened(tmp_path) as front:
        front.upstream.play = always(ready := asyncio.Event(), sized(b"first"))
        client = await front.client()
        client.send(ask(), data, get(b"/never"))
        await until(lambda: front.upstream.requests)
        await arrived(front, client)
        ready.set()
        assert (await client.answer()).body == b"first"
        answer = await client.answer()
        assert (answer.status, answer.header(b"connection")) == (status, b"close")
        assert code(answer) in ("bad_request", "head_too_large")
        assert await client.rest() == b""
        assert not front.web.requests


# --- closing ------------------------------------------------------------------------------------------


async def test_closing_lets_answers_end(tmp_path: Path) -> None:
    async with opened(tmp_path, drain=1000.0) as front:
        head, end = asyncio.Event(), asyncio.Event()
        front.upstream.play = in_turn(
            always(chunked_head(EVENTS), chunk(event("1")), end, chunk(event("2")) + b"0\r\n\r\n"),
            always(head, sized(b"whole")),
        )
        streaming, waiting, idle, half = [await front.client() for _ in range(4)]
        streaming.send(ask(), get(b"/never"))
        await streaming.until(b"1\n\n\r\n")
        waiting.send(ask())
        await until(lambda: len(front.upstream.requests) == 2)
        await idle.ask(get(b"/"))
        half.send(b"GET / HT")
        await front.settled()

        closing = asyncio.ensure_future(front.close())
        assert await idle.rest() == b""
        assert await half.rest() == b""
        head.set()
        answer = await waiting.answer()
        assert (answer.body, answer.header(b"connection")) == (b"whole", b"close")
        assert not closing.done()
        end.set()
        assert await streaming.rest() == chunk(event("2")) + b"0\r\n\r\n"
        await closing
        await until(lambda: not front.upstream.open_visits and not front.web.open_visits)
        assert len(front.web.requests) == 1


async def test_closing_lets_those_who_wait_have_their_answer(tmp_path: Path) -> None:
    async with opened(tmp_path, drain=1000.0) as front:
        front.leases.loading["a"] = loaded = asyncio.Event()
        client = await front.client()
        client.send(ask())
        await until(lambda: front.leases.waiting)
        closing = asyncio.ensure_future(front.close())
        await front.settled()
        loaded.set()
        assert (await client.answer()).body == asked()
        await closing


@pytest.mark.parametrize("way", ["drain", "hurry"])
async def test_patience_ends(tmp_path: Path, way: str) -> None:
    async with opened(tmp_path, drain=0.01 if way == "drain" else 1000.0) as front:
        front.upstream.play = always(chunked_head(), chunk(b"begun"), HANG)
        front.web.play = always(SWITCH, ECHO)
        streaming, tunnel, waiting = [await front.client() for _ in range(3)]
        streaming.send(ask())
        await streaming.until(b"begun\r\n")
        tunnel.send(UPGRADE)
        await tunnel.until(b"\r\n\r\n")
        front.leases.loading["b"] = asyncio.Event()
        waiting.send(ask(model="b"))
        await until(lambda: front.leases.waiting)
        closing = asyncio.ensure_future(front.close())
        if way == "hurry":
            await front.settled()
            assert not closing.done()
            front.door.hurry()
        await closing
        assert await streaming.rest() == b""
        assert await tunnel.rest() == b""
        assert b'"draining"' in await waiting.rest()
        await until(lambda: not front.leases.out and not front.leases.waiting)
        await until(lambda: not front.upstream.open_visits and not front.web.open_visits)


async def test_a_door_can_be_opened_again(tmp_path: Path) -> None:
    """Each time it closes with the same patience."""
    async with opened(tmp_path, drain=1000.0) as front:
        for _ in range(3):
            front.upstream.play = always(chunked_head(), chunk(b"begun"), end := asyncio.Event(), b"0\r\n\r\n")
            client = await front.client()
            client.send(ask())
            await client.until(b"begun\r\n")
            closing = asyncio.ensure_future(front.close())
            await front.settled()
            assert not closing.done()
            end.set()
            await client.until(b"0\r\n\r\n")
            await closing
            await front.open()
            assert (await front.ask(get(b"/open"))).body == b"/open"


# --- other limits while it is open ------------------------------------------------------------------


@pytest.mark.parametrize("between", [b"", ask()])
async def test_another_limit_counts_for_connections_that_are_there(tmp_path: Path, between: bytes) -> None:
    async with opened(tmp_path) as front:
        client, large = await front.client(), post(asked().ljust(100))
        assert (await client.ask(large)).status == 200
        front.door.configure(default="", max_body=50, drain=1.0)
        if between:
            assert (await client.ask(between)).status == 200
        refused = await client.ask(large)
        assert (refused.status, code(refused)) == (413, "body_too_large")
        front.door.configure(default="", max_body=100, drain=1.0)
        assert (await front.ask(large)).status == 200


async def test_a_body_under_way_keeps_the_limit_that_it_began_with(tmp_path: Path) -> None:
    chunked = (b"POST /v1/embeddings HTTP/1.1", b"Host: x", b"Transfer-Encoding: chunked", b"", b"")
    async with opened(tmp_path) as front:
        client = await front.client()
        client.send(b"\r\n".join(chunked), chunk(asked()))
        await arrived(front, client)
        front.door.configure(default="", max_body=50, drain=1.0)
        assert (await client.ask(chunk(b" " * 75), b"0\r\n\r\n")).status == 200


async def test_another_default_model(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        client = await front.client()
        assert (await client.ask(post(b"{}"))).status == 400
        front.door.configure(default="b", max_body=100, drain=1.0)
        assert (await client.ask(post(b"{}"))).status == 200


# --- too many ---------------------------------------------------------------------------------------


async def test_connections_from_one_address() -> None:
    door = Stage(lambda _: [sized(b"{}")]).door

    def connect(address: str) -> Line:
        connection = Connection(door)
        line = Line(connection)
        line._extra |= {"peername": (address, 5), "sockname": (address, 6)}  # type: ignore[attr-defined]
        connection.connection_made(line)
        return line

    door.configure(default="", max_body=100, drain=1.0, connections=2)
    first, second, third = connect("192.0.2.1"), connect("192.0.2.1"), connect("192.0.2.1")
    other, *own = connect("192.0.2.2"), *(connect(address) for address in ["127.0.0.1", "::1"] * 2)
    assert [line.closing for line in (first, second, third, other, *own)] == [False] * 2 + [True] + [False] * 5
    third.step()
    assert connect("192.0.2.1").closing
    first.close()
    first.step()
    assert connect("192.0.2.1").closing, "the one refused before has not gone yet"
    door.configure(default="", max_body=100, drain=1.0)
    assert not connect("192.0.2.1").closing, "no limit"
