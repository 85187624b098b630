"""Workers on loopback addresses, and a model that computes with them; all programs are the real ones."""

import socket
import subprocess
import sys
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from llamactl.llamaserver.records import Record
from llamactl.rpc.calls import (
    FitModel,
    ListDevices,
    ListWorkers,
    Reexec,
    SetModel,
    Shutdown,
    StartModel,
    StartWorker,
    StopModel,
    StopWorkers,
    WhyModel,
    WorkerRow,
)
from tests.e2e.conftest import Begin
from tests.e2e.running import Daemon, Home, until
from tests.e2e.test_outliving import killed, reexecuted
from tests.e2e.test_real import SMALL

pytestmark = pytest.mark.usefixtures("real_engine")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def started(home: Home, host: str = "127.0.0.1") -> WorkerRow:
    return home.tell(StartWorker(host=host, port=free_port(), threads=1))


def model(home: Home, tiny: Path, name: str, *workers: WorkerRow) -> None:
    home.run("models", "add", str(tiny), "--name", name)
    home.tell(SetModel(name, set={"rpc": ",".join(worker.address for worker in workers)}))


def answers(daemon: Daemon, name: str = "tiny") -> bool:
    return daemon.chat(name, max_tokens=3).status == 200


@pytest.fixture
def real(begin: Begin) -> Daemon:
    return begin(**SMALL)


def test_one_model_over_two_workers(home: Home, real: Daemon, tiny: Path) -> None:
    one, two = started(home), started(home, "127.0.0.2")
    model(home, tiny, "tiny", one, two)
    assert answers(real)
    lent = {f"RPC0[{one.address}]", f"RPC0[{two.address}]"}
    devices = {row.name: row for row in home.tell(ListDevices())}
    assert lent < devices.keys()
    for name in lent:
        assert devices[name].models == ("tiny",) and devices[name].total > 0
    fit = home.tell(FitModel("tiny"))
    assert fit.problem is None and lent < {device.name for device in fit.devices}
    assert all(device.need for device in fit.devices if device.name in lent)
    home.tell(StopModel("tiny"))
    assert answers(real), "what was measured of it on the workers fits on them"
    assert [row.models for row in home.tell(ListWorkers())] == [("tiny",)] * 2
    home.run("stop", "tiny")
    stopped = home.tell(StopWorkers())
    assert set(stopped) == {one.address, two.address}
    assert not home.processes("ggml-rpc-server")
    assert not home.tell(ListWorkers())


def test_a_worker_that_is_killed_under_a_model(home: Home, real: Daemon, tiny: Path) -> None:
    worker = started(home)
    model(home, tiny, "tiny", worker)
    assert answers(real) and worker.pid
    with real.stream("tiny", max_tokens=20_000, ignore_eos=True) as answer:
        answer.readline()
        psutil.Process(worker.pid).kill()
        with pytest.raises(IncompleteRead):
            answer.read()
    ended = home.tell(WhyModel("tiny")).exits[0]
    assert (ended.kind, ended.state) == ("worker_lost", "ready")
    assert "Remote RPC server crashed" in ended.reason
    assert answers(real)
    [worker] = home.tell(ListWorkers())
    assert worker.pid
    psutil.Process(worker.pid).kill()

    def reasons() -> list[str]:
        """The newest first. It may be lost again while it starts, if the worker is not back by then."""
        exits = home.tell(WhyModel("tiny")).exits
        return [ended.reason for ended in exits if (ended.kind, ended.state) == ("worker_lost", "ready")]

    until(lambda: len(reasons()) == 2)  # llama-server would not notice before it computes
    assert reasons()[0] == f"the worker {worker.address} has ended"
    until(lambda: home.tell(ListWorkers())[0].state == "ready")
    until(lambda: answers(real))


def test_a_worker_that_is_not_there(home: Home, real: Daemon, tiny: Path) -> None:
    """llama-server would load the model without it."""
    worker = started(home)
    model(home, tiny, "tiny", worker)
    home.tell(StopWorkers((worker.address,)))
    answer = real.chat("tiny")
    assert answer.status == 503
    assert f"the worker {worker.address} cannot be reached" in answer.error["message"]
    assert home.tell(WhyModel("tiny")).exits[0].kind == "worker_lost"
    [row] = [row for row in home.tell(ListDevices()) if worker.address in row.name]
    assert "cannot be reached" in row.description


