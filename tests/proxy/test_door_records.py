"""What the door remembers of each request, and the ids that it gives and takes."""

import asyncio
from hashlib import sha256
from pathlib import Path

import pytest

from llamactl.core.access import Key
from llamactl.core.errors import LoadFailed
from llamactl.core.requests import ModelRequest
from llamactl.proxy.access import Gate
from tests.proxy.asking import ask, asked, get, post
from tests.proxy.front import Front, opened, until
from tests.proxy.test_usage import ANSWERS
from tests.proxy.upstreams import CLOSE, EVENTS, HANG, always, chunk, chunked_head, event, sized
from tests.proxy.wire import ID

pytestmark = pytest.mark.anyio


async def ended(front: Front, count: int = 1) -> list[ModelRequest]:
    await until(lambda: len(front.door.journal.ended()) == count)
    return [record.told(0.0) for record in front.door.journal.take()]


def events(name: str) -> bytes:
    pieces = [piece + b"\n\n" for piece in ANSWERS[name].split(b"\n\n") if piece]
    return chunked_head(EVENTS) + b"".join(map(chunk, pieces)) + b"0\r\n\r\n"


# --- ids --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "answered"),
    [(b"abc-1", b"abc-1"), (b"x" * 128, b"x" * 128), (b"x" * 129, ID), (b"two words", ID), (b"\xe9", ID), (b"", ID)],
)
async def test_the_client_s_own_id_if_it_is_one(tmp_path: Path, given: bytes, answered: bytes) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(sized(b"{}"))
        client = await front.client()
        for _ in range(2):
            answer = await client.ask(post(asked(), b"X-Request-Id: " + given))
            assert answer.header(b"x-request-id") == answered
        assert [one.id.encode() for one in await ended(front, 2)] == [answered] * 2


async def test_a_new_id_each_time(tmp_path: Path) -> None:
    """The heads are alike but for that, and what was seen before is not mistaken for it."""
    async with opened(tmp_path) as front:
        front.upstream.play = always(sized(b"{}"))
        client = await front.client()
        for number in range(600):
            name = b"id-%d" % number
            assert (await client.ask(post(asked(), b"X-Request-Id: " + name))).header(b"x-request-id") == name


async def test_every_answer_has_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.web.play = always(sized(b"{}", "200 OK", "X-Request-Id: of the web face"))
        client = await front.client()
        assert (await client.ask(get(b"/health"))).header(b"x-request-id") == ID
        assert (await client.ask(post(b'{"model":"nobody"}'))).header(b"x-request-id") == ID
        bad = await client.ask(b"GET / HTTP/1.1\r\nno header\r\n\r\n")
        assert (bad.status, bad.header(b"x-request-id")) == (400, ID)


# --- what is remembered -----------------------------------------------------------------------------


