"""The far end on a real socket: who is let in, what is answered, who hangs up when."""

import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llamactl.core.events import CatalogueChanged
from llamactl.rpc import messages
from llamactl.rpc.calls import ListInstances
from llamactl.rpc.client import Client
from tests.rpc.far import Desk, Far, serving

LIST, START, WATCH, BUG = "instances.list", "instances.start", "watch", "instances.stop"


def request(method: str, id: object = 1, **params: object) -> dict[str, object]:
    named = {"name": "qwen"} if method in (START, BUG) else {}
    return {"jsonrpc": "2.0", "method": method, "params": {**named, **params}} | ({} if id is None else {"id": id})


def write(wire: socket.socket, *messages: object) -> None:
    """Each as a line, all in one piece; bytes as they are."""
    wire.sendall(b"".join(part if isinstance(part, bytes) else json.dumps(part).encode() + b"\n" for part in messages))


def read(wire: socket.socket) -> Any:
    """The next line, or None at the end."""
    line = b""
    while not line.endswith(b"\n"):
        byte = wire.recv(1)
        if not byte:
            assert not line
            return None
        line += byte
    return json.loads(line)


# --- the socket ----------------------------------------------------------------------------------


def test_nobody_else_may_open_the_socket(far: Far) -> None:
    assert stat.S_IMODE(far.path.stat().st_mode) == 0o600


