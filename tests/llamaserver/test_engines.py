"""The stand-ins are true: the fake answers as a real llama-server does, and the tiny model makes it answer."""

import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from anyio.to_thread import run_sync

from llamactl.llamaserver.capabilities import examine
from llamactl.llamaserver.locate import Engine
from llamactl.llamaserver.process import LlamaServer, launch
from tests.engines import tiny_model
from tests.engines.client import Answer, ask
from tests.engines.fake import Vices
from tests.llamaserver.conftest import Start, command, model, until

pytestmark = pytest.mark.anyio

HELLO = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
CHAT = "/v1/chat/completions"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # what is tested here runs in other processes


@pytest.fixture
async def both(real: Engine, fake: Engine, place: Path) -> Any:
    """A real and a fake llama-server that serve the same tiny model."""
    tiny = model(tiny_model.write_tiny_model(place / "tiny.gguf"), skip_chat_parsing=True, threads=1)
    servers: list[LlamaServer] = []
    for name, engine in (("real", real), ("fake", fake)):
        endpoint = str(place / f"{name}.sock")
        line = command(engine.path, tiny, endpoint, await examine(engine))
        servers.append(await launch(engine, line, endpoint, place / f"{name}.log", tiny))
    for server in servers:
        await until(server.healthy)
    yield [server.endpoint for server in servers]
    for server in servers:
        server.kill()
        await server.wait()


def shape(value: Any) -> Any:
    """The types within a JSON value."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) else type(value).__name__


def contained(ours: Any, theirs: Any) -> bool:
    """Whatever the fake tells, the real one tells too; but for `echo`."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return all(name == "echo" or (name in theirs and contained(ours[name], theirs[name])) for name in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return not ours or not theirs or contained(ours[0], theirs[0])
    return bool(ours == theirs)


def heads(answer: Answer) -> list[tuple[str, str]]:
    """Sorted, since builds differ in their order (the fake's is that of b10434)."""
    return sorted((name, "?" if name == "Content-Length" else value) for name, value in answer.headers)


@pytest.mark.parametrize(
    ("path", "body", "method"),
    [
        ("/health", None, ""),
        ("/health", None, "HEAD"),
        ("/v1/health", None, ""),
        ("/v1/models", None, ""),
        ("/models", None, ""),
        ("/props", None, ""),
        ("/slots", None, ""),
        ("/nothing", None, ""),
        ("/v1/nothing", {}, ""),
        (CHAT, HELLO, ""),
        ("/chat/completions", HELLO, ""),
        (CHAT, {}, ""),
        (CHAT, {**HELLO, "stream": True}, ""),
        (CHAT, {**HELLO, "stream": True, "stream_options": {"include_usage": True}}, ""),
        ("/v1/completions", {"prompt": "hello", "max_tokens": 4}, ""),
        ("/v1/completions", {"prompt": "hello", "max_tokens": 4, "stream": True}, ""),
    ],
)
async def test_the_fake_answers_as_the_real_one(both: list[str], path: str, body: object, method: str) -> None:
    real, fake = [await run_sync(ask, endpoint, path, body, method) for endpoint in both]
    assert fake.status == real.status
    same = [(name, value) for name, value in heads(real) if (name, value) != ("Accept-Ranges", "bytes")]
    assert heads(fake) == same
    if method == "HEAD":
        assert real.body == fake.body == b""
    elif "text/event-stream" in str(real.headers):
        theirs, ours = real.events(), fake.events()
        assert len(ours) == len(theirs)
        for our, their in zip(ours, theirs, strict=True):
            assert contained(shape(our), shape(their)), (our, their)
    else:
        assert contained(shape(fake.json()), shape(real.json())), (fake.json(), real.json())


def talk(endpoint: str, *sent: bytes) -> tuple[list[int], bool]:
    """How many answers come for each piece, and whether the server hangs up after the last.

    Only after the last is it waited for what might come too much.
    """
    counts = []
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(endpoint)
        for number, piece in enumerate(sent, 1):
            client.settimeout(5)
            client.sendall(piece)
            got = client.recv(65536)
            while not got.endswith((b"}", b"\r\n0\r\n\r\n")):
                got += client.recv(65536)
            client.settimeout(0.3)
            hangs_up = False
            with suppress(TimeoutError):
                while number == len(sent) and not hangs_up:
                    more = client.recv(65536)
                    got += more
                    hangs_up = not more
            counts.append(got.count(b"HTTP/1.1 "))
    return counts, hangs_up


