"""What the door makes of who may and who may not: on the wire, in both directions."""

import asyncio
import base64
import json
from hashlib import sha256
from pathlib import Path

import pytest

from llamactl.core.access import Key
from llamactl.proxy.access import Gate
from llamactl.proxy.origins import Origins
from tests.proxy.asking import ask, get, post
from tests.proxy.front import opened, until
from tests.proxy.upstreams import always, sized
from tests.proxy.wire import Answer, requests

pytestmark = pytest.mark.anyio

SECRET = "0123456789abcdef0123"
SHOWN = f"llk_abcd_{SECRET}"
BODY = b'{"model": "a"}'
PAGE = b"Origin: https://chat.example"


def key(**more: object) -> Key:
    return Key(id="abcd", name="editor", digest=sha256(SECRET.encode()).hexdigest(), **more)  # type: ignore[arg-type]


def gate(*keys: Key, pages: tuple[str, ...] = ()) -> Gate:
    """`x` is the name that requests here have for us."""
    made = Gate()
    made.admit(keys)
    made.configure(anonymous="auto", rate=0.0, tokens=None, origins=Origins(pages, listeners=("x:80",)))
    return made


def error(answer: Answer) -> str:
    return str(json.loads(answer.body)["error"]["message"])


async def test_no_key(tmp_path: Path) -> None:
    async with opened(tmp_path, gate=gate(key())) as front:
        answer = await front.ask(post(BODY))
        assert answer.status == 401 and answer.header(b"www-authenticate") == b"Bearer"
        assert "takes a key with the scope infer" in error(answer)
        assert (await front.ask(post(BODY, b"Authorization: Bearer llk_abcd_" + b"f" * 20))).status == 401
        assert (await front.ask(get(b"/health"))).status == 200
        assert front.upstream.received == []


@pytest.mark.parametrize(
    "line", [f"Authorization: Bearer {SHOWN}", f"x-api-key: {SHOWN}", f"AUTHORIZATION: bearer {SHOWN}"]
)
async def test_neither_key_nor_claim_goes_further(tmp_path: Path, line: str) -> None:
    forged = base64.b64encode(b'{"scope": "admin"}')
    async with opened(tmp_path, gate=gate(key())) as front:
        claims = (b"X-Llamactl-Caller: " + forged, b"x-LLAMACTL-caller: " + forged)
        assert (await front.ask(post(BODY, line.encode(), *claims))).status == 200
        assert (await front.ask(get(b"/v1/models", line.encode(), *claims))).status == 200
        [to_model], [to_web] = requests(b"".join(front.upstream.received)), requests(b"".join(front.web.received))
        for sent in (to_model, to_web):
            assert sent.all(b"authorization") == sent.all(b"x-api-key") == []
        assert to_model.all(b"x-llamactl-caller") == []
        [told] = to_web.all(b"x-llamactl-caller")
        assert json.loads(base64.b64decode(told)) == {"key": "abcd", "name": "editor", "scope": "infer"}
        assert SECRET.encode() not in b"".join(front.upstream.received + front.web.received)


async def test_for_some_models_only(tmp_path: Path) -> None:
    async with opened(tmp_path, gate=gate(key(models=("b*",)))) as front:
        line = f"Authorization: Bearer {SHOWN}".encode()
        answer = await front.ask(post(BODY, line))
        assert answer.status == 403 and "not for the model a" in error(answer)
        assert (await front.ask(post(b'{"model": "b"}', line))).status == 200
        assert (await front.ask(get(b"/nothing", line))).status == 403, "that takes observe"


async def test_who_goes_first(tmp_path: Path) -> None:
    async with opened(tmp_path, gate=gate(key(priority=3))) as front:
        front.leases.loading["a"] = asyncio.Event()
        client = await front.client()
        client.send(post(BODY, f"Authorization: Bearer {SHOWN}".encode()))
        await until(lambda: front.leases.priorities == [3])
        front.leases.loading["a"].set()
        assert (await client.answer(b"POST")).status == 200


