"""Who waits is told so, in the way asked for, and later what came of it."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from llamactl.core.access import Caller, Wait
from llamactl.core.errors import LoadFailed, Problem
from llamactl.core.instance import Backoff, Instance, Loading, Phase, Starting, Stopped
from llamactl.proxy import waiting
from llamactl.proxy.access import Peer
from llamactl.proxy.head import Head
from llamactl.proxy.waiting import told
from tests.proxy.asking import post
from tests.proxy.front import Front, opened, until
from tests.proxy.gates import OpenGate
from tests.proxy.test_door_records import ended
from tests.proxy.test_gathering import LAST, MORE, SAID, WHOLE
from tests.proxy.upstreams import CLOSE, HANG, always, chunk, chunked, chunked_head, sized

pytestmark = pytest.mark.anyio

CHAT = b"/v1/chat/completions"
STREAM = b'{"model":"a","stream":true}'
COMMENT = b": loading a 75% \xe2\x80\xa6\n\n"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "EVERY", 0.02)


@pytest.mark.parametrize(
    ("phase", "eta", "position", "words"),
    [
        (Loading(90.0, 1), 30.0, 0, "loading m 25% …"),
        (Starting(90.0), None, 0, "loading m, 10 s so far …"),
        (Loading(0.0, 1), 0.0, 0, "loading m 99% …"),
        (Stopped(), 8.4, 2, "queued, position 2, about 8 s"),
        (Stopped(), None, 1, "queued, position 1"),
        (Backoff(90.0, 103.0, Problem("x", "y")), None, None, "m died, and is started again in 3 s"),
    ],
)
def test_words(phase: Phase, eta: float | None, position: int | None, words: str) -> None:
    assert told(Instance(model="m", phase=phase, eta=eta, position=position), 100.0) == words


async def loaded(front: Front, request: bytes, shown: bytes) -> bytes:
    """All that the client gets, whose model is there as soon as `shown` has been."""
    ready = front.leases.loading["a"] = asyncio.Event()
    client = await front.client()
    client.send(request)
    begun = await client.until(shown)
    ready.set()
    return begun + await client.rest()


async def test_comments_before_a_stream(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked(SAID, LAST, headers=MORE))
        ready = front.leases.loading["a"] = asyncio.Event()
        client = await front.client()
        client.send(post(STREAM, path=CHAT))
        begun = await client.until(COMMENT)
        assert begun.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        await client.until(COMMENT)
        ready.set()
        rest = await client.until(b"0\r\n\r\n")
        assert SAID in rest and LAST in rest
        assert (await client.ask(post(STREAM, path=CHAT))).body == SAID + LAST, "the connection is as good as before"


@pytest.mark.parametrize(
    ("body", "lines"),
    [(STREAM, (b"X-Llamactl-Wait: none",)), (b'{"model":"a","stream":false}', ()), (b'{"model":"a"}', ())],
)
async def test_silence(tmp_path: Path, body: bytes, lines: tuple[bytes, ...]) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(sized(b"{}"))
        ready = front.leases.loading["a"] = asyncio.Event()
        client = await front.client()
        client.send(post(body, *lines, path=CHAT))
        await until(lambda: front.leases.waiting)
        await asyncio.sleep(0.1)  # five times as long as it takes to be told
        ready.set()
        assert (await client.answer()).body == b"{}"


@pytest.mark.parametrize(
    ("wait", "header", "shown"),
    [
        ("reasoning", (), b'{"reasoning_content":"loading a 75%'),
        ("none", (), b""),
        ("reasoning", (b"X-Llamactl-Wait: comments",), COMMENT),
        ("none", (b"X-Llamactl-Wait: comments",), COMMENT),
        ("", (), COMMENT),
    ],
)
async def test_as_the_key_has_it(tmp_path: Path, wait: Wait, header: tuple[bytes, ...], shown: bytes) -> None:
    class Keyed(OpenGate):
        def enter(self, head: Head, peer: Peer) -> tuple[Caller, bytes]:
            return Caller("k", "k", "infer", wait=wait), b""

    async with opened(tmp_path, gate=Keyed()) as front:
        front.upstream.play = always(chunked(SAID, LAST, headers=MORE))
        ready = front.leases.loading["a"] = asyncio.Event()
        client = await front.client()
        client.send(post(STREAM, *header, path=CHAT))
        if shown:
            await client.until(shown)
        else:
            await until(lambda: front.leases.waiting)
            await asyncio.sleep(0.1)  # five times as long as it takes to be told
        ready.set()
        rest = await client.until(LAST)
        assert shown or b"loading" not in rest


async def test_reasoning(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked(SAID, LAST, headers=MORE))
        request = post(STREAM, b"X-Llamactl-Wait: reasoning", b"Connection: close", path=CHAT)
        received = await loaded(front, request, b'"reasoning_content":"loading a 75%')
        assert b": loading" not in received
        assert LAST in received


async def test_space_before_an_answer(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked(SAID, LAST, headers=MORE))
        request = post(b'{"model":"a"}', b"X-Llamactl-Wait: space", b"Connection: close", path=CHAT)
        received = await loaded(front, request, b"1\r\n \r\n")
        assert b"Content-Type: application/json" in received
        assert received.endswith(b"%x\r\n%b\r\n0\r\n\r\n" % (len(WHOLE), WHOLE))


def fails(front: Front) -> None:
    front.leases.failing["a"] = LoadFailed("it would not load")


def dies(front: Front) -> None:
    front.upstream.play = always(CLOSE)


def refuses(front: Front) -> None:
    front.upstream.play = always(sized(b'{"error":{"code":400,"message":"no template","type":"x"}}', "400 Bad Request"))


def breaks_off(front: Front) -> None:
    front.upstream.play = always(chunked_head(*MORE), chunk(SAID), CLOSE)


@pytest.mark.parametrize(
    ("how", "words"),
    [(fails, "it would not load"), (dies, "went away"), (refuses, "no template"), (breaks_off, "went away")],
)
@pytest.mark.parametrize("path", [CHAT, b"/v1/messages"])
async def test_what_goes_wrong_later_is_an_event(
    tmp_path: Path, how: Callable[[Front], None], words: str, path: bytes
) -> None:
    async with opened(tmp_path) as front:
        how(front)
        received = await loaded(front, post(STREAM, path=path), COMMENT)
        assert received.count(b"HTTP/1.1") == 1
        event = received.rpartition(b"data: ")
        assert event[0].endswith(b"event: error\n") == (path != CHAT)
        assert words in json.loads(event[2].split(b"\n")[0])["error"]["message"]
        assert b"[DONE]" not in received
        assert not received.endswith(b"0\r\n\r\n")


async def test_a_refusal_at_once_has_its_status(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.leases.failing["a"] = LoadFailed("no", retry_after=3)
        assert (await front.ask(post(STREAM, path=CHAT))).status == 503


async def test_who_leaves_waits_no_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.leases.loading["a"] = asyncio.Event()
        client = await front.client()
        client.send(post(STREAM, path=CHAT))
        await client.until(COMMENT)
        client.leave()
        await until(lambda: not front.leases.waiting and not front.door.connections)


SPACE = (b"X-Llamactl-Wait: space", b"Connection: close")


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
async def test_after_white_space_there_is_no_second_head(tmp_path: Path, status: str) -> None:
    async with opened(tmp_path) as front:
        body = b'{"error":{"message":"no"}}'
        front.upstream.play = always(sized(body, status))
        received = await loaded(front, post(b'{"model":"a"}', *SPACE, path=CHAT), b"1\r\n \r\n")
        assert received.count(b"HTTP/1.1") == 1
        assert received.endswith(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        [one] = await ended(front)
        assert (one.status, one.error) == (200, "" if status == "200 OK" else "bad_request")


# --- what is remembered of it -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "lines", "shown"), [(STREAM, (), COMMENT), (b'{"model":"a"}', SPACE[:1], b"1\r\n \r\n")]
)
async def test_one_that_was_announced_is_remembered_like_any_other(
    tmp_path: Path, body: bytes, lines: tuple[bytes, ...], shown: bytes
) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked(SAID, LAST, headers=MORE))
        await loaded(front, post(body, *lines, b"Connection: close", path=CHAT), shown)
        [one] = await ended(front)
        assert (one.status, one.error, one.generated_tokens, one.finish) == (200, "", 2, "stop")
        assert one.first is not None and one.first > 0.02


@pytest.mark.parametrize(("how", "code"), [(fails, "load_failed"), (dies, "upstream_died"), (refuses, "bad_request")])
async def test_what_goes_wrong_later_is_remembered(tmp_path: Path, how: Callable[[Front], None], code: str) -> None:
    async with opened(tmp_path) as front:
        how(front)
        await loaded(front, post(STREAM, path=CHAT), COMMENT)
        [one] = await ended(front)
        assert (one.status, one.error) == (200, code)


@pytest.mark.parametrize("loaded_by_then", [False, True])
async def test_one_that_is_cancelled_after_it_was_announced(tmp_path: Path, *, loaded_by_then: bool) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(HANG)
        ready = front.leases.loading["a"] = asyncio.Event()
        client = await front.client()
        client.send(post(STREAM, b"X-Request-Id: this", path=CHAT))
        await client.until(COMMENT)
        if loaded_by_then:
            ready.set()
            await until(lambda: front.upstream.requests)
        assert front.door.cancel("this")
        rest = await client.rest()
        assert b'"code":"cancelled"' in rest and b"HTTP/1.1" not in rest
        [one] = await ended(front)
        assert (one.status, one.error, one.first) == (200, "cancelled", None)
        await until(lambda: not front.leases.out and not front.leases.waiting)


async def test_who_leaves_after_white_space_was_told_200(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked_head(*MORE), chunk(SAID), HANG)
        ready = front.leases.loading["a"] = asyncio.Event()
        client = await front.client()
        client.send(post(b'{"model":"a"}', *SPACE, path=CHAT))
        await client.until(b"1\r\n \r\n")
        ready.set()
        await until(lambda: [record for record in front.door.journal.under_way if record.first])
        client.leave()
        [one] = await ended(front)
        assert (one.status, one.error) == (200, "client_left")