async def test_an_answer_in_one_piece(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(sized(ANSWERS["chat.json"]))
        client = await front.client()
        await client.ask(ask())
        [one] = await ended(front)
        assert (one.model, one.endpoint, one.status, one.error) == ("a", "embeddings", 200, "")
        assert (one.client, one.generated_tokens, one.finish) == ("127.0.0.1", 8, "length")
        assert one.first is not None and 0 < one.first <= one.duration < 20
        assert front.door.journal.under_way == set()


async def test_one_that_is_asked_for_as_a_stream(tmp_path: Path) -> None:
    """Its numbers are those of the stream, its body what the client got."""
    async with opened(tmp_path) as front:
        front.door.journal.capture.configure(5, 10_000)
        front.upstream.play = always(events("chat_usage.sse"))
        client = await front.client()
        body = b'{"model":"a","messages":[]}'
        answer = await client.ask(post(body, path=b"/v1/chat/completions"))
        assert (answer.status, answer.header(b"x-request-id")) == (200, ID)
        assert b"glad" in answer.body
        [one] = await ended(front)
        assert (one.status, one.prompt_tokens, one.generated_tokens, one.finish) == (200, 32, 8, "length")
        found = front.door.journal.capture.get(ID)
        assert found is not None
        assert (found.asked, found.answered) == (body, answer.body)


async def test_a_key_is_remembered_by_its_id(tmp_path: Path) -> None:
    async with opened(tmp_path, gate=Gate()) as front:
        secret = "s" * 32
        key = Key(id="abcd", name="editor", digest=sha256(secret.encode()).hexdigest(), models=("a",))
        front.door.gate.admit([key])
        client = await front.client()
        shown = b"Authorization: Bearer llk_abcd_" + secret.encode()
        questions = [post(asked(), shown), post(asked(model="b"), shown), ask()]
        answers = [await client.ask(one.replace(b"Host: x", b"Host: localhost")) for one in questions]
        assert [answer.status for answer in answers] == [200, 403, 401]
        found = [(one.key, one.status, one.error) for one in await ended(front, 3)]
        assert found == [("abcd", 200, ""), ("abcd", 403, "forbidden"), ("", 401, "unauthorized")]


async def test_a_stream_as_it_comes_and_when_it_has_ended(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        go_on = asyncio.Event()
        whole = events("chat.sse")
        half = whole.index(b"data: [DONE]") - 10
        front.upstream.play = always(whole[:half], go_on, whole[half:])
        client = await front.client()
        client.send(ask())
        await client.take(half)
        [record] = front.door.journal.under_way
        told = record.told(0.0)
        assert (told.state, told.status, record.events) == ("answering", 200, 10)
        go_on.set()
        await client.until(b"0\r\n\r\n")
        [one] = await ended(front)
        assert (one.generated_tokens, one.cached_tokens, one.finish) == (8, 31, "length")


async def test_who_waits_for_a_model(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.leases.loading["a"] = asyncio.Event()
        front.upstream.play = always(sized(b"{}"))
        client = await front.client()
        client.send(ask())
        await until(lambda: front.door.journal.under_way)
        [record] = front.door.journal.under_way
        assert record.told(0.0).state == "waiting"
        front.leases.loading["a"].set()
        await client.answer(b"POST")
        [one] = await ended(front)
        assert one.queued > 0 and one.first is not None and one.first >= one.queued


async def test_refusals_with_their_reasons(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.leases.failing["a"] = LoadFailed("no memory")
        client = await front.client()
        assert (await client.ask(ask())).status == 503
        assert (await client.ask(post(b'{"model":"nobody"}'))).status == 404
        assert (await client.ask(post(b"{"))).status == 400
        found = [(one.model, one.status, one.error) for one in await ended(front, 3)]
        assert found == [("a", 503, "load_failed"), ("", 404, "not_found"), ("", 400, "bad_request")]


async def test_what_the_web_face_answers_is_nothing_to_remember(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        client = await front.client()
        await client.ask(get(b"/health"))
        assert front.door.journal.ended() == []


async def test_an_answer_that_breaks_off(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked_head(EVENTS) + chunk(event("{}")), CLOSE)
        client = await front.client()
        client.send(ask())
        await client.rest()
        [one] = await ended(front)
        assert (one.status, one.error) == (200, "upstream_died")


async def test_a_client_that_leaves(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked_head(EVENTS) + chunk(event("{}")), HANG)
        client = await front.client()
        client.send(ask())
        await client.until(event("{}"))
        client.leave()
        [one] = await ended(front)
        assert (one.status, one.error) == (200, "client_left")
        front.leases.loading["a"] = asyncio.Event()
        client = await front.client()
        client.send(ask())
        await until(lambda: front.door.journal.under_way)
        client.leave()
        [one] = await ended(front)
        assert (one.status, one.error, one.first) == (None, "client_left", None)


async def test_one_that_is_cancelled(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(chunked_head(EVENTS) + chunk(event("{}")), HANG)
        client = await front.client()
        client.send(post(asked(), b"X-Request-Id: this"))
        await client.until(event("{}"))
        assert not front.door.cancel("that")
        assert front.door.cancel("this")
        assert b'"code":"cancelled"' in await client.rest()
        await front.upstream.visits[0].gone.wait()
        [one] = await ended(front)
        assert (one.id, one.status, one.error) == ("this", 200, "cancelled")
        assert not front.door.cancel("this")


async def test_one_that_is_cancelled_while_it_waits(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.leases.loading["a"] = asyncio.Event()
        client = await front.client()
        client.send(ask())
        await until(lambda: front.door.journal.under_way)
        assert front.door.cancel(ID.decode())
        assert (await client.answer(b"POST")).status == 499
        [one] = await ended(front)
        assert (one.status, one.error) == (499, "cancelled")


async def test_bodies_are_captured_if_they_are_asked_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(sized(b'{"said":1}'))
        client = await front.client()
        await client.ask(ask())
        assert front.door.journal.capture.get(ID) is None
        front.door.journal.capture.configure(5, 1000)
        await client.ask(ask())
        found = front.door.journal.capture.get(ID)
        assert found is not None
        assert (found.asked, found.answered) == (asked(), b'{"said":1}')