async def test_so_many_a_minute_and_at_once(tmp_path: Path) -> None:
    line = f"Authorization: Bearer {SHOWN}".encode()
    async with opened(tmp_path, gate=gate(key(rate=2.0, parallel=1), pages=("*",))) as front:
        client = await front.client()
        for left in (b"1", b"0"):
            answer = await client.ask(post(BODY, line, PAGE))
            assert answer.status == 200 and answer.header(b"x-ratelimit-remaining") == left
        answer = await client.ask(post(BODY, line, PAGE))
        assert answer.status == 429 and answer.header(b"x-ratelimit-limit") == b"2"
        assert 0 < int(answer.header(b"retry-after") or 0) <= 60 and int(answer.header(b"x-ratelimit-reset") or 0) > 1e9
        assert answer.header(b"access-control-allow-origin") == b"https://chat.example"


async def test_a_place_is_free_again_whatever_became_of_the_request(tmp_path: Path) -> None:
    line = f"Authorization: Bearer {SHOWN}".encode()
    async with opened(tmp_path, gate=gate(key(parallel=1))) as front:
        for _ in range(3):
            assert (await front.ask(post(BODY, line))).status == 200
            assert (await front.ask(post(b'{"model": "nobody"}', line))).status == 404
            gone = await front.client()
            gone.send(post(BODY, line)[:-1])
            gone.leave()


@pytest.mark.parametrize(
    ("host", "status"),
    [(b"127.0.0.1", 200), (b"localhost:8134", 200), (b"evil.example", 403), (b"evil.example:8134", 403)],
)
async def test_another_name_for_us(tmp_path: Path, host: bytes, status: int) -> None:
    async with opened(tmp_path, gate=gate()) as front:
        for request in (post(BODY), get(b"/v1/models")):
            first, _, rest = request.partition(b"\r\n")
            rest = b"\r\n".join(each for each in rest.split(b"\r\n") if not each.lower().startswith(b"host:"))
            assert (await front.ask(b"%b\r\nHost: %b\r\n%b" % (first, host, rest))).status == status


async def test_pages_are_told_what_they_may(tmp_path: Path) -> None:
    async with opened(tmp_path, gate=gate(key(), pages=("https://chat.example",))) as front:
        front.upstream.play = always(sized(b"{}", "200 OK", "Access-Control-Allow-Origin: https://evil.example"))
        line = f"Authorization: Bearer {SHOWN}".encode()
        client = await front.client()
        asked = (PAGE, b"Access-Control-Request-Method: POST", b"Access-Control-Request-Headers: authorization, x-a")
        answer = await client.ask(get(b"/v1/chat/completions", *asked, method=b"OPTIONS"))
        assert answer.status == 204 and answer.body == b""
        assert answer.header(b"access-control-allow-headers") == b"authorization, x-a"
        assert b"POST" in (answer.header(b"access-control-allow-methods") or b"")
        for request, status in {
            post(BODY, line, PAGE): 200,
            post(BODY, PAGE): 401,
            post(b"{", line, PAGE): 400,
            post(b'{"model": "x"}', line, PAGE): 404,
        }.items():
            answer = await client.ask(request)
            assert answer.status == status
            assert answer.header(b"access-control-allow-origin") == b"https://chat.example"
            assert b"X-Request-Id" in (answer.header(b"access-control-expose-headers") or b"")
        for lines in ((line,), (line, b"Origin: https://evil.example")):
            answer = await client.ask(post(BODY, *lines))
            assert answer.status == 200 and answer.header(b"access-control-allow-origin") is None
        answer = await client.ask(get(b"/v1/models", b"Origin: https://evil.example", method=b"OPTIONS"))
        assert answer.status == 403 and answer.header(b"access-control-allow-methods") is None


async def test_a_page_cannot_have_models_work_where_no_key_is_needed(tmp_path: Path) -> None:
    """Browsers send such a request without asking; only the answer is kept from the page."""
    async with opened(tmp_path, gate=gate(pages=("https://chat.example",))) as front:
        client = await front.client()
        ours = {b"https://chat.example": 200, b"http://x": 200}
        for origin, status in {b"https://evil.example": 403, b"null": 403, **ours}.items():
            assert (await client.ask(post(BODY, b"Origin: " + origin))).status == status
            assert (await client.ask(get(b"/v1/models", b"Origin: " + origin))).status == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (b"http://localhost:8134", 101),
        (b"https://chat.example", 101),
        (b"http://evil.example", 403),
        (b"null", 403),
        (b"", 101),
    ],
)
async def test_websockets_of_pages(tmp_path: Path, origin: bytes, status: int) -> None:
    async with opened(tmp_path, gate=gate(pages=("https://chat.example",))) as front:
        front.web.play = always(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        )
        lines = [b"Host: localhost:8134", b"Connection: Upgrade", b"Upgrade: websocket"]
        lines += [b"Origin: " + origin] if origin else []
        client = await front.client()
        client.send(b"GET /llamaproxws HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n")
        assert (await client.until(b"\r\n")).split()[1] == b"%d" % status