GET = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


def post(path: str, body: object, *headers: str) -> bytes:
    data = json.dumps(body).encode()
    head = [f"POST {path} HTTP/1.1", "Host: x", *headers, f"Content-Length: {len(data)}", "", ""]
    return "\r\n".join(head).encode() + data


CHUNKED = b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "answers", "hangs_up"),
    [
        pytest.param([GET * 3], [1], False, id="what is sent too early is lost"),
        pytest.param([GET, GET], [1, 1], False, id="one after the other"),
        pytest.param([GET.replace(b"health", b"nothing"), GET], [1, 1], False, id="an error says close and stays open"),
        pytest.param([post(CHAT, {**HELLO, "stream": True})], [1], True, id="a stream says keep-alive and closes"),
        pytest.param([GET.replace(b"1.1", b"1.0")], [1], True, id="HTTP/1.0"),
        pytest.param([GET.replace(b"Host: x", b"Connection: close")], [1], True, id="close"),
        pytest.param([post(CHAT, {}, "Expect: 100-continue")], [2], False, id="100-continue"),
        pytest.param([CHUNKED, GET], [1, 1], False, id="a chunked request"),
    ],
)
async def test_connections(both: list[str], sent: list[bytes], answers: list[int], hangs_up: bool) -> None:
    for endpoint in both:
        assert await run_sync(talk, endpoint, *sent) == (answers, hangs_up)


def hundred_and_one(endpoint: str) -> list[bytes]:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(endpoint)
        answers = []
        for _ in range(101):
            try:
                client.sendall(GET)
                answers.append(client.recv(65536))
            except OSError:
                break
        return [answer for answer in answers if answer]


async def test_the_hundredth_answer_says_close(both: list[str]) -> None:
    for endpoint in both:
        answers = await run_sync(hundred_and_one, endpoint)
        assert len(answers) == 100
        assert [b"Connection: close" in answer for answer in answers] == [False] * 99 + [True]


async def test_the_tiny_model_says_what_can_be_printed(both: list[str]) -> None:
    real = both[0]
    question = {"messages": [{"role": "user", "content": "Grüße, 日本! \x01"}], "max_tokens": 200}
    whole = (await run_sync(ask, real, CHAT, question)).json()
    text = whole["choices"][0]["message"]["content"]
    assert whole["choices"][0]["finish_reason"] == "length", "it never ends by itself"
    assert whole["usage"]["completion_tokens"] == len(text) == 200
    assert text.isascii()
    assert text.isprintable()
    events = (await run_sync(ask, real, CHAT, {**question, "stream": True})).events()
    tokens = [event["choices"][0]["delta"].get("content") for event in events[:-1]]
    assert events[-1] == "[DONE]"
    assert len([token for token in tokens if token]) == 200


async def test_the_tiny_model_embeds(real: Engine, place: Path) -> None:
    endpoint = str(place / "e.sock")
    tiny = model(tiny_model.write_tiny_model(place / "tiny.gguf"), threads=1)
    line = [*command(real.path, tiny, endpoint, await examine(real)), "--embeddings"]
    server = await launch(real, line, endpoint, place / "log", tiny)
    try:
        await until(server.healthy)
        answer = (await run_sync(ask, endpoint, "/v1/embeddings", {"input": ["a", "b"]})).json()
        assert [len(item["embedding"]) for item in answer["data"]] == [tiny_model.WIDTH] * 2
    finally:
        server.kill()
        await server.wait()


