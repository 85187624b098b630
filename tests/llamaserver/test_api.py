import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from llamactl.core.errors import NotRunning
from llamactl.core.model import Told
from llamactl.llamaserver import api
from llamactl.llamaserver.api import Generation, Props, ask, health, props, told

pytestmark = pytest.mark.anyio

OK = b'HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nContent-Length: 15\r\n\r\n{"status":"ok"}'
OURS = os.getsid(0)
Serve = Callable[..., str]


@pytest.fixture
def serve(place: Path) -> Iterator[Serve]:
    """A server in this process: answers each connection with these pieces, and keeps it open if told to."""
    listener = socket.socket(socket.AF_UNIX)
    threads: list[threading.Thread] = []
    enough = threading.Event()

    def start(*pieces: bytes, keep_open: bool = False) -> str:
        def run() -> None:
            while True:
                try:
                    client = listener.accept()[0]
                except OSError:
                    return
                with client, suppress(OSError):  # the other side may have had enough
                    client.recv(4096)
                    for piece in pieces:
                        client.sendall(piece)
                    if keep_open:
                        enough.wait(10)

        listener.bind(str(place / "s.sock"))
        listener.listen()
        threads.append(threading.Thread(target=run))
        threads[0].start()
        return str(place / "s.sock")

    yield start
    enough.set()
    listener.shutdown(socket.SHUT_RDWR) if threads else None
    listener.close()
    for thread in threads:
        thread.join(10)


async def test_healthy(serve: Serve) -> None:
    assert await health(serve(OK), OURS)


async def test_an_open_connection_is_not_waited_for(serve: Serve) -> None:
    assert await health(serve(OK, keep_open=True), OURS)


async def test_an_answer_in_pieces(serve: Serve) -> None:
    answer = await ask(serve(*(OK[i : i + 1] for i in range(len(OK)))), "/health")
    assert answer == (200, b'{"status":"ok"}', os.getpid())


async def test_a_foreign_server_is_not_readiness(serve: Serve) -> None:
    endpoint = serve(OK)
    for other in {OURS + 1, 0} - {OURS}:  # ours has the number 0 where its leader is outside of the container
        assert not await health(endpoint, other)


async def test_not_healthy_while_loading(serve: Serve) -> None:
    body = b'{"error":{"message":"Loading model"}}'
    head = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: %d\r\nConnection: close\r\n\r\n" % len(body)
    assert not await health(serve(head + body, keep_open=True), OURS)


async def test_nothing_there(place: Path) -> None:
    assert not await health(str(place / "none.sock"), OURS)
    with pytest.raises(NotRunning, match="no llama-server answers at"):
        await ask(str(place / "none.sock"), "/health")


async def test_a_stale_socket(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(place / "stale.sock"))
    assert not await health(str(place / "stale.sock"), OURS)


async def test_a_path_that_is_too_long() -> None:
    assert not await health("/" + "x" * 200, OURS)


@pytest.mark.parametrize("pieces", [(), (OK[:20],), (OK[:-1],)], ids=["silent", "in the head", "in the body"])
async def test_one_that_stops_answering(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, pieces: tuple[bytes, ...]
) -> None:
    monkeypatch.setattr(api, "TIMEOUT", 0.05)
    assert not await health(serve(*pieces, keep_open=True), OURS)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 abc\r\nContent-Length: 0\r\n\r\n",
        OK[:-1],
    ],
    ids=["nothing", "not HTTP", "no length", "no status", "cut short"],
)
async def test_what_is_not_a_proper_answer(serve: Serve, answer: bytes) -> None:
    endpoint = serve(answer)
    assert not await health(endpoint, OURS)
    with pytest.raises(NotRunning):
        await props(endpoint)


async def test_an_endless_answer(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "LARGEST", 1000)
    assert not await health(
        serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", *[b"x" * 100] * 20, keep_open=True), OURS
    )


async def test_props(serve: Serve) -> None:
    body = b'{"model_alias":"qwen","total_slots":4,"is_sleeping":true,"default_generation_settings":{"n_ctx":1}}'
    endpoint = serve(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    assert await props(endpoint) == Props(
        model_alias="qwen", total_slots=4, is_sleeping=True, default_generation_settings=Generation(n_ctx=1)
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            b'{"chat_template":"{{ x }}","modalities":{"vision":true,"audio":false},"data":[{"id":"a","meta":'
            b'{"n_params":7,"n_ctx_train":4096,"n_vocab":259,"n_embd":64,"size":1}}]}',
            Told(
                parameters=7, context_length=4096, vocabulary=259, embedding_length=64,
                chat_template=True, modalities=("image",),
            ),
        ),
        (b'{"data":[{"id":"a","meta":null}]}', Told()),
        (b"{}", Told()),
    ],
)  # fmt: skip
async def test_what_a_model_says_of_itself(serve: Serve, body: bytes, said: Told) -> None:
    endpoint = serve(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    assert await told(endpoint) == said


async def test_what_something_else_says_is_nothing(serve: Serve) -> None:
    endpoint = serve(b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"data": "a"}')
    with pytest.raises(NotRunning, match="not a llama-server"):
        await told(endpoint)


async def test_props_of_something_else(serve: Serve) -> None:
    endpoint = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    with pytest.raises(NotRunning, match=f"what answers at {re.escape(endpoint)} is not a llama-server"):
        await props(endpoint)
