"""Paths as clients write them, and what reaches whom."""

import json
from pathlib import Path

import pytest

from llamactl.core.errors import BodyTooLarge, LoadFailed
from tests.proxy.asking import asked, get, post
from tests.proxy.front import opened
from tests.proxy.upstreams import CLOSE, ECHO, EVENTS, SWITCH, chunk, chunked_head

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("data", "method", "target"),
    [
        (post(b'{"model":"a","stream":true}', path=b"/messages"), b"POST", b"/v1/messages"),
        (post(asked(), path=b"/v1/tokenize?model=b&x=%2F"), b"POST", b"/tokenize?model=b&x=%2F"),
        (post(b"[]", path=b"/v1/lora-adapters?model=a"), b"POST", b"/lora-adapters?model=a"),
        (post(b"", path=b"/slots/3?action=erase&model=a"), b"POST", b"/slots/3?action=erase&model=a"),
        (get(b"/props?model=a"), b"GET", b"/props?model=a"),
        (get(b"/v1/metrics?model=a"), b"GET", b"/metrics?model=a"),
        (get(b"/upstream/a/"), b"GET", b"/"),
        (get(b"/upstream/a/x%20y/%2F?z=%20"), b"GET", b"/x%20y/%2F?z=%20"),
        (get(b"/upstream/%61//", method=b"DELETE"), b"DELETE", b"//"),
        (post(b"nonsense", path=b"/upstream/b/v1/messages"), b"POST", b"/v1/messages"),
    ],
)
async def test_what_a_llama_server_is_asked_for(tmp_path: Path, data: bytes, method: bytes, target: bytes) -> None:
    async with opened(tmp_path) as front:
        client = await front.client()
        for _ in range(2):  # the second time its head is known
            assert (await client.ask(data)).status == 200
        body = data.partition(b"\r\n\r\n")[2]
        assert [(sent.method, sent.target, sent.body) for sent in front.upstream.requests] == [
            (method, target, body)
        ] * 2
        assert not front.web.requests


async def test_a_web_socket_of_one_and_no_key_of_the_client(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = lambda _: (SWITCH, ECHO)
        client = await front.client()
        keys = (b"Authorization: Bearer secret", b"X-Api-Key: secret")
        client.send(get(b"/upstream/a/ws", b"Connection: Upgrade", b"Upgrade: websocket", *keys))
        assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        client.send(b"there and back")
        assert await client.take(14) == b"there and back"
        [sent] = front.upstream.requests
        assert (sent.target, sent.all(b"upgrade")) == (b"/ws", [b"websocket"])
        assert b"secret" not in b"".join(front.upstream.received)
        client.leave()


async def test_only_pages_are_asked_for_as_the_client_can_read_them(tmp_path: Path) -> None:
    gzip = b"Accept-Encoding: gzip"
    async with opened(tmp_path) as front:
        client = await front.client()
        await client.ask(get(b"/upstream/a/", gzip))
        await client.ask(get(b"/props?model=a", gzip))
        await client.ask(post(asked(), gzip))
        assert [sent.all(b"accept-encoding") for sent in front.upstream.requests] == [[b"gzip"], [], []]


@pytest.mark.parametrize(
    ("path", "location"),
    [
        (b"/upstream/a", b"./a/"),
        (b"/upstream/%61?x=%0d%0a", b"./%61/?x=%0d%0a"),
    ],
)
async def test_a_page_has_a_slash_at_its_end(tmp_path: Path, path: bytes, location: bytes) -> None:
    async with opened(tmp_path) as front:
        answer = await front.ask(get(path))
        assert (answer.status, answer.header(b"location")) == (308, location)
        assert not front.leases.granted


async def test_without_autoload_only_what_is_loaded_is_asked(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        assert (await front.ask(post(asked("a"), path=b"/v1/completions?autoload=false"))).status == 200
        front.leases.failing["a"] = LoadFailed("it was loaded after all")
        answer = await front.ask(post(asked("a"), path=b"/v1/completions?autoload=false"))
        assert answer.status == 400
        assert "model is not loaded" in json.loads(answer.body)["error"]["message"]
        assert (await front.ask(post(asked("a"), path=b"/v1/completions?autoload=true"))).status == 503


@pytest.mark.parametrize(
    ("path", "outer", "inner"),
    [
        (b"/v1/completions", {"error"}, {"message", "type", "param", "code"}),
        (b"/v1/messages", {"type", "error"}, {"type", "message"}),
        (b"/upstream/x/v1/messages", {"type", "error"}, {"type", "message"}),
    ],
)
async def test_refusals_in_the_dialect_of_the_path(
    tmp_path: Path, path: bytes, outer: set[str], inner: set[str]
) -> None:
    async with opened(tmp_path, max_body=100) as front:
        for data, status in ((b'{"model":"x"}', 404), (b" " * 101, BodyTooLarge.status)):
            answer = await front.ask(post(data, path=path))
            said = json.loads(answer.body)
            assert (answer.status, said.keys(), said["error"].keys()) == (status, outer, inner)


@pytest.mark.parametrize(
    ("path", "event"),
    [
        (b"/v1/completions", b"data: {"),
        (b"/v1/messages", b"event: error\ndata: {"),
        (b"/v1/responses", b"event: error\ndata: {"),
    ],
)
async def test_a_stream_that_breaks_off_says_so_in_the_dialect_of_the_path(
    tmp_path: Path, path: bytes, event: bytes
) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = lambda _: (chunked_head(EVENTS) + chunk(b": begun\n\n"), CLOSE)
        client = await front.client()
        client.send(post(b'{"model":"a","stream":true}', path=path))
        received = await client.rest()
        _, _, told = received.partition(b"\r\n" + event)
        assert "went away" in json.loads(b"{" + told.split(b"\n")[0])["error"]["message"]
        assert not received.endswith(b"0\r\n\r\n")


async def test_a_request_is_shaped_on_its_way(tmp_path: Path) -> None:
    """A form is not, nor is what goes through `/upstream/`, nor what other requests with the same head ask."""
    body, form = b'{"model":"a:shaped", "top_k": 3,  "seed":null}', b"model=a%3Ashaped&seed=2"
    async with opened(tmp_path) as front:
        client = await front.client()
        for _ in range(2):
            await client.ask(post(body, path=b"/tokenize"))
        await client.ask(post(b'{"model":"a"}', path=b"/tokenize"))
        await client.ask(post(b"{}", path=b"/tokenize?model=a:shaped"))
        await client.ask(post(body, path=b"/upstream/a:shaped/tokenize"))
        head = b"POST /tokenize HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        await client.ask(head + b"Content-Length: %d\r\n\r\n%b" % (len(form), form))
        assert [sent.body for sent in front.upstream.requests] == [
            b'{"model":"a:shaped",  "seed":1}',
            b'{"model":"a:shaped",  "seed":1}',
            b'{"model":"a"}',
            b'{"seed":1}',
            body,
            form,
        ]
