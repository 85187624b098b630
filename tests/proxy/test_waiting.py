"""Who waits is told so, in the way asked for, and later what came of it."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from llamactl.core.errors import LoadFailed, Problem
from llamactl.core.instance import Backoff, Instance, Loading, Phase, Starting, Stopped
from llamactl.proxy import waiting
from llamactl.proxy.waiting import told
from tests.proxy.asking import post
from tests.proxy.front import Front, opened, until
from tests.proxy.test_gathering import LAST, MORE, SAID, WHOLE
from tests.proxy.upstreams import CLOSE, always, chunk, chunked, chunked_head, sized

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
