"""The daemon goes away, in good order or not, and its models do not."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil

from llamactl.llamaserver.records import Record
from llamactl.logs import reading, runs
from llamactl.logs.reading import Wanted
from llamactl.rpc.calls import Reexec, SetModel, Shutdown, StartModel, Status, StopModel
from tests.e2e.conftest import Begin
from tests.e2e.running import Daemon, Home, fake_engine, together, until
from tests.e2e.test_real import SMALL


def pids(home: Home) -> dict[str, int | None]:
    return {row.name: row.pid for row in home.instances() if row.state == "ready"}


def killed(daemon: Daemon) -> None:
    daemon.process.kill()
    daemon.process.wait()


def records(home: Home) -> list[Record]:
    return [msgspec.json.decode(path.read_bytes(), type=Record) for path in (home.runtime / "sockets").glob("*.json")]


def rewrite(home: Home, **news: Any) -> None:
    [path] = (home.runtime / "sockets").glob("*.json")
    record = msgspec.json.decode(path.read_bytes(), type=Record)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, **news)))


def reexecuted(daemon: Daemon) -> None:
    """It is up again."""
    until(lambda: daemon.log().count(" serves on ") == 2)


# --- the daemon is killed --------------------------------------------------------------------------


def test_no_line_is_lost_while_daemons_are_killed(home: Home, begin: Begin) -> None:
    """What a model writes is put aside in small pieces; each daemon dies wherever it is in that."""
    play = random.Random(1)
    daemon = begin(logging_max_size="20KB")
    home.add("alpha", chatter=2000)
    home.tell(StartModel("alpha"))
    [run] = home.place.glob("state/llamactl/log/models/alpha/*.log")
    for _ in range(2):
        before = len(runs.pieces(run))
        until(lambda: len(runs.pieces(run)) > before)  # noqa: B023
        time.sleep(play.uniform(0, 0.3))  # wherever it is by then
        killed(daemon)
        daemon = begin()
    home.tell(StopModel("alpha"))
    assert len(runs.pieces(run)) > 2 and run.stat().st_blocks * 512 < run.stat().st_size
    lines = [line.text for line in reading.forward(reading.of_runs("alpha", [run]), Wanted())]
    told = [int(line.split(" chatter: ")[1].split()[0]) for line in lines if " chatter: " in line]
    assert told == list(range(len(told))) and len(told) > 2000
    assert "loading model" in lines[0] and "cleaning up" in lines[-1]


def test_killed_and_started_again_it_has_the_same_models(home: Home, begin: Begin) -> None:
    first = begin()
    for name in ("alpha", "beta"):
        home.add(name)
        assert first.chat(name).status == 200
    before = pids(home)
    killed(first)
    [run] = home.place.glob("state/llamactl/log/models/alpha/*.log")
    written = run.read_text()
    endpoint = next(record.endpoint for record in records(home) if record.model == "alpha")
    with socket.socket(socket.AF_UNIX) as stranger:  # it is asked, and says so, while nobody looks after it
        stranger.connect(endpoint)
        stranger.sendall(b"GET /nonesuch HTTP/1.0\r\n\r\n")
        stranger.recv(1000)
    second = begin()
    assert pids(home) == before
    assert second.chat("alpha").status == 200
    assert len(home.processes("fake_llama_server")) == 2
    assert [run] == list(home.place.glob("state/llamactl/log/models/alpha/*.log"))
    home.tell(StopModel("alpha"))
    assert run.read_text().startswith(written)
    assert "cleaning up" in run.read_text()[len(written) :]
    assert second.end() == 0
    assert not home.processes("fake_llama_server")
    assert not list((home.runtime / "sockets").iterdir())


def test_one_that_died_meanwhile_is_noticed(home: Home, begin: Begin) -> None:
    daemon = begin()
    home.add("alpha")
    daemon.chat("alpha")
    [pid] = pids(home).values()
    assert pid
    killed(daemon)
    process = psutil.Process(pid)
    process.kill()
    until(lambda: not psutil.pid_exists(pid) or process.status() == psutil.STATUS_ZOMBIE)
    daemon = begin()
    until(lambda: daemon.state("alpha") != "ready")
    assert "ended while no daemon" in daemon.log()
    assert daemon.chat("alpha").status == 200, "another one is started"
    assert len(home.processes("fake_llama_server")) == 1


def test_the_process_of_somebody_else_is_not_touched(home: Home, begin: Begin) -> None:
    """Its number is that of the record; only the start time tells that it is another one."""
    daemon = begin()
    home.add("alpha")
    daemon.chat("alpha")
    [pid] = pids(home).values()
    assert pid
    killed(daemon)
    os.kill(pid, signal.SIGKILL)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as other:
        [record] = records(home)
        assert record.process is not None
        rewrite(home, process=msgspec.structs.replace(record.process, pid=other.pid))
        daemon = begin()
        until(lambda: daemon.state("alpha") != "ready")
        assert daemon.chat("alpha").status == 200
        assert daemon.end() == 0
        assert other.poll() is None
        other.communicate(b"\n")
        assert other.returncode == 0


def test_records_of_all_kinds(home: Home, begin: Begin) -> None:
    daemon = begin()
    names = ("unwritten", "unknown", "removed", "unwanted", "rebooted", "replaced")
    for name in names:
        home.add(name)
    together(len(names), lambda number: daemon.chat(names[number]))
    before = pids(home)
    assert len(before) == len(names)
    killed(daemon)
    for path in (home.runtime / "sockets").glob("*.json"):
        record = msgspec.json.decode(path.read_bytes(), type=Record)
        assert record.process is not None
        changes: dict[str, dict[str, Any]] = {
            "unwritten": {"process": None, "served": None},  # killed between spawning and writing it down
            "removed": {"model": "nonesuch"},
            "unwanted": {"unwanted": True},
            "rebooted": {"process": msgspec.structs.replace(record.process, boot="another")},
            "replaced": {"path": "/another.gguf"},
            "unknown": {},
        }
        path.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, **changes[record.model])))
        if record.model == "unknown":
            path.unlink()
        if record.model == "rebooted":
            os.kill(record.process.pid, signal.SIGKILL)
    (home.runtime / "sockets" / "0.json").write_text("{}")
    (home.runtime / "sockets" / "1.new").write_text("")
    daemon = begin()
    until(lambda: daemon.state("unwritten") == "ready")
    assert pids(home) == {"unwritten": before["unwritten"]}
    until(lambda: len(home.processes("fake_llama_server")) == 1)
    until(lambda: {row.state for row in home.instances() if row.name != "unwritten"} == {"stopped"})
    until(lambda: len(list((home.runtime / "sockets").iterdir())) == 2)


def test_what_is_left_can_be_stopped_without_a_daemon(home: Home, begin: Begin) -> None:
    daemon = begin()
    home.add("alpha")
    daemon.chat("alpha")
    assert home.run("daemon", "stop", "--left-behind", check=False).returncode != 0, "the daemon runs"
    [pid] = pids(home).values()
    killed(daemon)
    assert f"alpha (pid {pid})" in home.run("daemon", "stop", "--left-behind").stderr
    assert not home.processes("fake_llama_server")
    assert not list((home.runtime / "sockets").iterdir())


def test_one_that_does_not_answer_is_put_down(home: Home, begin: Begin) -> None:
    daemon = begin()
    home.add("alpha")
    daemon.chat("alpha")
    [pid] = pids(home).values()
    assert pid
    killed(daemon)
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    daemon = begin()
    assert time.monotonic() - began < 5, "that takes a while, and nobody waits for it"
    assert daemon.state("alpha") == "loading"
    until(lambda: daemon.state("alpha") == "failed")
    assert not home.processes("fake_llama_server")


def test_one_that_was_loading_goes_on_loading(home: Home, begin: Begin) -> None:
    daemon = begin()
    home.add("alpha", load_seconds=2)
    home.tell(StartModel("alpha", wait=False))
    until(lambda: daemon.state("alpha") == "loading")
    [process] = home.processes("fake_llama_server")
    killed(daemon)
    daemon = begin()
    assert daemon.chat("alpha").status == 200
    assert pids(home) == {"alpha": process.pid}


def test_killed_ten_times(home: Home, begin: Begin, real_engine: str, tiny: Path) -> None:
    daemon = begin(**SMALL)
    for name in ("alpha", "beta"):
        shutil.copy(tiny, home.place / f"{name}.gguf")
    home.run("models", "scan", str(home.place))
    for turn in range(10):
        home.tell(StartModel("beta" if turn % 2 else "alpha", wait=False))
        killed(daemon)
        daemon = begin(**SMALL)
        assert len(home.processes("llama-server")) <= 2
    for name in ("alpha", "beta"):
        assert daemon.ask("/v1/completions", {"model": name, "prompt": "x", "max_tokens": 2}).json()["model"] == name
    assert len(home.processes("llama-server")) == 2
    assert daemon.end() == 0
    assert not home.processes("llama-server")


def test_twenty_are_adopted_within_a_second(home: Home, begin: Begin, real_engine: str, tiny: Path) -> None:
    daemon = begin(**SMALL)
    names = [f"m{number}" for number in range(20)]
    for name in names:
        shutil.copy(tiny, home.place / f"{name}.gguf")
    home.run("models", "scan", str(home.place))
    for name in names:
        home.tell(StartModel(name))
    before = pids(home)
    killed(daemon)
    daemon = begin(**SMALL)
    assert pids(home) == before
    assert len(before) == 20
    [line] = [line for line in daemon.log().splitlines() if "adopted 20" in line]
    assert float(line.split(" in ")[1].split()[0]) < 1.0


# --- it is stopped ---------------------------------------------------------------------------------


def test_stopped_it_may_leave_its_models_to_the_next(home: Home, begin: Begin) -> None:
    daemon = begin()
    home.add("alpha")
    daemon.chat("alpha")
    before = pids(home)
    home.run("daemon", "stop", "--keep-models")
    assert daemon.end() == 0
    assert {path.name for path in home.runtime.iterdir()} == {"sockets", "workers", "names"}
    begin()
    assert pids(home) == before
    assert home.instances()[0].outdated == ()
    home.run("pin", "alpha")
    assert home.instances()[0].outdated == (), "of that llama-server knows nothing"
    home.tell(SetModel("alpha", set={"ctx_size": "512"}))
    assert home.instances()[0].outdated == ("settings",)
    home.run("restart", "alpha")
    assert home.instances()[0].outdated == ()
    home.run("daemon", "stop")
    assert not home.processes("fake_llama_server")
    left = [path.name for path in home.runtime.rglob("*") if path.is_file() or path.is_socket()]
    assert left == ["names"], "for completions"


# --- it re-executes itself -------------------------------------------------------------------------


def test_it_executes_itself_anew(home: Home, begin: Begin) -> None:
    daemon = begin()
    home.add("alpha", tokens=20, token_interval=0.05)
    daemon.chat("alpha", max_tokens=1)
    before, last = pids(home), home.tell(Status()).last_event
    with daemon.stream("alpha") as answer:
        answer.readline()
        assert f"pid {daemon.process.pid}" in home.run("daemon", "reexec").stderr
        assert answer.read().endswith(b"data: [DONE]\n\n"), "a stream that had begun comes to its end"
    status = home.tell(Status())
    assert (status.pid, status.http) == (daemon.process.pid, [daemon.url])
    assert pids(home) == before
    assert status.last_event > last, "numbers go on"
    assert daemon.chat("alpha", max_tokens=1).status == 200
    second = home.run("daemon", "run", check=False)
    assert second.returncode == 5, "the lock has been kept"
    assert f"pid {daemon.process.pid}" in second.stderr
    os.kill(int(before["alpha"] or 0), signal.SIGSEGV)
    until(lambda: daemon.state("alpha") != "ready")
    assert "signal 11" in str(home.instances()[0].problem), "it is still our child: the kernel tells how it ended"
    assert daemon.end() == 0


def test_who_waits_and_what_is_known_come_along(home: Home, begin: Begin) -> None:
    daemon = begin(restart_first="30")
    home.add("alpha", load_seconds=3)
    home.add("beta")
    for _ in range(2):
        assert daemon.chat("beta").status == 200
    os.kill(int(pids(home)["beta"] or 0), signal.SIGSEGV)
    until(lambda: daemon.state("beta") == "backoff")
    before, uptime = home.instances()[1], home.tell(Status()).uptime
    command = [sys.executable, "-m", "llamactl", "start", "alpha"]
    with subprocess.Popen(command, env=home.env, stderr=subprocess.PIPE, text=True) as start:
        until(lambda: daemon.state("alpha") == "loading")
        [process] = home.processes("fake_llama_server")
        home.tell(Reexec())
        reexecuted(daemon)
        _, said = start.communicate(timeout=30)
    assert (start.returncode, said.split(" after ")[0]) == (0, "alpha is ready")
    assert pids(home) == {"alpha": process.pid}
    assert home.tell(Status()).uptime > uptime
    beta = home.instances()[1]
    assert (beta.state, beta.requests, beta.problem) == ("backoff", 2, before.problem)
    assert 0 < (beta.next_try or 0) < (before.next_try or 0)
    assert (beta.age or 0) > (before.age or 0)


def test_nobody_is_turned_away_meanwhile(home: Home, begin: Begin) -> None:
    daemon = begin()
    home.add("alpha", tokens=3)
    daemon.chat("alpha")
    longest: list[float] = []
    over = threading.Event()

    def visit(_: int) -> None:
        while not over.is_set():
            began = time.monotonic()
            assert daemon.chat("alpha").status == 200
            longest.append(time.monotonic() - began)

    def execute() -> None:
        daemon.process.send_signal(signal.SIGUSR2)
        reexecuted(daemon)
        over.set()

    thread = threading.Thread(target=execute)
    thread.start()
    try:
        together(20, visit)
    finally:
        over.set()
        thread.join()
    assert len(longest) > 40
    assert max(longest) < 5, "on a busy machine; on an idle one it is less than one"


def test_what_would_not_start_is_not_executed(home: Home, begin: Begin) -> None:
    daemon = begin()
    file = home.place / "config" / "llamactl" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("[http]\nport = eighty\n")
    done = home.run("daemon", "reexec", check=False)
    assert done.returncode == 5
    assert str(file) in done.stderr
    assert daemon.ask("/health").status == 200
    daemon.process.send_signal(signal.SIGUSR2)
    until(lambda: "SIGUSR2: the new daemon would not start" in daemon.log())
    assert daemon.ask("/health").status == 200


def test_detached_it_stays_what_it_is_and_a_restart_may_keep_its_models(home: Home, begin: Begin) -> None:
    home.env |= {f"LLAMACTL_{name.upper()}": value for name, value in fake_engine().items()}
    home.run("daemon", "start")
    try:
        before = home.tell(Status())
        home.run("daemon", "reexec")
        assert home.tell(Status()).pid == before.pid
        assert home.run("logs").stdout.count(" serves on ") == 2
        assert len(home.processes("llamactl")) == 1
        home.add("alpha")
        home.tell(StartModel("alpha"))
        running = pids(home)
        assert "unloaded" not in home.run("daemon", "restart", "--keep-models").stderr
        assert home.tell(Status()).pid != before.pid
        assert pids(home) == running
        assert "unloaded, until somebody asks for them: alpha" in home.run("daemon", "restart").stderr
        assert not pids(home)
        assert not home.processes("fake_llama_server")
    finally:
        home.run("daemon", "stop")
    assert not home.processes("llamactl")


def test_started_anew_from_elsewhere(home: Home, begin: Begin) -> None:
    """By itself, since nobody there starts it: as after a start, with what is configured now."""
    daemon = begin(http_port="0")
    for name in ("alpha", "beta"):
        home.add(name)
    home.tell(StartModel("alpha"))
    key = home.run("keys", "create", "far", "--scope", "admin").stdout.strip()
    home.env["LLAMACTL_API_KEY"] = key
    before, events = pids(home), home.tell(Status()).last_event
    far = ("-H", daemon.url, "daemon", "restart")
    assert "unloaded" not in home.run(*far, "--keep-models").stderr and pids(home) == before
    file = home.place / "config" / "llamactl" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('[models]\npreload = ["beta"]\n')
    with daemon.stream("alpha", key) as answer:
        answer.readline()
        restart = subprocess.Popen(
            [sys.executable, "-m", "llamactl", *far, "--json"],
            env=home.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert answer.read().endswith(b"data: [DONE]\n\n"), "what has begun comes to its end"
    with restart:
        out, err = restart.communicate(timeout=60)
    assert restart.returncode == 0 and err == "unloaded, until somebody asks for them: alpha\n"
    status = home.tell(Status())
    assert (status.pid, status.http) == (daemon.process.pid, [daemon.url]) and status.last_event > events
    assert json.loads(out)["uptime"] < 30
    until(lambda: daemon.state("beta") == "ready")
    first = pids(home)
    assert "unloaded, until somebody asks for them: beta" in home.run(*far).stderr
    until(lambda: daemon.state("beta") == "ready")
    assert pids(home).keys() == {"beta"} and pids(home) != first, "what was there before does not count"
    assert len(home.processes("fake_llama_server")) == 1
    assert "--insecure" in home.run(*far, "--insecure", check=False).stderr
    file.write_text("[http]\nport = eighty\n")
    refused = home.run(*far, check=False)
    assert refused.returncode == 5 and str(file) in refused.stderr
    assert pids(home).keys() == {"beta"}


def test_told_to_stop_while_it_waits_for_a_good_moment(home: Home, begin: Begin) -> None:
    daemon = begin()
    home.add("alpha", tokens=400, token_interval=0.05)
    daemon.chat("alpha", max_tokens=1)
    with daemon.stream("alpha") as answer:
        answer.readline()
        home.tell(Reexec())
        home.tell(Shutdown())
        for _ in range(10):
            assert answer.readline(), "it goes on"
    assert daemon.process.wait(10) == 0
    assert daemon.log().count(" serves on ") == 1
