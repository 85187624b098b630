"""Whose request is it, and can it be had? Leases, and what is said when there is none."""

import asyncio
import json
from pathlib import Path

import pytest

from llamactl.core.errors import (
    DoesNotFit,
    Draining,
    LlamactlError,
    LoadFailed,
    NotRunning,
    QueueFull,
)
from llamactl.proxy.request import LARGE
from tests.proxy.asking import ask, asked, get, post
from tests.proxy.front import opened, until
from tests.proxy.upstreams import sized
from tests.proxy.wire import Answer

pytestmark = pytest.mark.anyio

FORM = b"Content-Type: application/x-www-form-urlencoded"


def error(answer: Answer) -> dict[str, str]:
    assert answer.header(b"content-type") == b"application/json; charset=utf-8"
    said = json.loads(answer.body)["error"]
    assert said.keys() == {"message", "type", "param", "code"}
    return dict(said)


# --- which model ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        ask(),
        post(asked(), path=b"/embeddings?model=b"),
        post(b"{}", path=b"/completions?model=a"),
        b"POST /v1/completions HTTP/1.1\r\nContent-Length: 13\r\n\r\n" + b'{"model":"a"}',
        b"POST /v1/completions HTTP/1.1\r\n%b\r\nContent-Length: 13\r\n\r\n" % FORM + b'{"model":"a"}',
        b"POST /v1/completions HTTP/1.1\r\n%b\r\nContent-Length: 7\r\n\r\nmodel=a" % FORM,
        b"POST /v1/embeddings HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=X\r\nContent-Length: 63\r\n\r\n"
        b'--X\r\nContent-Disposition: form-data; name="model"\r\n\r\na\r\n--X--\r\n',
    ],
)
async def test_where_the_model_stands(tmp_path: Path, data: bytes) -> None:
    async with opened(tmp_path) as front:
        client = await front.client()
        for _ in range(2):
            assert (await client.ask(data)).status == 200
        assert [lease.model for lease in front.leases.granted] == ["a", "a"]


async def test_no_model(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        client = await front.client()
        for body in (b"{}", b'{"model":null}', b'{"model":""}', b'{"messages":[{"model":"a"}]}'):
            answer = await client.ask(post(body))
            assert answer.status == 400
            assert "names no model" in error(answer)["message"]
            assert "default" in error(answer)["message"]


async def test_the_default_model(tmp_path: Path) -> None:
    async with opened(tmp_path, default="b") as front:
        client = await front.client()
        assert (await client.ask(post(b'{"messages":[]}'))).body == b'{"messages":[]}'
        assert (await client.ask(ask())).status == 200
        assert [lease.model for lease in front.leases.granted] == ["b", "a"]


async def test_an_unknown_model(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        client = await front.client()
        answer = await client.ask(ask(model="nobody"))
        assert answer.status == 404
        assert error(answer)["type"] == "not_found_error"
        assert "nobody" in error(answer)["message"]
        assert (await client.ask(ask())).status == 200, "and the connection goes on"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "names no model"),
        (b'{"model":"a"', "not JSON"),
        (b"nonsense", "not JSON"),
        (b'{"model":"\xff"}', "not JSON"),
        (b"[]", "object"),
        (b'{"model":5}', "$.model"),
        (b'{"a":' + b"[" * 50_000, "deep"),
        (b'{"model":"a"' + b" " * LARGE, "not JSON"),
    ],
)
async def test_bodies_that_are_not_understood(tmp_path: Path, body: bytes, says: str) -> None:
    async with opened(tmp_path) as front:
        client = await front.client()
        client.send(post(body), ask())
        answer = await client.answer()
        assert answer.status == 400
        assert says in error(answer)["message"]
        assert (await client.answer()).body == asked()
        assert len(front.leases.granted) == 1


# --- it is not to be had ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "status", "retry_after"),
    [
        (LoadFailed("it is not a GGUF", retry_after=3.2), 503, b"4"),
        (LoadFailed("it is not a GGUF"), 503, b"1"),
        (NotRunning("the daemon is stopping"), 503, b"1"),
        (Draining("it is being stopped", retry_after=2.0), 503, b"2"),
        (QueueFull("100 wait already", retry_after=1.0), 429, b"1"),
        (DoesNotFit("it takes 80 GiB, there are 8"), 507, None),
    ],
)
async def test_why_there_is_no_lease(
    tmp_path: Path, problem: LlamactlError, status: int, retry_after: bytes | None
) -> None:
    async with opened(tmp_path) as front:
        front.leases.failing["a"] = problem
        client = await front.client()
        client.send(ask(), get(b"/health"), ask(model="b"))
        answer = await client.answer()
        assert (answer.status, answer.header(b"retry-after")) == (status, retry_after)
        assert problem.message in error(answer)["message"]
        assert error(answer)["code"] == problem.code
        assert (await client.answer()).body == b"/health"
        assert (await client.answer()).body == asked(model="b")


