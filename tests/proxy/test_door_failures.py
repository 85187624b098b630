"""Servers behind the door that fail: what the client is told, and that it is never told that all went well."""

import asyncio
import json
import socket
from pathlib import Path

import pytest

from llamactl.proxy import upstream as pools
from tests.proxy.asking import ask, asked, get, post
from tests.proxy.front import opened, until
from tests.proxy.upstreams import (
    CLOSE,
    EARLY_HINTS,
    EVENTS,
    HANG,
    SWITCH,
    Act,
    Step,
    always,
    chunk,
    chunked,
    chunked_head,
    event,
    in_turn,
    sized,
    until_close,
)
from tests.proxy.wire import Answer

pytestmark = pytest.mark.anyio


def reason(answer: Answer) -> str:
    assert answer.status == 502
    said = json.loads(answer.body)["error"]
    assert said["code"] == "upstream_died"
    return str(said["message"])


# --- before the head --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "steps",
    [
        (CLOSE,),
        (b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE),
        (EARLY_HINTS, CLOSE),
        (EARLY_HINTS + b"HTTP/1.1 200", CLOSE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", HANG),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", HANG),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n", HANG),
        (b"HTTP/2 200\r\n\r\n", HANG),
        (SWITCH, HANG),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, HANG),
        (b"X" * 70_000, HANG),
    ],
)
async def test_no_answer(tmp_path: Path, steps: tuple[Step, ...]) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(*steps)
        client = await front.client()
        client.send(ask("1"), get(b"/2"))
        assert "llama-server" in reason(await client.answer())
        assert (await client.answer()).body == b"/2", "the client's connection is none the worse for it"
        assert len(front.upstream.requests) == 1, "it was not asked again"
        await front.upstream.visits[0].gone.wait()


