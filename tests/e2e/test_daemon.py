"""Starting and stopping the daemon itself, as people and supervisors of processes do."""

import json
import os
import signal
import socket
import stat
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Begin
from tests.e2e.running import Daemon, Home, fake_engine, until
from tests.engines.tiny_model import write_garbage


def test_start_status_stop(home: Home) -> None:
    started = home.run("daemon", "start")
    assert "is running" in started.stderr
    try:
        status = home.json("daemon", "status")
        assert status["schema"] == "llamactl.daemon/v1"
        assert [(service["name"], service["state"]) for service in status["services"]] == [
            ("journal", "up"),
            ("exits", "up"),
            ("footprints", "up"),
            ("workers", "up"),
            ("lending", "up"),
            ("supervisor", "up"),
            ("control", "up"),
            ("web", "up"),
            ("watchdog", "up"),
            ("history", "up"),
            ("door", "up"),
            ("keys", "up"),
            ("guests", "up"),
            ("alerts", "up"),
            ("learning", "up"),
            ("discovery", "up"),
            ("names", "up"),
            ("keeping", "up"),
            ("metrics", "up"),
            ("logs", "up"),
        ]
        assert os.getsid(status["pid"]) != os.getsid(0), "it has left our session"
        assert "already running" in home.run("daemon", "start").stderr, "twice is a success, and one daemon"
        assert home.json("daemon", "status")["pid"] == status["pid"]
        assert home.json("version") == {
            "schema": "llamactl.version/v1",
            "llamactl": status["version"],
            "daemon": status["version"],
        }
    finally:
        assert "has stopped" in home.run("daemon", "stop").stderr
    until(lambda: not home.processes("llamactl"))
    assert home.run("daemon", "stop").returncode == 0, "twice is a success"
    assert home.run("daemon", "status", check=False).returncode == 3
    assert [path.name for path in home.runtime.iterdir() if path.name not in ("sockets", "workers", "names")] == [], (
        "nothing is left lying about"
    )


def test_a_second_daemon_is_refused(home: Home, daemon: Daemon) -> None:
    second = home.run("daemon", "run", check=False)
    assert second.returncode == 5
    assert f"already running (pid {daemon.process.pid})" in second.stderr
    assert daemon.ask("/health").status == 200


def test_sigterm_ends_it_with_all_its_models(home: Home, daemon: Daemon) -> None:
    home.add("alpha")
    daemon.chat("alpha")
    assert home.processes("fake_llama_server")
    assert daemon.end() == 0
    assert not home.processes("fake_llama_server")
    assert not any(path.is_socket() for path in home.runtime.rglob("*"))


def test_a_request_under_way_is_finished_first(home: Home, daemon: Daemon) -> None:
    home.add("alpha", tokens=20, token_interval=0.02)
    with daemon.stream("alpha") as answer:
        answer.readline()
        daemon.process.send_signal(signal.SIGTERM)
        assert answer.read().endswith(b"data: [DONE]\n\n")
    assert daemon.end() == 0


def test_a_second_sigterm_is_obeyed_at_once(home: Home, daemon: Daemon) -> None:
    home.add("alpha", tokens=1000, token_interval=0.05)
    with daemon.stream("alpha") as answer:
        answer.readline()
        daemon.process.send_signal(signal.SIGTERM)
        until(lambda: "SIGTERM: stopping" in daemon.log())
        began = time.monotonic()
        daemon.process.send_signal(signal.SIGTERM)
        daemon.process.wait(10)
    assert time.monotonic() - began < 5


def test_leftovers_of_a_killed_daemon_are_no_obstacle(home: Home, begin: Begin) -> None:
    daemon = begin()
    daemon.process.kill()
    daemon.process.wait()
    assert (home.runtime / "llamactl.pid").exists()
    assert (home.runtime / "control.sock").exists()
    assert begin().ask("/health").status == 200


def test_a_pid_file_that_names_somebody_else_is_no_obstacle(home: Home, begin: Begin) -> None:
    home.runtime.mkdir(mode=0o700)
    (home.runtime / "llamactl.pid").write_text(f"{os.getppid()} 1.0\n")
    daemon = begin()
    assert (home.runtime / "llamactl.pid").read_text().split()[0] == str(daemon.process.pid)


