"""One question, bytes in and bytes out."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llamactl.core.errors import NotFound
from llamactl.rpc.bare import ask
from llamactl.rpc.messages import AGAIN, answer, fault


@contextmanager
def far_end(path: Path, speak: Callable[[socket.socket], object]) -> Iterator[None]:
    """Takes one connection."""

    def serve() -> None:
        connection = listener.accept()[0]
        with connection:
            assert connection.recv(1000).endswith(b"\n")
            speak(connection)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join(10)


@pytest.mark.parametrize(
    ("said", "result"),
    [
        (answer(1, [1, {"a": "}\n"}]), b'[1,{"a":"}\\n"}]'),
        (answer(1, "x" * 300_000), b'"' + b"x" * 300_000 + b'"'),
        (answer(1, None) + AGAIN, b"null"),
        (AGAIN, None),
        (answer(1, fault(NotFound("gone"))), None),
        (answer(1, "cut")[:-1], None),
        (b"", None),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", None),
    ],
)
def test_the_result_or_nothing(tmp_path: Path, said: bytes, result: bytes | None) -> None:
    path = tmp_path / "s"
    with far_end(path, lambda connection: connection.sendall(said)):
        assert ask([str(tmp_path / "nobody"), str(path)], "a.b", "{}", 10) == result


def test_no_answer(tmp_path: Path) -> None:
    done = threading.Event()
    with far_end(tmp_path / "s", lambda _: done.wait(10)):
        assert ask([str(tmp_path / "s")], "a.b", "{}", 0.05) is None
        done.set()


def test_nobody_there(tmp_path: Path) -> None:
    assert ask([str(tmp_path / "nobody")], "a.b", "{}", 10) is None
    assert ask([], "a.b", "{}", 10) is None
