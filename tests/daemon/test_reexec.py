"""What a process hands over to itself, and when."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.lowlevel
import msgspec
import pytest

from llamactl.core.errors import NotFound, Refused
from llamactl.core.model import Model
from llamactl.daemon import ports, reexec
from llamactl.daemon.adopt import remember
from llamactl.daemon.process import PidFile
from llamactl.daemon.reexec import VARIABLE, Inherited, Reexec, inherited
from llamactl.supervisor import Past

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


STATE = Inherited(pid_file=0, control=0, listeners={})


def test_what_is_inherited_is_taken_once_and_closed_to_children(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    number = listener.detach()
    os.set_inheritable(number, True)
    listeners = {"127.0.0.1:0": number}
    state = Inherited(
        pid_file=number, control=number, listeners=listeners, last_event=7, pinned=("a",), began=1.5, models={}
    )
    file = os.memfd_create("state")
    os.write(file, msgspec.json.encode(state))
    monkeypatch.setenv(VARIABLE, f"{os.getpid()}:{file}")
    assert inherited() == state
    assert not os.get_inheritable(number)
    assert inherited() is None
    os.close(number)


@pytest.mark.parametrize("value", ["", "1:0", ":0", "nonsense"])
def test_what_is_meant_for_another_process_is_none_of_ours(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(VARIABLE, value)
    assert inherited() is None
    assert VARIABLE not in os.environ


def test_what_another_version_writes_of_a_model_otherwise_is_forgotten() -> None:
    models = {name: Model(name=name, path="/x", size=1) for name in ("a", "b")}
    told: list[tuple[Model, Past]] = []

    class Models:
        def resolve(self, name: str) -> Model:
            if name not in models:
                raise NotFound(name)
            return models[name]

    class Supervisor:
        def remember(self, model: Model, past: Past) -> None:
            told.append((model, past))

    pasts = {
        "a": msgspec.Raw(b'{"requests":3,"rank":"high"}'),
        "b": msgspec.Raw(b'{"requests":"many"}'),
        "gone": msgspec.Raw(b"{}"),
    }
    assert remember(pasts, cast(Any, Models()), cast(Any, Supervisor())) == {"a": Past(requests=3)}
    assert told == [(models["a"], Past(requests=3))]


def test_an_inherited_listener_is_the_same_one() -> None:
    with (
        ports.listen("127.0.0.1:0", insecure=False) as first,
        ports.listen("127.0.0.1:0", insecure=False, inherited=os.dup(first.fileno())) as again,
    ):
        assert again.getsockname() == first.getsockname()
        assert again.proto == socket.IPPROTO_TCP, "or asyncio would not set TCP_NODELAY"
    number = os.dup(1)
    try:
        with pytest.raises(Refused, match="other machines"):
            ports.listen("0.0.0.0:0", insecure=False, inherited=number)
    finally:
        os.close(number)


def test_an_inherited_pid_file_keeps_its_lock(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with PidFile(path) as first:
        number = os.dup(first.fileno())
        again = PidFile(path, number)
        with again:
            assert again.fileno() == number
            os.close(first.fileno())  # as executing does with what is not inherited
            with pytest.raises(Refused, match="already running"), PidFile(path):
                pass
        first._file = None
    assert not path.exists()


async def test_what_would_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    fails = [sys.executable, "-c", "import sys; sys.exit('error: no such key\\n  and a detail')"]
    monkeypatch.setattr(reexec, "command", lambda *more: fails)
    with pytest.raises(Refused, match="would not start, this one goes on: error: no such key") as caught:
        await reexec.check()
    assert caught.value.hint == "llamactl daemon run --check"
    monkeypatch.setattr(reexec, "command", lambda *more: ["/no/such"])
    with pytest.raises(Refused, match="cannot be tried out"):
        await reexec.check()


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("ending", [False, True])
async def test_it_waits_for_a_good_moment(monkeypatch: pytest.MonkeyPatch, ending: bool, keeps: bool) -> None:
    done: list[str] = []

    async def no_check() -> None:
        done.append("checked")

    async def clear(keep_models: bool) -> None:
        done.append("cleared" if keep_models else "emptied")

    def hand_over(keep_models: bool) -> Inherited:
        done.append("with models" if keep_models else "bare")
        return STATE

    monkeypatch.setattr(reexec, "check", no_check)
    monkeypatch.setattr(reexec, "_execute", lambda state: done.append("executed"))
    again = Reexec(clear, lambda: ending, lambda: done.append("closed"), hand_over)
    async with anyio.create_task_group() as group:
        group.start_soon(again.run)
        await anyio.lowlevel.checkpoint()
        assert not done
        await again.ask(keeps)
    after = ["closed", "with models" if keeps else "bare", "executed"]
    assert done == ["checked", "cleared" if keeps else "emptied"] + ([] if ending else after)


def test_the_command_is_that_of_the_start() -> None:
    program = "from llamactl.daemon.reexec import command; print(*command('--check')[1:])"
    said = subprocess.run([sys.executable, "-c", program, "x"], capture_output=True, text=True, check=True).stdout
    assert said.strip() == f"-c {program} x --check"