def test_the_tiny_model_is_small_and_always_the_same(tmp_path: Path) -> None:
    first, again = (tiny_model.write_tiny_model(tmp_path / name).read_bytes() for name in ("a.gguf", "b.gguf"))
    assert first == again != tiny_model.write_tiny_model(tmp_path / "c.gguf", seed=1).read_bytes()
    assert len(first) < 500_000
    assert tiny_model.write_truncated_model(tmp_path / "d.gguf", 0.5).read_bytes() == first[: len(first) // 2]


# The vices


async def test_answers_are_echoed(start: Start) -> None:
    server = await start("--alias", "me")
    await until(server.healthy)
    chat = (await run_sync(ask, server.endpoint, CHAT, HELLO)).json()
    assert (chat["model"], chat["echo"]) == ("me", "hello")
    echo = (await run_sync(ask, server.endpoint, "/echo?a=1", {"x": 1})).json()
    assert (echo["method"], echo["path"], echo["body_length"]) == ("POST", "/echo?a=1", 8)
    assert ["Host", "test"] in echo["headers"]


async def test_an_upgrade(start: Start) -> None:
    server = await start()
    await until(server.healthy)

    def upgraded() -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(server.endpoint)
            client.sendall(b"GET /any HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly")
            got = b""
            while not got.endswith(b"early"):
                got += client.recv(1000)
            client.sendall(b"late")
            return got + client.recv(1000)

    got = await run_sync(upgraded)
    assert got.startswith(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    assert got.endswith(b"earlylate")


def records(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (place / "record").read_text().splitlines()]


@pytest.mark.parametrize("stream", [False, True])
async def test_it_notices_a_client_that_leaves(start: Start, place: Path, stream: bool) -> None:
    Vices(record=str(place / "record"), token_interval=10).of_model(place / "model.gguf")
    server = await start()
    await until(server.healthy)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(server.endpoint)
        client.sendall(post(CHAT, {**HELLO, "stream": stream}))

        async def begun() -> bool:
            return any(record.get("path") == CHAT for record in records(place))

        await until(begun)

    async def aborted() -> bool:
        return any(record["event"] == "aborted" and record["after"] < 5 for record in records(place))

    await until(aborted)


def outcome(endpoint: str, body: object) -> bytes:
    """All that comes, however it ends."""
    with socket.socket(socket.AF_UNIX) as client, suppress(ConnectionResetError):
        client.settimeout(5)
        client.connect(endpoint)
        client.sendall(post(CHAT, body, "Connection: close"))
        got = b""
        while data := client.recv(65536):
            got += data
    return got


ANSWERS: dict[str, tuple[dict[str, Any], bool, Callable[[bytes], bool]]] = {
    "crash before it": ({"crash_at": "before_answer"}, False, lambda got: got == b""),
    "crash in the body": ({"crash_at": "mid_stream"}, False, lambda got: b"\r\n\r\n{" in got and got[-1:] != b"}"),
    "crash in a stream": ({"crash_at": "mid_stream"}, True, lambda got: b"t1" in got and b"t3" not in got),
    "stream without body": ({"close_after_headers": True}, True, lambda got: got.endswith(b"\r\n\r\n")),
    "head without body": ({"close_after_headers": True}, False, lambda got: got.endswith(b"\r\n\r\n")),
    "large": ({"answer_size": 100_000}, False, lambda got: len(got) > 100_000),
    "cut anywhere": (
        {"chunk_size": 7},
        True,
        lambda got: got.count(b"\r\n7\r\n") > 50 and got.endswith(b"\r\n0\r\n\r\n"),
    ),
}


@pytest.mark.parametrize(("vices", "stream", "true"), ANSWERS.values(), ids=ANSWERS)
async def test_vices_of_answers(
    start: Start, place: Path, vices: dict[str, Any], stream: bool, true: Callable[[bytes], bool]
) -> None:
    Vices(**vices).of_model(place / "model.gguf")
    server = await start()
    await until(server.healthy)
    got = await run_sync(outcome, server.endpoint, {**HELLO, "stream": stream})
    assert true(got), got
    if "crash_at" in vices:
        assert (await server.wait()).code == 1


async def test_a_slow_first_byte(start: Start, place: Path) -> None:
    Vices(first_byte_delay=0.2).of_model(place / "model.gguf")
    server = await start()
    await until(server.healthy)
    began = time.monotonic()
    await run_sync(ask, server.endpoint, CHAT, HELLO)
    assert time.monotonic() - began >= 0.2


async def test_sigterm_with_a_stream_in_flight(start: Start, place: Path) -> None:
    """Generation stops; it leaves when the client does."""
    Vices(token_interval=0.01, tokens=10_000, record=str(place / "record")).of_model(place / "model.gguf")
    server = await start()
    await until(server.healthy)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(server.endpoint)
        client.sendall(post(CHAT, {"messages": [], "stream": True}))
        await run_sync(client.recv, 100)
        server.terminate()

        async def told() -> bool:
            return any(record["event"] == "sigterm" for record in records(place))

        await until(told)
        assert await server.healthy()
    assert (await server.wait()).code == 0