async def test_a_bug_in_taking_a_lease_is_answered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(tmp_path) as front:
        front.leases.failing["a"] = ValueError("what a surprise")  # type: ignore[assignment]
        client = await front.client()
        assert (await client.ask(ask())).status == 500
        assert (await client.ask(ask(model="b"))).status == 200
        assert "what a surprise" in caplog.text


async def test_head_is_refused_without_a_body(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.door._web_path = str(tmp_path / "nobody")
        client = await front.client()
        client.send(get(b"/", method=b"HEAD"), ask())
        assert (await client.answer(b"HEAD")).status == 502
        assert (await client.answer()).body == asked()


# --- waiting ------------------------------------------------------------------------------------------


async def test_waiting_for_a_model(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.leases.loading["a"] = loaded = asyncio.Event()
        client, other = await front.client(), await front.client()
        client.send(ask("1"), ask("2"), get(b"/3"))
        await until(lambda: front.leases.waiting)
        assert (await other.ask(ask(model="b"))).status == 200, "others do not wait"
        front.pass_time(10_000)
        loaded.set()
        assert [(await client.answer()).body for _ in range(3)] == [asked("1"), asked("2"), b"/3"]


async def test_a_hundred_wait_for_a_model(tmp_path: Path) -> None:
    """They all come at once to a server that can take few at a time into its queue."""
    async with opened(tmp_path, backlog=5) as front:
        front.leases.loading["a"] = loaded = asyncio.Event()
        clients = [await front.client() for _ in range(100)]
        for i, client in enumerate(clients):
            client.send(ask(f"{i}"))
        await until(lambda: front.leases.waiting == 100)
        loaded.set()
        assert [(await client.answer()).body for client in clients] == [asked(f"{i}") for i in range(100)]


@pytest.mark.parametrize("way", ["leave", "hang_up"])
async def test_a_client_that_leaves_while_it_waits(tmp_path: Path, way: str) -> None:
    async with opened(tmp_path) as front:
        front.leases.loading["a"] = asyncio.Event()
        client = await front.client()
        client.send(ask(), ask())
        await until(lambda: front.leases.waiting == 1)
        getattr(client, way)()
        await until(lambda: not front.leases.waiting and not front.door.connections)
        assert not front.leases.granted
        assert not front.upstream.requests


async def test_a_client_that_leaves_just_as_the_model_is_ready(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        for turns in range(12):
            front.leases.loading["a"] = loaded = asyncio.Event()
            client = await front.client()
            client.send(ask())
            await until(lambda: front.leases.waiting)
            client.leave()
            for _ in range(turns):
                await asyncio.sleep(0)
            loaded.set()
            await until(lambda: not front.leases.waiting and not front.leases.out and not front.door.connections)
            front.leases.loading.clear()


# --- leaving --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["leave", "hang_up"])
@pytest.mark.parametrize("stage", ["before the head", "in a stream", "in a sized answer"])
async def test_a_client_that_leaves_is_noticed_at_once(tmp_path: Path, way: str, stage: str) -> None:
    """llama-server stops generating when its connection closes. The quickest of some, for the sake of slow machines."""
    async with opened(tmp_path) as front:
        never = asyncio.Event()
        begun = {
            "before the head": b"HTTP/1.1 200 OK\r\n",
            "in a stream": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
            "in a sized answer": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx",
        }[stage]
        front.upstream.play = lambda request: [begun, never]
        took = []
        for _ in range(5):
            client = await front.client()
            client.send(ask())
            if stage == "before the head":
                await until(lambda: front.upstream.visits and front.upstream.visits[-1].sent)
            else:
                await client.until(b"x")
            left = asyncio.get_running_loop().time()
            getattr(client, way)()
            visit = front.upstream.visits[-1]
            await visit.gone.wait()
            took.append(visit.gone_at - left)
            await until(lambda: not front.leases.out)
        assert min(took) < 0.1


async def test_a_client_that_leaves_while_the_door_connects(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        for turns in range(12):
            client = await front.client()
            client.send(ask())
            await until(lambda: front.leases.granted)
            for _ in range(turns):
                await asyncio.sleep(0)
            client.leave()
            await until(lambda: not front.leases.out and not front.door.connections)
            front.leases.granted.clear()
            front.pass_time(1)
            for pool in front.door._pools.values():
                pool.close()
            await until(lambda: not front.upstream.open_visits)


async def test_a_connection_serves_others_after_a_client_that_had_all_of_its_answer(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = lambda request: [sized(b"hello")]
        for _ in range(5):
            assert (await front.ask(ask())).body == b"hello"
            await until(lambda: not front.door.connections)
        assert len(front.upstream.visits) == 1