def test_one_that_was_left_behind_is_replaced_and_nothing_is_left_at_the_end(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    with serving(path, Desk(), os.getuid()), Client([str(path)], timeout=10) as client:
        assert client.call(ListInstances())
    assert not path.exists()


@pytest.fixture
def open_path() -> Iterator[Path]:
    """Where everybody may look."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory, "control.sock")


STRANGER = """
import os, socket, sys
os.setuid(65534)
with socket.socket(socket.AF_UNIX) as wire:
    wire.connect(sys.argv[1])
    try:
        wire.sendall(sys.argv[2].encode() + b"\\n")
        print(wire.recv(65536).decode())
    except OSError:
        print()
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("owner", [0, 65534])
def test_only_its_owner_is_answered_even_if_the_mode_lets_others_in(open_path: Path, owner: int) -> None:
    question = json.dumps(request(LIST))
    with serving(open_path, Desk(), owner):
        open_path.chmod(0o666)
        command = [sys.executable, "-c", STRANGER, str(open_path), question]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    assert bool(said) == (owner == 65534)


@pytest.mark.skipif(os.getuid() == 0, reason="root is answered by everybody")
def test_a_stranger_is_not_answered(path: Path) -> None:
    with serving(path, Desk(), os.getuid() + 1), socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(10)
        wire.connect(str(path))
        assert wire.recv(1) == b""


@pytest.mark.skipif(os.getuid() != 0, reason="this is not root")
def test_root_is_answered_by_everybody(path: Path) -> None:
    with serving(path, Desk(), 65534), Client([str(path)], timeout=10) as client:
        assert client.call(ListInstances())


# --- conversations -------------------------------------------------------------------------------


def test_calls_are_answered_as_they_are_done(far: Far, desk: Desk, wire: socket.socket) -> None:
    write(wire, request(START, "slow"), request(LIST, "quick"))
    assert read(wire)["id"] == "quick"
    far.do(desk.let_go)
    assert read(wire)["id"] == "slow"


def test_several_callers_do_not_wait_for_each_other(far: Far, wire: socket.socket, client: Client) -> None:
    write(wire, request(START))
    assert client.call(ListInstances())


def test_what_cannot_be_understood_is_answered_and_the_conversation_goes_on(wire: socket.socket) -> None:
    for line, code in (
        (b"hello\n", -32700),
        (b'{"method":5}\n', -32600),
        (b'{"jsonrpc":"2.0","method":"\xff"}\n', -32700),
    ):
        write(wire, line)
        assert read(wire)["error"]["code"] == code
    write(wire, b"\n  \r\n", request("foobar", 3), request(LIST, 4))
    assert {answer["id"] for answer in (read(wire), read(wire))} == {3, 4}


def test_lines_may_come_in_pieces(wire: socket.socket) -> None:
    text = json.dumps(request(LIST)).encode() + b"\n"
    for start in range(0, len(text), 7):
        write(wire, text[start : start + 7])
    assert read(wire)["id"] == 1


def test_nothing_is_answered_to_a_notification(wire: socket.socket) -> None:
    write(
        wire, request(LIST, None), request("foobar", None), request(BUG, None), request(WATCH, None), request(LIST, 2)
    )
    assert read(wire)["id"] == 2


@pytest.mark.parametrize("method", [BUG, "models.list"])  # fails; answers what cannot be written down
def test_a_bug_is_answered_and_written_to_the_log(
    wire: socket.socket, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(wire, request(method))
    error = read(wire)["error"]
    assert error["code"] == messages.INTERNAL_ERROR
    assert method in error["message"]
    assert [record.exc_info is not None for record in caplog.records] == [True]
    write(wire, request(LIST))
    assert "result" in read(wire)


# --- batches -------------------------------------------------------------------------------------


def test_a_batch_is_answered_as_one(wire: socket.socket) -> None:
    write(wire, [request(LIST, 1), request(LIST, None), {"foo": "boo"}, request("models.add", 5, path="/x")])
    answers = read(wire)
    assert [answer["id"] for answer in answers] == [1, None, 5]
    assert "result" in answers[0]
    assert answers[1]["error"]["code"] == messages.INVALID_REQUEST
    assert answers[2]["error"]["data"]["code"] == "not_found"


def test_to_a_batch_of_notifications_nothing_is_answered(wire: socket.socket) -> None:
    write(wire, [request(LIST, None), request("foobar", None)], request(LIST, 2))
    assert read(wire)["id"] == 2


def test_an_empty_batch_is_refused(wire: socket.socket) -> None:
    write(wire, [])
    assert read(wire)["error"]["code"] == messages.INVALID_REQUEST


def test_a_stream_cannot_be_part_of_a_batch(wire: socket.socket, desk: Desk) -> None:
    write(wire, [request(WATCH, 1), request(LIST, 2)])
    answers = read(wire)
    assert answers[0]["error"]["code"] == messages.INVALID_REQUEST
    assert answers[1]["id"] == 2
    assert desk.watched == 0


# --- too long a line -----------------------------------------------------------------------------


@pytest.fixture
def short_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "LONGEST", 1000)


@pytest.mark.usefixtures("short_lines")
def test_a_line_without_an_end_is_refused_and_the_caller_sent_away(wire: socket.socket, client: Client) -> None:
    write(wire, b"x" * 2000)
    answer = read(wire)
    assert (answer["id"], answer["error"]["code"]) == (None, messages.INVALID_REQUEST)
    assert "longer than 1000 bytes" in answer["error"]["message"]
    assert read(wire) is None
    assert client.call(ListInstances())


# --- hanging up ----------------------------------------------------------------------------------


def test_a_call_under_way_is_finished_though_the_caller_has_hung_up(far: Far, desk: Desk, wire: socket.socket) -> None:
    write(wire, request(START))
    far.until(lambda: desk.under_way == 1)
    wire.close()
    far.do(desk.let_go)
    far.until(lambda: desk.finished == 1)


def test_who_has_said_all_still_gets_the_answers(far: Far, desk: Desk, wire: socket.socket) -> None:
    """As `nc` does with a file: it closes its half and listens."""
    write(wire, request(START, 1), request(LIST, 2))
    wire.shutdown(socket.SHUT_WR)
    assert read(wire)["id"] == 2
    far.do(desk.let_go)
    assert read(wire)["id"] == 1
    assert read(wire) is None


def test_a_watch_ends_with_its_connection(far: Far, desk: Desk, wire: socket.socket) -> None:
    write(wire, request(WATCH))
    assert read(wire)["result"]["last_event"] == 0
    far.publish(desk.hub, CatalogueChanged())
    assert read(wire)["params"]["id"] == 1
    assert desk.watched == 1
    wire.close()
    far.until(lambda: desk.watched == 0)


@pytest.mark.parametrize("times", [1, 20])
def test_a_watch_whose_caller_hangs_up_at_once_ends_too(far: Far, desk: Desk, wire: socket.socket, times: int) -> None:
    write(wire, *[request(WATCH)] * times)
    wire.close()
    far.until(lambda: desk.ever_watched == times)
    far.until(lambda: desk.watched == 0)


def test_who_asks_for_the_present_and_closes_its_half_gets_it(far: Far, desk: Desk, wire: socket.socket) -> None:
    write(wire, request(WATCH))
    wire.shutdown(socket.SHUT_WR)
    assert read(wire)["result"]["last_event"] == 0
    assert read(wire) is None


def test_other_calls_are_answered_beside_a_watch(far: Far, desk: Desk, wire: socket.socket) -> None:
    write(wire, request(WATCH, 1))
    read(wire)
    write(wire, request(LIST, 2))
    assert read(wire)["id"] == 2
    far.publish(desk.hub, CatalogueChanged())
    assert read(wire)["method"] == "event"


def test_the_end_of_the_server_ends_every_conversation(path: Path) -> None:
    desk = Desk()
    with serving(path, desk, os.getuid()), socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(10)
        wire.connect(str(path))
        write(wire, request(WATCH))
        read(wire)
    assert desk.watched == 0


def test_who_asks_for_the_end_is_answered(far: Far, desk: Desk, wire: socket.socket) -> None:
    desk.end = far.end
    write(wire, request("daemon.stop", 5))
    assert read(wire) == {"jsonrpc": "2.0", "id": 5, "result": None}
    assert read(wire) is None
