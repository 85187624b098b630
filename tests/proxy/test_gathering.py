"""Requests that are asked for as streams: what is sent, what the client gets, and when it ends."""

import asyncio
import json
from pathlib import Path

import pytest

from llamactl.core.errors import UpstreamDied
from tests.proxy.asking import post
from tests.proxy.front import opened, until
from tests.proxy.test_door_records import ended
from tests.proxy.upstreams import CLOSE, EVENTS, HANG, Play, always, chunk, chunked, chunked_head, in_turn, sized

pytestmark = pytest.mark.anyio

CHAT = b"/v1/chat/completions"
HELLO = b'{"model":"a","messages":[]}'


def piece(delta: str, finish: str = "null", more: str = "") -> bytes:
    choice = f'{{"finish_reason":{finish},"index":0,"delta":{delta}}}' if delta else ""
    about = '"created":7,"id":"c","model":"a","system_fingerprint":"b1","object":"chat.completion.chunk"'
    return f'data: {{"choices":[{choice}],{about}{more}}}\n\n'.encode()


FIRST = piece('{"role":"assistant","content":null}')
SAID = FIRST + piece('{"content":"Hel"}') + piece('{"content":"lo"}')
USAGE = ',"usage":{"completion_tokens":2,"x":1.50},"timings":{"predicted_ms":0.10}'
LAST = piece("{}", '"stop"') + piece("", more=USAGE) + b"data: [DONE]\n\n"
WHOLE = (
    b'{"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":"Hello"}}],"created":7,'
    b'"model":"a","system_fingerprint":"b1","object":"chat.completion","usage":{"completion_tokens":2,"x":1.50},"id":"c"'
    b',"timings":{"predicted_ms":0.10}}'
)
MORE = (EVENTS, "Server: llama.cpp")


async def test_a_stream_becomes_an_answer(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked(SAID, LAST, headers=MORE))
        client = await front.client()
        for _ in range(2):
            answer = await client.ask(post(HELLO, path=CHAT))
            assert (answer.status, answer.body) == (200, WHOLE)
            assert answer.header(b"content-type") == b"application/json; charset=utf-8"
            assert answer.header(b"server") == b"llama.cpp"
        sent = front.upstream.requests[0].body
        assert sent == HELLO[:-1] + b',"stream":true,"stream_options":{"include_usage":true}}'
        assert len(front.upstream.visits) == 1, "the connection is used again"
        assert not front.leases.out


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, b'{"model":"a","stream":true}'),
        (CHAT, b'{"model":"a","logprobs":true}'),
        (CHAT, b'{"model":"a","verbose":true}'),
        (CHAT, b'{"model":"a","reasoning_format":"deepseek-legacy"}'),
        (b"/v1/completions", b'{"model":"a","logprobs":1,"stop":["x"]}'),
        (b"/completion", b'{"model":"a","return_tokens":true}'),
        (b"/completion", b'{"model":"a","response_fields":["content"]}'),
        (b"/v1/messages", b'{"model":"a","n":2}'),
        (b"/v1/embeddings", b'{"model":"a"}'),
    ],
)
async def test_what_is_not_asked_for_as_a_stream(tmp_path: Path, path: bytes, body: bytes) -> None:
    async with opened(tmp_path) as front:
        assert (await front.ask(post(body, path=path))).body == body


async def test_what_is_no_stream_is_passed_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(sized(b'{"error":{"code":400}}', "400 Bad Request", "X: y"))
        answer = await front.ask(post(HELLO, path=CHAT))
        assert (answer.status, answer.header(b"x"), answer.body) == (400, b"y", b'{"error":{"code":400}}')


async def test_an_error_in_the_stream_has_its_status(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        error = b'{"error":{"code":503,"message":"no","type":"unavailable_error"}}'
        front.upstream.play = always(chunked_head(*MORE), chunk(SAID), chunk(b"data: " + error + b"\n\n"), HANG)
        client = await front.client()
        answer = await client.ask(post(HELLO, path=CHAT))
        assert (answer.status, answer.body) == (503, error)
        front.upstream.play = always(chunked(b"event: error\ndata: " + error[9:-1] + b"\n\n", headers=MORE))
        answer = await client.ask(post(HELLO, path=b"/v1/messages"))
        assert (answer.status, answer.body) == (503, error)
        assert not front.leases.out


@pytest.mark.parametrize(
    "play",
    [
        always(chunked_head(*MORE), chunk(SAID), CLOSE),
        always(chunked_head(*MORE), CLOSE),
        always(chunked(SAID, headers=MORE)),
        always(chunked(SAID, b"data: [DONE]\n\n", headers=MORE)),
        always(chunked_head(*MORE), b"x\r\n", HANG),
    ],
)
async def test_half_an_answer_is_none(tmp_path: Path, play: Play) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = play
        answer = await front.ask(post(HELLO, path=CHAT))
        assert answer.status == UpstreamDied.status
        assert json.loads(answer.body)["error"]["code"] == "upstream_died"
        assert not front.leases.out


async def test_a_stream_that_is_not_understood_is_asked_for_no_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = lambda sent: (
            [chunked(FIRST + piece('{"new":1}'), LAST, headers=MORE)] if b'"stream"' in sent.body else [sized(b"plain")]
        )
        assert (await front.ask(post(HELLO, path=CHAT))).body == b"plain"
        assert (await front.ask(post(HELLO, path=CHAT))).body == b"plain"
        assert [b'"stream"' in sent.body for sent in front.upstream.requests] == [True, False, False]
        assert front.upstream.requests[1].body == HELLO


async def test_a_stream_that_nobody_asked_for_is_passed_on(tmp_path: Path) -> None:
    """Asked without, it streams all the same."""
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked(FIRST + piece('{"new":1}'), LAST, headers=MORE))
        assert b'"new":1' in (await front.ask(post(HELLO, path=CHAT))).body
        assert [b'"stream"' in sent.body for sent in front.upstream.requests] == [True, False]


async def test_one_that_does_not_stream_is_asked_for_no_more_streams(tmp_path: Path) -> None:
    """An error says nothing of that."""
    async with opened(tmp_path) as front:
        front.upstream.play = in_turn(always(sized(b"{}", "400 Bad Request")), always(sized(b"plain")))
        for _ in range(3):
            await front.ask(post(HELLO, path=CHAT))
        assert [b'"stream"' in sent.body for sent in front.upstream.requests] == [True, True, False]


async def test_who_leaves_ends_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked_head(*MORE), chunk(SAID), HANG)
        client = await front.client()
        client.send(post(HELLO, path=CHAT))
        await until(lambda: front.upstream.visits and front.upstream.visits[0].sent)
        client.leave()
        async with asyncio.timeout(1):
            await front.upstream.visits[0].gone.wait()
        await until(lambda: not front.leases.out)


async def test_one_that_is_cancelled_is_refused_and_remembered(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked_head(*MORE), chunk(SAID), HANG)
        client = await front.client()
        client.send(post(HELLO, b"X-Request-Id: this", path=CHAT))
        await until(lambda: [record for record in front.door.journal.under_way if record.first])
        assert front.door.cancel("this")
        assert (await client.answer(b"POST")).status == 499
        [one] = await ended(front)
        assert (one.status, one.error) == (499, "cancelled")
        assert one.first is not None
        async with asyncio.timeout(1):
            await front.upstream.visits[0].gone.wait()
