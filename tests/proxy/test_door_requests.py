"""What clients send through the door, and what reaches those behind it."""

import asyncio
import random
from pathlib import Path

import pytest

from llamactl.proxy.request import LARGE
from tests.proxy.asking import CLOSING, EXPECT, ask, asked, get, post
from tests.proxy.front import opened, until
from tests.proxy.test_cuts import CONVERSATION, METHODS, cut
from tests.proxy.test_cuts import play as conversation_play
from tests.proxy.upstreams import chunked, in_turn, sized
from tests.proxy.wire import answers, requests

pytestmark = pytest.mark.anyio


# --- one after the other ----------------------------------------------------------------------------


async def test_requests_share_connections(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        client = await front.client()
        for i in range(5):
            answer = await client.ask(ask(f"question {i}"))
            assert (answer.status, answer.body) == (200, asked(f"question {i}"))
            assert (await client.ask(get(b"/health"))).body == b"/health"
        assert [len(visit.requests) for visit in front.upstream.visits + front.web.visits] == [5, 5]
        assert [lease.model for lease in front.leases.granted] == ["a"] * 5


async def test_the_bytes_that_reach_a_model(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        lines = (b"Authorization: Bearer secret", b"X-Api-Key: secret", b"Cookie: a=b", b"TE: trailers")
        more = (b"Connection: keep-alive, X-Private", b"X-Private: p", b"Keep-Alive: timeout=5", b"Accept-Encoding: br")
        await front.ask(post(asked(), *lines, *more, path=b"http://x/v1/embeddings?a=b"))
        body = asked()
        assert front.upstream.received == [
            b"POST /v1/embeddings?a=b HTTP/1.1\r\nHost: x\r\nCookie: a=b\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        ]


async def test_chunks_reach_a_model_in_one_piece(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        head = b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        body = b"b;x=y\r\n" + b'{"model":"a' + b'\r\n2\r\n"}\r\n0\r\nX-Trailer: z\r\n\r\n'
        client = await front.client()
        for _ in range(2):
            assert (await client.ask(head + body)).body == b'{"model":"a"}'
        assert front.upstream.received[0] == 2 * (
            b'POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{"model":"a"}'
        )


async def test_methods_and_targets_reach_the_web(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        client = await front.client()
        for method, target in [
            (b"GET", b"/v1/models?x=%20"),
            (b"DELETE", b"/x//y"),
            (b"OPTIONS", b"*"),
            (b"GET", b"/v1/embeddings"),
        ]:
            await client.ask(get(target, method=method))
        assert [(sent.method, sent.target) for sent in front.web.requests] == [
            (b"GET", b"/v1/models?x=%20"),
            (b"DELETE", b"/x//y"),
            (b"OPTIONS", b"*"),
            (b"GET", b"/v1/embeddings"),
        ]
        assert not front.leases.granted


# --- pipelining -------------------------------------------------------------------------------------


async def test_pipelined_requests_are_answered_in_their_order(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        client = await front.client()
        client.send(*[ask(f"{i}") if i % 3 else get(b"/%d" % i) for i in range(500)])
        for i in range(500):
            assert (await client.answer()).body == (asked(f"{i}") if i % 3 else b"/%d" % i)


async def test_a_slow_answer_is_not_overtaken(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        ready = asyncio.Event()
        front.upstream.play = in_turn(lambda _: [ready, sized(b"slow")])
        client = await front.client()
        client.send(ask(), get(b"/fast"), get(b"/faster"))
        await until(lambda: front.upstream.requests)
        assert (await front.ask(get(b"/other"))).body == b"/other", "others do not wait for it"
        assert len(front.web.requests) == 1
        ready.set()
        assert [(await client.answer()).body for _ in range(3)] == [b"slow", b"/fast", b"/faster"]


async def test_a_flood_of_pipelined_requests_is_not_taken_in(tmp_path: Path) -> None:
    """While the first is answered, only so much is read."""
    async with opened(tmp_path) as front:
        ready = asyncio.Event()
        front.upstream.play = lambda request: [ready, sized(b"done")]
        client = await front.client(narrow=True)
        client.send(ask("x" * 12_000) * 2000)  # 24 MB
        await until(lambda: front.upstream.requests)
        await front.settled()
        assert client.unsent > 8 << 20
        ready.set()
        for _ in range(2000):
            assert (await client.answer()).body == b"done"


async def test_a_flood_behind_a_large_body_is_not_taken_in_either(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        ready = asyncio.Event()
        front.upstream.play = lambda request: [ready, sized(b"done")]
        client = await front.client(narrow=True)
        client.send(ask(), ask(), ask(), post(asked("y" * LARGE)), ask("x" * 12_000) * 2000)
        await until(lambda: front.upstream.requests)
        await front.settled()
        assert client.unsent > 8 << 20
        ready.set()
        for _ in range(2004):
            assert (await client.answer()).body == b"done"


# --- 100-continue -----------------------------------------------------------------------------------


async def test_who_asks_is_told_to_go_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        client = await front.client()
        for _ in range(2):
            whole = post(asked(), EXPECT)
            assert (await client.ask(whole[: -len(asked())])).status == 100
            assert (await client.ask(whole[-len(asked()) :])).body == asked()
        large = post(asked("x" * LARGE), EXPECT)
        assert (await client.ask(large[:200])).status == 100
        assert (await client.ask(large[200:])).body == asked("x" * LARGE)
        assert (await client.ask(post(asked(), EXPECT))).status == 200, "it did not wait"
        assert not any(sent.all(b"expect") for sent in front.upstream.requests)


async def test_who_asks_is_told_when_its_turn_has_come(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        ready = asyncio.Event()
        front.upstream.play = in_turn(lambda _: [ready, sized(b"first")], lambda _: [sized(b"second")])
        client = await front.client()
        whole = post(asked(), EXPECT)
        client.send(ask(), whole[: -len(asked())])
        await until(lambda: front.upstream.requests)
        ready.set()
        assert (await client.answer()).body == b"first"
        assert (await client.answer()).status == 100
        assert (await client.ask(whole[-len(asked()) :])).body == b"second"


async def test_who_is_refused_is_not_told_to_go_on(tmp_path: Path) -> None:
    async with opened(tmp_path, max_body=1000) as front:
        assert (await front.ask(post(b"x" * 1001, EXPECT)[:-1001])).status == 413


# --- bodies -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [LARGE - 1, LARGE, LARGE + 1, 20 << 20])
async def test_large_bodies(tmp_path: Path, size: int) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = lambda request: [sized(b"%d" % len(request.body))]
        body = asked("z" * (size - len(asked())))
        client = await front.client()
        client.send(post(body), get(b"/next"), post(body), ask("small"))
        assert [(await client.answer()).body for _ in range(4)] == [
            b"%d" % size,
            b"/next",
            b"%d" % size,
            b"%d" % len(asked("small")),
        ]
        assert [sent.body == body for sent in front.upstream.requests] == [True, True, False]


async def test_the_largest_body_by_default(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = lambda request: [sized(b"%d" % len(request.body))]
        body = asked("z" * ((100 << 20) - len(asked())))
        client = await front.client()
        assert (await client.ask(post(body))).body == b"%d" % (100 << 20)
        assert front.upstream.requests[0].body == body
        assert (await client.ask(post(b"x" * ((100 << 20) + 1))[:1000])).status == 413


async def test_a_client_that_stops_in_the_midst_of_a_large_body(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        for size in (10, 1000, LARGE, LARGE + 1000):
            client = await front.client()
            client.send(post(b"x" * (2 * LARGE))[:size])
            await client.sent()
            await until(lambda: front.door.connections)
            client.leave()
            await until(lambda: not front.door.connections)
        assert not front.leases.granted


# --- a whole conversation ---------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", ["whole", "bytes", "random"])
async def test_a_conversation_through_real_sockets(
    tmp_path: Path, pieces: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llamactl.proxy.request.LARGE", 100)
    chance = random.Random(pieces)
    places = {
        "whole": [],
        "bytes": list(range(len(CONVERSATION))),
        "random": chance.sample(range(len(CONVERSATION)), 50),
    }
    data = CONVERSATION + get(b"/sized", CLOSING)
    async with opened(tmp_path) as front:
        front.upstream.play = front.web.play = conversation_play
        client = await front.client()
        for piece in cut(data, places[pieces]):
            client.send(piece)
            await asyncio.sleep(0)
        found = answers(await client.rest(), *METHODS, b"GET")
        assert [each.status for each in found if each.status > 100] == [200] * 7 + [304] + [200] * 3 + [204, 200, 200]
        assert found[-1].header(b"connection") == b"close"
        assert sum(len(requests(received)) for received in front.upstream.received + front.web.received) == 14


async def test_300_connections_and_100_streams(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        ready = asyncio.Event()
        front.web.play = lambda request: [sized(request.target)]
        front.upstream.play = lambda request: [
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"6\r\nfirst,\r\n",
            ready,
            chunked(request.body).partition(b"\r\n\r\n")[2],
        ]
        clients = [await front.client() for _ in range(300)]
        for i, client in enumerate(clients[:100]):
            client.send(ask(f"stream {i}"))
        await until(lambda: len(front.upstream.requests) == 100)
        for _ in range(3):
            for i, client in enumerate(clients[100:]):
                client.send(get(b"/%d" % i))
            for i, client in enumerate(clients[100:]):
                assert (await client.answer()).body == b"/%d" % i
        assert len(front.leases.out) == 100
        assert len(front.door.connections) == 300
        ready.set()
        for i, client in enumerate(clients[:100]):
            assert (await client.answer()).body == b"first," + asked(f"stream {i}")
        assert not front.leases.out