def test_a_worker_serves_one_model_at_a_time(home: Home, real: Daemon, tiny: Path) -> None:
    worker = started(home)
    for name in ("tiny", "other"):
        model(home, tiny, name, worker)
    assert answers(real)
    refused = real.chat("other")
    assert refused.status == 503
    assert f"tiny computes with the worker {worker.address}" in refused.error["message"]
    home.tell(StopModel("tiny"))
    home.tell(StartModel("other"))
    assert answers(real, "other")


@pytest.mark.parametrize("how", ["killed", "kept", "reexec"])
def test_it_outlives_the_daemon(home: Home, begin: Begin, tiny: Path, how: str) -> None:
    daemon = begin(**SMALL)
    worker = started(home)
    model(home, tiny, "tiny", worker)
    assert answers(daemon)
    if how == "killed":
        killed(daemon)
        daemon = begin(**SMALL)
    elif how == "kept":
        home.tell(Shutdown(keep_models=True))
        daemon.process.wait()
        daemon = begin(**SMALL)
    else:
        home.tell(Reexec())
        reexecuted(daemon)
    until(lambda: [row.state for row in home.tell(ListWorkers())] == ["ready"])
    assert home.tell(ListWorkers())[0].pid == worker.pid
    assert answers(daemon)
    assert len(home.processes("ggml-rpc-server")) == 1
    assert daemon.end() == 0
    assert not home.processes("ggml-rpc-server")
    assert not list((home.runtime / "workers").iterdir())


def test_it_ends_where_models_are_not_kept(home: Home, begin: Begin, tiny: Path) -> None:
    daemon = begin(**SMALL)
    model(home, tiny, "tiny", started(home))
    assert answers(daemon)
    home.tell(Reexec(keep_models=False))
    reexecuted(daemon)
    assert home.tell(ListWorkers()) == []
    assert not home.processes("ggml-rpc-server") and not home.processes("llama-server")


def test_one_that_was_told_to_end_is_not_taken_over(home: Home, begin: Begin) -> None:
    """Nor one whose record says nothing that can be understood."""
    daemon = begin(**SMALL)
    addresses = [started(home).address for _ in range(3)]
    killed(daemon)
    changes: dict[str, dict[str, Any]] = {addresses[0]: {"unwanted": True}, addresses[1]: {"settings": "?"}}
    for path in (home.runtime / "workers").glob("*.json"):
        record = msgspec.json.decode(path.read_bytes(), type=Record)
        path.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, **changes.get(record.model, {}))))
    begin(**SMALL)
    until(lambda: len(home.processes("ggml-rpc-server")) == 1)
    assert [row.address for row in home.tell(ListWorkers())] == addresses[2:]


def test_the_command_line(home: Home, real: Daemon) -> None:
    address = f"127.0.0.1:{free_port()}"
    said = home.run("rpc", "start", "192.0.2.1:50052", check=False)
    assert said.returncode == 5 and "no authentication" in said.stderr and "--insecure" in said.stderr
    assert "is ready" in home.run("rpc", "start", address).stderr
    assert home.run("rpc", "start", address).returncode == 0, "it runs already"
    assert home.run("rpc", "start", address, "--cache", check=False).returncode == 5
    everywhere = home.run("rpc", "start", f"0.0.0.0:{free_port()}", "--insecure")
    assert "no authentication" in everywhere.stderr
    [first, second] = home.json("rpc", "ls")["items"]
    assert (first["state"], second["address"]) == ("ready", address)
    assert home.run("rpc", "stop", "127.0.0.1:1", check=False).returncode == 4
    written = Path(second["log"]).read_text().splitlines()
    assert written and home.run("rpc", "logs", address).stdout.splitlines() == written
    with subprocess.Popen(
        [sys.executable, "-m", "llamactl", "rpc", "logs", "-f", "-n", "1", address],
        env=home.env,
        stdout=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout and following.stdout.readline() == f"{written[-1]}\n"
        with Path(second["log"]).open("a") as file:
            file.write("and more\n")
        assert following.stdout.readline() == "and more\n"
        following.kill()
    assert home.run("rpc", "logs", "127.0.0.1:1", check=False).returncode == 4
    home.run("rpc", "stop", address)
    home.run("rpc", "stop")
    assert "No worker runs" in home.run("rpc", "ls").stderr
    assert not home.processes("ggml-rpc-server")


def test_a_port_that_is_taken(home: Home, real: Daemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        said = home.run("rpc", "start", address, check=False)
        assert said.returncode == 1 and "Failed to create server socket" in said.stderr
    [row] = home.tell(ListWorkers())
    assert row.state == "failed" and row.problem is not None
    assert home.run("rpc", "start", address).returncode == 0
