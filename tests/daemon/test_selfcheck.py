"""A daemon that answers, or does not."""

import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from llamactl.core.errors import LlamactlError
from llamactl.daemon.selfcheck import check
from tests.certificates import Certificate

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # sockets are real ones


class Place:
    """Sockets that listen; a thread answers whoever comes to one of those that are to answer."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path = path / "control.sock"
        self.control = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
        self.control.bind(str(self.path))
        self.control.listen()
        self.door = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.asked: list[bytes] = []
        self._stack = stack

    def answers(self, listener: socket.socket) -> None:
        def answer() -> None:
            with listener.accept()[0] as caller:
                self.asked.append(caller.recv(4096))
                caller.sendall(b"yes\n")

        thread = threading.Thread(target=answer)
        thread.start()
        self._stack.callback(thread.join, 10)


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="ll") as path, ExitStack() as stack:
        yield Place(Path(path), stack)


async def test_both_are_asked(place: Place) -> None:
    place.answers(place.control)
    place.answers(place.door)
    await check(place.path, place.door, tls=False, patience=10)
    assert b"daemon.status" in place.asked[0]
    assert place.asked[1].startswith(b"GET /health HTTP/1.1\r\n")


async def test_the_door_may_be_a_unix_socket(place: Place) -> None:
    place.answers(place.control)
    place.answers(place.control)
    await check(place.path, place.control, tls=False, patience=10)
    assert len(place.asked) == 2


async def test_a_door_with_tls(place: Place) -> None:
    """Whatever its certificate says: it is our own."""
    made = Certificate(place.path.parent, "elsewhere")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.file, made.key)
    place.answers(place.control)
    with context.wrap_socket(place.door, server_side=True) as door:
        place.answers(door)
        await check(place.path, door, tls=True, patience=10)
    assert place.asked[1].startswith(b"GET /health")


async def test_a_door_that_nobody_opens(place: Place) -> None:
    place.answers(place.control)
    with pytest.raises(LlamactlError, match="the front door does not answer"):
        await check(place.path, place.door, tls=False, patience=0.2)


async def test_nobody_accepts(place: Place) -> None:
    with pytest.raises(LlamactlError, match="the control socket does not answer"):
        await check(place.path, place.door, tls=False, patience=0.05)


async def test_nobody_listens(place: Place) -> None:
    place.path.unlink()
    with pytest.raises(LlamactlError, match="the control socket does not answer"):
        await check(place.path, place.door, tls=False, patience=10)