def test_a_port_in_use_names_its_holder(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        for command in ("start", "run"):
            done = home.run("daemon", command, check=False, LLAMACTL_HTTP_PORT=str(port))
            assert done.returncode == 5
            assert f"port {port} is in use" in done.stderr
            assert f"(pid {os.getpid()})" in done.stderr
    assert not home.processes("llamactl")


def test_a_runtime_directory_that_is_open_to_others_is_refused(home: Home) -> None:
    home.runtime.mkdir(mode=0o755)
    home.runtime.chmod(0o755)
    done = home.run("daemon", "start", check=False)
    assert done.returncode == 5
    assert "chmod 700" in done.stderr
    assert stat.S_IMODE(home.runtime.stat().st_mode) == 0o755, "it is not ours to change"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a directory that belongs to somebody else")
def test_a_runtime_directory_of_somebody_else_is_refused(home: Home) -> None:
    home.runtime.mkdir(mode=0o700)
    os.chown(home.runtime, 12345, -1)
    done = home.run("daemon", "start", check=False)
    assert done.returncode == 5
    assert "belongs to user 12345" in done.stderr


def test_a_bad_configuration_is_refused_with_its_line(home: Home) -> None:
    file = home.place / "config" / "llamactl" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('[http]\nport = "eighty"\n')
    del home.env["LLAMACTL_HTTP_PORT"]
    done = home.json("daemon", "start", code=2)
    assert done["error"]["code"] == "bad_request"
    assert f"{file}, line 2" in done["error"]["message"]


def test_other_machines_are_not_let_in_by_accident(home: Home) -> None:
    done = home.run("daemon", "start", check=False, LLAMACTL_HTTP_HOST="0.0.0.0")
    assert done.returncode == 5
    assert "insecure" in done.stderr


@pytest.mark.parametrize(("key", "code"), [("http_tls_cert", 2), ("http_tls_key", 5), ("access_jwt_secret", 2)])
def test_protection_that_cannot_be_is_not_pretended(home: Home, key: str, code: int) -> None:
    done = home.run("daemon", "start", check=False, **{f"LLAMACTL_{key.upper()}": "/no/such.pem"})
    assert done.returncode == code
    assert "/no/such.pem" in done.stderr or "http.tls_cert is not" in done.stderr


def test_a_damaged_database_is_refused_and_kept(home: Home) -> None:
    database = home.place / "data" / "llamactl" / "llamactl.db"
    database.parent.mkdir(parents=True)
    write_garbage(database)
    before = database.read_bytes()
    done = home.run("daemon", "start", check=False)
    assert done.returncode == 1
    assert str(database) in done.stderr
    assert database.read_bytes() == before


def test_sockets_are_private(home: Home, daemon: Daemon) -> None:
    home.add("alpha")
    daemon.chat("alpha")
    sockets = [path for path in home.runtime.rglob("*") if path.is_socket()]
    assert {"control.sock", "web.sock"} < {path.name for path in sockets}
    assert len(sockets) == 3
    assert stat.S_IMODE((home.runtime / "control.sock").stat().st_mode) == 0o600
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in [home.runtime, *sockets])


def test_watching_gives_the_present_and_then_every_event(home: Home, daemon: Daemon) -> None:
    home.add("alpha")
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(30)
        control.connect(str(home.runtime / "control.sock"))
        control.sendall(b'{"jsonrpc":"2.0","id":7,"method":"watch"}\n')
        lines = control.makefile("rb")
        snapshot = json.loads(lines.readline())
        assert snapshot["id"] == 7
        last = snapshot["result"]["last_event"]
        daemon.chat("alpha")
        numbers: list[int] = []
        phases: list[str] = []
        while phases[-1:] != ["ready"]:
            notice = json.loads(lines.readline())
            assert notice["method"] == "event"
            event = notice["params"]["event"]
            if event["type"] != "samples":  # of what only passes, whatever is measured meanwhile
                numbers.append(notice["params"]["id"])
                phases.append(event["phase"]["type"] if event["type"] == "instance" else event["action"])
    assert phases == ["start", "starting", "loading", "ready"]
    assert numbers == list(range(last + 1, last + 5))


def test_models_outlive_the_daemon_in_the_catalogue(home: Home, begin: Begin) -> None:
    daemon = begin()
    home.add("alpha")
    assert daemon.end() == 0
    begin()
    assert [row["name"] for row in home.json("models")["items"]] == ["alpha"]


# --- the command line ---------------------------------------------------------------------------------


def test_add_scan_list_remove(home: Home, daemon: Daemon, tmp_path: Path) -> None:
    alpha = home.model("Alpha-7B.Q4_K_M")
    added = home.json("models", "add", str(alpha))["items"][0]
    assert added["name"] == "alpha-7b-q4_k_m"
    assert home.json("models", "add", str(alpha))["items"][0] == added, "the same file twice is the same model"
    write_garbage(tmp_path / "broken.gguf")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "beta.gguf").write_bytes(alpha.read_bytes())
    report = home.json("models", "scan", str(tmp_path))
    assert report["added"] == ["beta"]
    assert [file["path"] for file in report["unusable"]] == [str(tmp_path / "broken.gguf")]
    assert home.run("models", "-o", "name").stdout == "alpha-7b-q4_k_m\nbeta\n"
    home.run("models", "rm", "beta")
    assert home.run("models", "ls", "-o", "name").stdout == "alpha-7b-q4_k_m\n"
    assert (tmp_path / "deep" / "beta.gguf").exists(), "the file stays"
    assert home.run("models", "rm", "beta", check=False).returncode == 4