async def test_nobody_there(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.leases.endpoints["a"] = str(tmp_path / "nobody.sock")
        client = await front.client()
        assert "No such file" in reason(await client.ask(ask()))
        with socket.socket(socket.AF_UNIX) as deserted:
            deserted.bind(str(tmp_path / "nobody.sock"))
        assert "refused" in reason(await client.ask(ask())).lower()
        assert (await client.ask(ask(model="b"))).status == 200


async def test_nobody_takes_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose queue is full, and stays so."""
    monkeypatch.setattr(pools, "QUEUED", 0.01)
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(str(tmp_path / "busy.sock"))
        busy.listen(0)
        first.connect(str(tmp_path / "busy.sock"))
        async with opened(tmp_path) as front:
            front.leases.endpoints["a"] = str(tmp_path / "busy.sock")
            client = await front.client()
            assert "unavailable" in reason(await client.ask(ask()))
            monkeypatch.setattr(pools, "QUEUED", 1000)
            client.send(ask())
            await until(lambda: front.leases.out)
            await front.close()


# --- connections that have served before ----------------------------------------------------------------


async def test_a_stale_connection_is_replaced_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = in_turn(always(sized(b"1")), always(CLOSE), always(sized(b"3")))
        client = await front.client()
        assert (await client.ask(ask())).body == b"1"
        assert (await client.ask(ask())).body == b"3"
        assert [len(visit.requests) for visit in front.upstream.visits] == [2, 1]
        assert front.upstream.visits[0].requests[1] == front.upstream.visits[1].requests[0]


async def test_a_stale_connection_is_replaced_once_and_no_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = in_turn(always(sized(b"1")), always(CLOSE))
        client = await front.client()
        assert (await client.ask(ask())).body == b"1"
        reason(await client.ask(ask()))
        assert len(front.upstream.requests) == 3


async def test_the_fresh_connection_is_fresh(tmp_path: Path) -> None:
    """Several lie in the pool, all of them stale."""
    async with opened(tmp_path) as front:
        ready = asyncio.Event()
        front.upstream.play = lambda request: [ready, sized(b"1")]
        clients = [await front.client() for _ in range(5)]
        for client in clients:
            client.send(ask())
        await until(lambda: len(front.upstream.requests) == 5)
        ready.set()
        for client in clients:
            await client.answer()
        front.upstream.play = lambda _: [CLOSE] if len(front.upstream.visits) == 5 else [sized(b"fresh")]
        assert (await clients[0].ask(ask())).body == b"fresh"
        assert len(front.upstream.visits) == 6


async def test_an_answer_that_has_begun_is_not_asked_for_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        for begun in (b"H", EARLY_HINTS):
            front.upstream.play = in_turn(always(sized(b"1")), always(begun, CLOSE))
            client = await front.client()
            assert (await client.ask(ask())).body == b"1"
            asked_for = len(front.upstream.requests)
            reason(await client.ask(ask()))
            assert len(front.upstream.requests) == asked_for + 1


@pytest.mark.parametrize("says", [b"Connection: close\r\n", b""])
async def test_a_server_that_answers_few_requests_on_a_connection(tmp_path: Path, says: bytes) -> None:
    async with opened(tmp_path) as front:
        front.upstream.keep_alive = 3
        client = await front.client()

        def play(request: object) -> list[bytes]:
            last = len(front.upstream.visits[-1].requests) == 3
            return [b"HTTP/1.1 200 OK\r\n%bContent-Length: 1\r\n\r\nx" % (says if last else b"")]

        front.upstream.play = play
        for _ in range(10):
            assert (await client.ask(ask())).body == b"x"
        assert [len(visit.requests) for visit in front.upstream.visits][:3] == [3, 3, 3]


async def test_idle_connections_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as front:
        assert (await front.ask(ask())).status == 200
        front.pass_time(1)
        assert front.upstream.open_visits
        monkeypatch.setattr(pools, "IDLE", -1.0)
        front.pass_time(1)
        await until(lambda: not front.upstream.open_visits)
        await until(lambda: not front.door._pools[front.upstream.path].all)
        front.pass_time(1)
        assert front.upstream.path not in front.door._pools
        monkeypatch.undo()
        assert (await front.ask(ask())).status == 200


# --- in the midst of an answer ----------------------------------------------------------------------------


@pytest.mark.parametrize("way", [CLOSE, "revoked"])
async def test_a_stream_that_ends_too_early(tmp_path: Path, way: Act | str) -> None:
    """An event says so; there is no end, and the connection closes."""
    async with opened(tmp_path) as front:
        dies = asyncio.Event()
        front.upstream.play = always(chunked_head(EVENTS), chunk(event("1")), dies, CLOSE)
        client = await front.client()
        client.send(ask(), get(b"/never"))
        await client.until(b"1\n\n\r\n")
        if way is CLOSE:
            dies.set()
        else:
            front.leases.out[0].revoke()
        rest = await client.rest()
        size, _, told = rest.partition(b"\r\n")
        assert int(size, 16) == len(told) - 2
        assert told.startswith(b'data: {"error":{')
        assert told.endswith(b"}\n\n\r\n")
        said = json.loads(told[6:])["error"]
        assert said["code"] == "upstream_died"
        assert ("stopped" in said["message"]) == (way == "revoked")
        assert not front.web.requests


@pytest.mark.parametrize(
    ("begun", "rest"),
    [
        (chunked_head(EVENTS) + chunk(event("1")) + b"1f\r\ndata: {", b""),
        (chunked_head(EVENTS) + chunk(event("1"))[:-1], b""),
        (chunked_head(EVENTS) + chunk(event("1")) + b"1", b""),
        (chunked_head(EVENTS) + chunk(b"data: half"), b""),
        (chunked_head() + chunk(b"text\n\n"), b""),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100\r\n\r\n" + event("1"), b""),
        (sized(b"0123456789" * 100 + b"!")[:-1], b""),
    ],
)
@pytest.mark.parametrize("way", ["closed", "revoked"])
async def test_an_answer_that_ends_too_early(tmp_path: Path, begun: bytes, rest: bytes, way: str) -> None:
    """Where nothing can be said, nothing is: the client sees that it is cut off."""
    async with opened(tmp_path) as front:
        dies = asyncio.Event()
        front.upstream.play = always(begun, dies, CLOSE)
        client = await front.client()
        client.send(ask(), get(b"/never"))
        await client.until(b"\r\n\r\n")
        await client.take(len(begun.partition(b"\r\n\r\n")[2]))
        if way == "closed":
            dies.set()
        else:
            front.leases.out[0].revoke()
        assert await client.rest() == rest
        assert not front.web.requests


async def test_an_old_client_whose_stream_ends_too_early(tmp_path: Path) -> None:
    """It cannot know; but it is not told a lie in JSON either."""
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked_head(EVENTS), chunk(event("1")), CLOSE)
        client = await front.client()
        client.send(b"POST /v1/embeddings HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (len(asked()), asked()))
        assert (await client.answer()).body == event("1")


@pytest.mark.parametrize("garbage", [b"xyz\r\n", b"5\r\nhello!!", b"-1\r\n", b"\r\n\r\n", b"fffffffffffffffff\r\n"])
async def test_chunks_that_are_none(tmp_path: Path, garbage: bytes) -> None:
    async with opened(tmp_path) as front:
        go_on = asyncio.Event()
        front.upstream.play = always(chunked_head(EVENTS), chunk(event("1")), go_on, garbage, HANG)
        client = await front.client()
        client.send(ask(), get(b"/never"))
        await client.until(b"1\n\n\r\n")
        go_on.set()
        rest = await client.rest()
        assert b"is broken" in rest
        assert b"0\r\n\r\n" not in rest
        await front.upstream.visits[0].gone.wait()


# --- the model is stopped -----------------------------------------------------------------------------


async def test_a_lease_that_is_revoked_before_the_answer(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(b"HTTP/1.1 200", HANG)
        client = await front.client()
        client.send(ask())
        await until(lambda: front.upstream.requests)
        front.leases.out[0].revoke()
        answer = await client.answer()
        assert "stopped" in reason(answer)
        assert answer.header(b"retry-after") == b"1"
        await front.upstream.visits[0].gone.wait()
        front.upstream.play = always(sized(b"again"))
        assert (await client.ask(ask())).body == b"again"


async def test_a_lease_that_is_revoked_while_the_door_connects(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        loop = asyncio.get_running_loop()
        front.leases.on_grant = lambda lease: loop.call_soon(lambda: lease.revoke())
        client = await front.client()
        client.send(ask("1"), get(b"/2"))
        assert "stopped" in reason(await client.answer())
        assert (await client.answer()).body == b"/2"
        assert not front.upstream.requests


async def test_all_leases_are_revoked_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked_head(EVENTS), chunk(event("1")), HANG)
        clients = [await front.client() for _ in range(30)]
        for client in clients:
            client.send(ask())
        for client in clients:
            await client.until(b"1\n\n\r\n")
        for lease in front.leases.out:
            lease.revoke()
        for client in clients:
            assert b'"error"' in await client.rest()
        await until(lambda: not front.upstream.open_visits)


# --- answers that come too early ------------------------------------------------------------------------


async def test_an_answer_before_the_whole_request_was_read(tmp_path: Path) -> None:
    """`until_close`, since such a server closes: what it said arrives all the same."""
    async with opened(tmp_path) as front:
        front.upstream.play = always(*until_close(b"too large for me"))
        client = await front.client()
        assert (await client.ask(post(asked("x" * 100_000)))).body == b"too large for me"


async def test_after_the_end_of_a_chunked_answer(tmp_path: Path) -> None:
    """What else a server says there is not for the next client."""
    async with opened(tmp_path) as front:
        later = asyncio.Event()
        front.upstream.play = in_turn(always(chunked(b"1"), later, b"more", HANG), always(sized(b"2")))
        client = await front.client()
        assert (await client.ask(ask())).body == b"1"
        later.set()
        await front.upstream.visits[0].gone.wait()
        assert (await client.ask(ask())).body == b"2"