async def test_one_that_is_taken_back_is_refused_on_the_connection_that_it_was_good_on(tmp_path: Path) -> None:
    line = f"Authorization: Bearer {SHOWN}".encode()
    async with opened(tmp_path, gate=gate(key())) as front:
        client = await front.client()
        assert [(await client.ask(post(BODY, line))).status for _ in range(3)] == [200] * 3
        front.door.gate.admit([key(revoked=1.0)])
        assert (await client.ask(post(BODY, line))).status == 401
        assert (await client.ask(ask())).status == 200, "no key is left, so none is asked for here"


# --- before the body has come ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        (b"Expect: 100-continue", b"Content-Length: 20"),
        (b"Content-Length: 50000000",),
        (b"Content-Length: 1000",),
        (b"Transfer-Encoding: chunked",),
    ],
)
@pytest.mark.parametrize("shown", [b"", b"x-api-key: llk_abcd_" + b"f" * 20])
async def test_who_may_not_is_told_before_sending(tmp_path: Path, lines: tuple[bytes, ...], shown: bytes) -> None:
    async with opened(tmp_path, gate=gate(key(), pages=("https://chat.example",))) as front:
        for _ in range(2):
            client = await front.client()
            head = [b"POST /v1/embeddings HTTP/1.1", b"Host: x", PAGE, *lines, *filter(None, [shown])]
            answer = await client.ask(b"\r\n".join(head) + b"\r\n\r\n")
            assert (answer.status, answer.header(b"connection")) == (401, b"close")
            assert answer.header(b"access-control-allow-origin") == b"https://chat.example"
            client.send(b"x" * 100_000)
            assert await client.rest() == b""
        assert front.upstream.received == []


async def test_they_are_told_in_their_turn(tmp_path: Path) -> None:
    async with opened(tmp_path, gate=gate(key())) as front:
        front.upstream.play = always(ready := asyncio.Event(), sized(b"first"))
        client = await front.client()
        client.send(post(BODY, f"x-api-key: {SHOWN}".encode()), post(b"x" * (8 << 20))[:1000])
        await until(lambda: bool(front.leases.granted))
        ready.set()
        assert (await client.answer()).body == b"first"
        assert (await client.answer()).status == 401
        assert await client.rest() == b""


async def test_who_has_had_enough_is_told_before_sending_more(tmp_path: Path) -> None:
    async with opened(tmp_path, gate=gate(key(rate=2.0))) as front:
        line = f"x-api-key: {SHOWN}".encode()
        whole = post(BODY, line, b"Expect: 100-continue")
        client = await front.client()
        for _ in range(2):
            assert (await client.ask(whole[: -len(BODY)])).status == 100
            answer = await client.ask(whole[-len(BODY) :])
            assert answer.status == 200, "looking at the head has not been counted"
        answer = await client.ask(whole[: -len(BODY)])
        assert (answer.status, answer.header(b"x-ratelimit-remaining")) == (429, b"0")
        assert 0 < int(answer.header(b"retry-after") or 0) <= 60
        assert (await front.ask(post(BODY, line))).status == 429


async def test_a_refusal_of_what_came_whole_keeps_the_connection(tmp_path: Path) -> None:
    async with opened(tmp_path, gate=gate(key())) as front:
        client = await front.client()
        assert [(await client.ask(post(BODY))).status for _ in range(3)] == [401] * 3
        # A head that was refused once is none the worse for it.
        line = f"x-api-key: {SHOWN}".encode()
        whole = post(BODY, line)
        front.door.gate.admit([key(expires=1.0)])
        early = await front.client()
        assert (await early.ask(whole[: -len(BODY)])).status == 401
        front.door.gate.admit([key()])
        assert [(await client.ask(whole)).status for _ in range(3)] == [200] * 3