def test_a_file_that_is_no_model_is_refused(home: Home, daemon: Daemon, tmp_path: Path) -> None:
    write_garbage(tmp_path / "noise.gguf")
    for path, reason in ((tmp_path / "noise.gguf", "not"), (tmp_path / "none.gguf", "no")):
        done = home.json("models", "add", str(path), code=2)
        assert str(path) in done["error"]["message"]
        assert reason in done["error"]["message"]


def test_start_and_stop_by_glob(home: Home, daemon: Daemon) -> None:
    for name in ("alpha-1", "alpha-2", "beta"):
        home.add(name)
    home.run("start", "alpha-*")
    assert [(row.name, row.state) for row in home.instances()] == [
        ("alpha-1", "ready"),
        ("alpha-2", "ready"),
        ("beta", "stopped"),
    ]
    assert home.run("start", "alpha-1").returncode == 0, "ready already is a success"
    home.run("stop", "--all")
    assert {row.state for row in home.instances()} == {"stopped"}
    assert home.run("start", "gamma*", check=False).returncode == 4
    assert home.run("start", check=False).returncode == 2


def test_some_that_fail_make_it_partly_done(home: Home, daemon: Daemon) -> None:
    home.add("alpha")
    home.add("beta", crash_at="start", error_lines=["0.0 E no such tensor"])
    done = home.run("start", "alpha", "beta", check=False)
    assert done.returncode == 10
    assert "no such tensor" in done.stderr
    assert daemon.state("alpha") == "ready"


def test_a_start_that_is_not_awaited_goes_on(home: Home, daemon: Daemon) -> None:
    home.add("alpha", load_seconds=1)
    done = home.run("start", "alpha", "--timeout", "100ms", check=False)
    assert done.returncode == 8
    until(lambda: daemon.state("alpha") == "ready")
    home.run("stop", "alpha")
    home.run("start", "alpha", "--no-wait")
    until(lambda: daemon.state("alpha") == "ready")


def test_logs_are_there_without_the_daemon(home: Home, begin: Begin) -> None:
    daemon = begin()
    home.add("al/pha:1")
    assert home.run("logs", "al/pha:1", check=False).returncode == 4
    home.run("start", "al/pha:1")
    home.run("stop", "al/pha:1")
    home.run("start", "al/pha:1")
    answer = daemon.ask("/api/logs?model=al/pha:1&text=LISTENING").json()
    assert [line["source"] for line in answer["data"]["logs"]] == ["al/pha:1"]
    assert daemon.ask("/api/logger/config").json()["data"]["consoleLevel"] == "info"
    assert "console: error" in home.run("daemon", "log-level", "error").stdout
    assert daemon.ask("/api/logger/config").json()["data"]["consoleLevel"] == "error"
    daemon.end()
    assert "llamactl ended" not in daemon.log() + home.run("logs").stdout, "that is no error"
    assert "listening on unix://" in home.run("logs", "al/pha:1").stdout
    assert home.run("logs", "-n", "1", "al/pha:1").stdout.count("\n") == 1
    assert "cleaning up" in home.run("logs", "--previous", "al/pha:1").stdout


def test_chat_streams_an_answer_and_reads_stdin(home: Home, daemon: Daemon) -> None:
    home.add("alpha")
    said = home.run("chat", "alpha", "hello").stdout
    assert said.strip()
    assert home.run("chat", "alpha", "-", input="hello").stdout == said
    assert home.json("chat", "alpha", "hello")["answer"] == said.removesuffix("\n")
    assert home.run("chat", "nobody", "hello", check=False).returncode == 4


def test_without_a_daemon_there_is_guidance(home: Home) -> None:
    bare = home.run()
    assert "quickstart" in bare.stdout
    assert len(bare.stdout.splitlines()) == 4
    done = home.json("ps", code=7)
    assert done["error"]["hint"] == "llamactl daemon start"


def test_the_daemon_is_started_in_the_background_with_its_settings(home: Home) -> None:
    home.env |= {f"LLAMACTL_{key.upper()}": value for key, value in fake_engine().items()}
    home.run("daemon", "start")
    try:
        home.add("alpha")
        assert home.run("chat", "alpha", "hello").stdout.strip()
    finally:
        home.run("daemon", "stop")
    assert not home.processes("fake_llama_server")
