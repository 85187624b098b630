"""The near end, before a real server and before one that misbehaves."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread, Timer
from time import sleep
from unittest.mock import ANY

import pytest

from llamactl.core.errors import LlamactlError, NotFound, TimedOut, Unreachable
from llamactl.core.events import CatalogueChanged, Event, InstanceChanged, Numbered, ServiceChanged
from llamactl.core.instance import Ready
from llamactl.rpc import server
from llamactl.rpc.calls import (
    AddModel,
    ListInstances,
    Lost,
    PinModel,
    Shutdown,
    Snapshot,
    StartModel,
    StopModel,
    WaitModel,
    Watch,
)
from llamactl.rpc.client import Client
from tests.rpc.far import MISSING, ROW, Desk, Far, misbehaving


def fails(path: Path, *answers: bytes, kind: type[LlamactlError] = LlamactlError) -> LlamactlError:
    """What a call raises when it is answered so."""
    with misbehaving(path, *answers), Client([str(path)], timeout=10) as client, pytest.raises(kind) as caught:
        client.call(ListInstances())
    assert type(caught.value) is kind
    return caught.value


def test_it_needs_no_event_loop() -> None:
    program = (
        "import sys, llamactl.rpc.client;"
        "print(sorted({'asyncio', 'anyio', 'trio', 'aiohttp', 'peewee', 'psutil', 'logging'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


# --- answers -------------------------------------------------------------------------------------


def test_answers_come_as_what_they_are(client: Client) -> None:
    assert client.call(ListInstances()) == [ROW]
    client.call(Shutdown())
    assert client.call(ListInstances(all=True)) == [ROW]


def test_an_error_is_raised_as_what_it_is(client: Client) -> None:
    with pytest.raises(NotFound) as caught:
        client.call(AddModel("/quen"))
    assert caught.value.problem() == MISSING.problem()
    assert client.call(ListInstances()) == [ROW]  # and the connection is as good as before


def test_a_bug_at_the_far_end_is_told_without_making_it_worse(client: Client) -> None:
    with pytest.raises(
        LlamactlError, match=r"internal error in instances.stop: ZeroDivisionError\('a bug'\)"
    ) as caught:
        client.call(StopModel("qwen"))
    assert "llamactl version" in caught.value.hint


# --- watching ------------------------------------------------------------------------------------


def test_watching_gives_the_present_and_then_every_event(far: Far, desk: Desk, client: Client) -> None:
    far.publish(desk.hub, CatalogueChanged(), CatalogueChanged())
    snapshot, notices = client.watch()
    assert snapshot == Snapshot(last_event=2, instances=[ROW])
    events: list[Event] = [InstanceChanged("qwen", Ready(1.0, 42, 0.5)), ServiceChanged("door", "up")]
    far.publish(desk.hub, *events)
    got = [next(notices) for _ in events]
    assert [notice.id for notice in got if not isinstance(notice, Lost)] == [3, 4]
    assert [notice.event for notice in got if not isinstance(notice, Lost)] == events


def test_a_loss_is_told_in_its_place(path: Path) -> None:
    lines = (
        b'{"jsonrpc":"2.0","id":1,"result":{"last_event":7,"instances":[]}}\n'
        b'{"jsonrpc":"2.0","method":"event","params":{"lost":5}}\n'
        b'{"jsonrpc":"2.0","method":"event","params":{"id":13,"at":1.5,"event":{"type":"catalogue"}}}\n'
    )
    with misbehaving(path, lines), Client([str(path)]) as client:
        snapshot, notices = client.watch()
        assert snapshot.last_event == 7
        assert next(notices) == Lost(5)
        notice = next(notices)
        assert not isinstance(notice, Lost)
        assert (notice.id, notice.event) == (13, CatalogueChanged())
        with pytest.raises(Unreachable):
            next(notices)


def test_an_event_of_a_kind_that_is_not_known(path: Path) -> None:
    lines = (
        b'{"jsonrpc":"2.0","id":1,"result":{"last_event":7,"instances":[]}}\n'
        b'{"jsonrpc":"2.0","method":"event","params":{"id":8,"at":1.5,"event":{"type":"eclipse"}}}\n'
    )
    with misbehaving(path, lines), Client([str(path)]) as client:
        _, notices = client.watch()
        with pytest.raises(LlamactlError, match=r"cannot be understood.*eclipse"):
            next(notices)


# --- nobody there --------------------------------------------------------------------------------


def test_no_daemon(tmp_path: Path) -> None:
    paths = [str(tmp_path / "a.sock"), str(tmp_path / "b.sock")]
    with pytest.raises(Unreachable, match=f"no daemon listens on {paths[0]} or {paths[1]}$") as caught:
        Client(paths)
    assert caught.value.hint == "llamactl daemon start"


def test_something_else_in_its_place_is_told(tmp_path: Path) -> None:
    nested = tmp_path / "file" / "control.sock"
    (tmp_path / "file").touch()
    with pytest.raises(Unreachable, match="Not a directory"):
        Client([str(nested)])
    with pytest.raises(Unreachable, match="too long"):
        Client([str(tmp_path / ("x" * 200))])


def test_the_first_that_listens_is_taken(far: Far) -> None:
    with Client([str(far.path.with_name("none.sock")), str(far.path)], timeout=10) as client:
        assert client.call(ListInstances()) == [ROW]


def test_a_daemon_that_goes_away_before_it_answers(path: Path) -> None:
    error = fails(path, b"", kind=Unreachable)
    assert "went away before it answered" in error.message
    assert error.hint == "llamactl daemon start"


def test_a_daemon_that_goes_away_in_the_midst_of_its_answer(path: Path) -> None:
    fails(path, b'{"jsonrpc":"2.0","id":1,"resu', kind=Unreachable)


def test_a_daemon_that_has_gone_between_two_calls(path: Path) -> None:
    with misbehaving(path, b'{"jsonrpc":"2.0","id":1,"result":[]}\n'), Client([str(path)], timeout=10) as client:
        assert client.call(ListInstances()) == []
        for _ in range(2):  # the second is not even sent
            with pytest.raises(Unreachable):
                client.call(ListInstances())


# --- it executes itself anew ---------------------------------------------------------------------


@contextmanager
def meanwhile(*steps: Callable[[], object]) -> Iterator[None]:
    """These are done, one after the other, while this thread waits for an answer."""
    thread = Thread(target=lambda: [step() for step in steps])
    thread.start()
    yield
    thread.join()


def test_a_call_under_way_is_answered_by_the_next_daemon(far: Far, desk: Desk) -> None:
    other = Desk()
    steps = (
        lambda: far.until(lambda: desk.under_way == 1),
        lambda: far.execute(other),
        lambda: far.until(lambda: other.under_way == 1),
        lambda: far.do(other.let_go),
    )
    with Client([str(far.path)]) as client, meanwhile(*steps):
        assert client.call(StartModel("qwen")) == ROW
        assert client.call(ListInstances()) == [ROW]
    assert desk.finished == 0


def test_the_timeout_is_for_all_of_them_together(far: Far, desk: Desk) -> None:
    other, began = Desk(), time.monotonic()
    with (
        Client([str(far.path)], timeout=0.5) as client,
        meanwhile(lambda: far.until(lambda: desk.under_way == 1), lambda: sleep(0.3), lambda: far.execute(other)),
        pytest.raises(TimedOut, match=r"within 0.5 s"),
    ):
        client.call(StartModel("qwen"))
    assert time.monotonic() - began < 0.75
    far.do(other.let_go)


def test_what_was_not_asked_yet_is_asked_the_next_daemon(far: Far, client: Client) -> None:
    client.call(ListInstances())
    far.execute(Desk())
    assert client.call(ListInstances()) == [ROW]


def test_what_must_not_be_asked_twice_is_finished_first(far: Far, desk: Desk, client: Client) -> None:
    leaving = Thread(target=far.leave)
    steps = (lambda: far.until(lambda: desk.under_way == 1), leaving.start, lambda: far.do(desk.let_go))
    with meanwhile(*steps):
        assert client.call(PinModel("qwen")) == ROW
    leaving.join()


def test_what_must_not_be_asked_twice_and_takes_too_long_is_not(
    far: Far, desk: Desk, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "FINISHING", 0.01)
    other = Desk()
    with (
        meanwhile(lambda: far.until(lambda: desk.under_way == 1), lambda: far.execute(other)),
        pytest.raises(Unreachable, match="before it answered"),
    ):
        client.call(PinModel("qwen"))
    assert other.under_way == 0


def test_who_watches_goes_on_with_what_the_next_daemon_tells(far: Far, desk: Desk, client: Client) -> None:
    other = Desk()
    far.publish(desk.hub, CatalogueChanged())
    far.publish(other.hub, *[CatalogueChanged()] * 4)
    _, notices = client.watch()
    far.publish(desk.hub, CatalogueChanged())
    assert next(notices) == Numbered(2, ANY, CatalogueChanged())
    steps = (
        lambda: far.execute(other),
        lambda: far.until(lambda: other.watched == 1),
        lambda: far.publish(other.hub, CatalogueChanged()),
    )
    with meanwhile(*steps):
        for number in (3, 4, 5):  # two of them while nobody was connected
            assert next(notices) == Numbered(number, ANY, CatalogueChanged())


def test_what_is_asked_later_has_less_time() -> None:
    assert WaitModel("a", "idle", 10.0).later(4.0) == WaitModel("a", "idle", 6.0)
    assert StopModel("a", 10.0).later(14.0) == StopModel("a", 0.0)
    assert StopModel("a").later(4.0) == StopModel("a")
    assert StartModel("a").later(4.0) == StartModel("a")


# --- no answer -----------------------------------------------------------------------------------


def test_no_answer_in_time(far: Far) -> None:
    with Client([str(far.path)], timeout=0.05) as client, pytest.raises(TimedOut, match=r"within 0.05 s") as caught:
        client.call(StartModel("qwen"))
    assert caught.value.hint == "llamactl daemon status"


def test_without_a_timeout_it_waits(far: Far, desk: Desk) -> None:
    with Client([str(far.path)]) as client:
        timer = Timer(0.05, far.do, [desk.let_go])
        timer.start()
        assert client.call(StartModel("qwen")) == ROW
        timer.join()


# --- answers that are none -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"hello\n", "cannot be understood"),
        (b"\xff\n", "cannot be understood"),
        (b'{"id":1}\n', "neither result nor error"),
        (b'{"id":1,"result":[{"name":5}]}\n', r"cannot be understood.*\$\[0\]\.name"),
        (b'{"id":1,"result":[{"name":"\xff","state":"x"}]}\n', "cannot be understood"),
        (b'{"id":1,"error":{"code":-32601,"message":"no such method: instances.list"}}\n', "no such method"),
    ],
)
def test_an_answer_of_another_version_says_so(path: Path, answer: bytes, says: str) -> None:
    error = fails(path, answer)
    with pytest.raises(LlamactlError, match=says):
        raise error
    assert "llamactl version" in error.hint


def test_an_error_of_a_kind_that_is_not_known_is_an_error_all_the_same(path: Path) -> None:
    line = (
        b'{"id":1,"error":{"code":-32099,"message":"m","data":{"code":"eclipse","message":"the sun","hint":"wait"}}}\n'
    )
    error = fails(path, line)
    assert (error.message, error.hint) == ("the sun", "wait")


def test_watching_is_a_call_like_others(client: Client) -> None:
    assert client.call(Watch()).instances == [ROW]
