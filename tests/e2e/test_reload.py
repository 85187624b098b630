"""Another configuration for a daemon that runs: every key that needs no restart, and what stays as it was."""

import http.client
import json
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import closing

import pytest

from llamactl.config.changes import RESTART
from llamactl.config.describe import describe
from llamactl.core.errors import BadRequest
from llamactl.rpc.calls import ListModels, Reload, Reloaded, Status, StopModel
from tests.e2e.conftest import Begin
from tests.e2e.running import Daemon, Home, until


def write(home: Home, text: str) -> None:
    file = home.place / "config" / "llamactl" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def reload(home: Home, text: str) -> Reloaded:
    write(home, text)
    return home.tell(Reload())


TRIED = {
    "residency.devices",
    *("residency.memory", "residency.margin", "residency.max_models", "residency.ttl"),
    *("residency.queue_total", "residency.load_timeout", "residency.drain", "restart.first", "models.default"),
    *("models.directories", "models.watch", "models.include", "models.exclude", "http.max_body"),
    "http.connections",  # in tests/proxy/test_door_limits.py
    *("logging.console_level", "logging.runs"),
    # in tests/logs
    *("logging.file_level", "logging.errors_level", "logging.file", "logging.console"),
    *("logging.max_size", "logging.max_files", "logging.max_total"),
    # in tests/supervisor/test_configure.py
    *("residency.max_wait", "residency.queue_per_model", "restart.factor", "restart.longest", "restart.crashes"),
    *("restart.healthy_after", "restart.window"),  # as those, which come and go with them
    *("restart.wedge_after", "restart.wedged"),  # in tests/supervisor/test_watchdog.py
    *("alerts.hold", "alerts.margin", "alerts.webhook"),  # in tests/daemon/test_alerting.py, as are the limits
    *("alerts.cpu", "alerts.memory", "alerts.disk"),
    *("alerts.gpu", "alerts.gpu_temperature", "alerts.gpu_memory", "alerts.gpu_power"),
    *("metrics.interval", "metrics.history", "metrics.per_key"),  # in tests/metrics and tests/store/test_samples.py
    # in tests/daemon/test_history.py and tests/e2e/test_requests.py
    *("requests.keep", "requests.rows", "requests.capture", "requests.capture_size"),
    "residency.groups",  # in tests/core/test_scheduler_places.py
    *("http.cors_origins", "http.allowed_hosts", "access.anonymous", "access.rate"),  # in tests/e2e/test_access.py
    *("access.jwt_secret", "access.jwt_public_key", "access.jwt_issuer", "access.jwt_audience"),
    *("access.jwt_scopes", "access.jwt_models", "access.jwt_leeway"),  # in tests/proxy/test_tokens.py
}


def test_every_key_is_tried_or_needs_a_restart() -> None:
    ours = {key.key for key in describe() if key.section != "llama_server"}
    assert ours - RESTART == TRIED


def test_what_fits_into_memory(home: Home, begin: Begin) -> None:
    write(home, "residency.memory = 1")
    daemon = begin()
    for name in ("alpha", "beta"):
        home.add(name)
    assert daemon.chat("alpha").status == 507
    assert reload(home, "residency.margin = '900TiB'").changed == ("residency.memory", "residency.margin")
    assert daemon.chat("alpha").status == 507, "that much must stay free"
    assert reload(home, "residency.devices = {host = 1}").changed == ("residency.devices", "residency.margin")
    assert daemon.chat("alpha").status == 507
    assert reload(home, "residency.max_models = 1").changed == ("residency.max_models", "residency.devices")
    assert [daemon.chat(name).status for name in ("alpha", "beta")] == [200, 200]
    assert daemon.state("alpha") == "stopped", "there was one place"
    reload(home, "")
    daemon.chat("alpha")
    assert [daemon.state(name) for name in ("alpha", "beta")] == ["ready", "ready"]
    assert reload(home, "residency.ttl = 0").changed == ("residency.ttl",)
    until(lambda: [daemon.state(name) for name in ("alpha", "beta")] == ["stopped", "stopped"])


def test_who_waits_and_how_long(home: Home, daemon: Daemon) -> None:
    home.add("alpha", tokens=2000, token_interval=0.05)
    reload(home, "residency.queue_total = 0")
    assert daemon.chat("alpha").status == 429
    reload(home, "residency.load_timeout = 0.2\nrestart.first = 100")
    home.add("stuck", never_listen=True)
    refused = daemon.chat("stuck")
    assert refused.status == 503 and "no progress" in refused.error["message"]
    assert int(daemon.chat("stuck").headers["retry-after"]) > 50
    reload(home, "residency.drain = 0.2\nresidency.load_timeout = '10m'")
    with daemon.stream("alpha") as answer:
        answer.readline()
        began = time.monotonic()
        home.tell(StopModel("alpha"))
        assert time.monotonic() - began < 10, "not the 30 s that it began with"


def test_models_and_how_they_are_started(home: Home, daemon: Daemon) -> None:
    home.add("alpha")
    for _ in range(3):
        daemon.chat("alpha")
        home.tell(StopModel("alpha"))
    changed = reload(
        home,
        """
        models.default = "alpha"
        llama_server.threads = 3
        logging.runs = 1
        logging.console_level = "warn"
        """,
    ).changed
    assert changed == (*("models.default", "llama_server.threads", "logging.console_level", "logging.runs"),)
    assert daemon.ask("/v1/chat/completions", {"messages": []}).json()["model"] == "alpha"
    assert "--threads 3" in " ".join(home.record("alpha", "start")[-1]["arguments"])
    assert len(list((home.place / "state").rglob("models/alpha/*.log"))) == 1
    reload(home, "")
    until(lambda: "the configuration has changed" in daemon.log())
    assert daemon.log().count("the configuration has changed") == 1, "the first time it was no warning"


def names(home: Home) -> list[str]:
    return [row.name for row in home.tell(ListModels())]


def test_where_models_are_looked_for(home: Home, begin: Begin) -> None:
    more = home.place / "more"
    more.mkdir()
    for name in ("beta", "gamma"):
        home.model(name).rename(more / f"{name}.gguf")
    write(home, "models.watch = false")
    begin()
    directories = f"models.directories = ['{more}']\n"
    assert reload(home, directories + "models.include = ['beta*']").changed == (
        *("models.directories", "models.watch", "models.include"),
    )
    until(lambda: names(home) == ["beta"])
    reload(home, directories + "models.exclude = ['delta*']")
    until(lambda: names(home) == ["beta", "gamma"])
    for name in ("delta", "epsilon"):
        home.model(name).rename(more / f"{name}.gguf")
    until(lambda: names(home) == ["beta", "epsilon", "gamma"])


def test_bodies(home: Home, daemon: Daemon) -> None:
    home.add("alpha")
    connection = daemon.connect()
    body = json.dumps({"model": "alpha", "messages": [], "padding": "x" * 2000})

    def ask(connection: http.client.HTTPConnection) -> int:
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    with closing(connection):
        assert ask(connection) == 200
        reload(home, "http.max_body = 1000")
        assert ask(connection) == 413, "a connection that was there before"
    assert daemon.ask("/v1/chat/completions", body.encode()).status == 413
    reload(home, "http.max_body = '1MiB'")
    assert daemon.ask("/v1/chat/completions", body.encode()).status == 200


def test_a_stream_goes_on_through_it(home: Home, daemon: Daemon) -> None:
    home.add("alpha", tokens=40, token_interval=0.02)
    with daemon.stream("alpha") as answer:
        answer.readline()
        text = "residency.ttl = 0\nresidency.max_models = 1\nresidency.memory = 1\nhttp.max_body = 1\n"
        text += "http.listen = ['127.0.0.1:0']"
        assert reload(home, text).restart_for == ("http.listen",)
        daemon.process.send_signal(signal.SIGHUP)
        assert answer.read().endswith(b"data: [DONE]\n\n")
    assert daemon.ask("/health").status == 200


# --- what is wrong -------------------------------------------------------------------------------


def test_one_that_is_wrong_leaves_everything_as_it_was(home: Home, daemon: Daemon) -> None:
    file = home.place / "config" / "llamactl" / "config.toml"
    reload(home, "residency.queue_total = 0")
    home.add("alpha")
    with pytest.raises(BadRequest, match=rf"{file}, line 2: http\.max_body") as caught:
        reload(home, "residency.queue_total = 5\nhttp.max_body = 'large'\n")
    assert caught.value.exit == 2
    done = home.json("daemon", "reload", code=2)
    assert f"{file}, line 2: http.max_body" in done["error"]["message"]
    assert daemon.chat("alpha").status == 429
    with pytest.raises(BadRequest, match="cannot serve TLS"):
        reload(home, "http.tls_cert = '/c.pem'")
    write(home, "no toml")
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: "the configuration stays as it was" in daemon.log())
    assert f"{file}, line 1" in daemon.log() and daemon.chat("alpha").status == 429
    write(home, "")
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: daemon.log().count("the configuration has changed: residency.queue_total") == 2)
    assert daemon.chat("alpha").status == 200


def test_paths_are_those_of_where_it_was_started(home: Home, begin: Begin) -> None:
    """In the background it works elsewhere, and is to read the same file and the same directories."""
    there = home.place / "there"
    (there / "models").mkdir(parents=True)
    (there / "other.toml").write_text("")
    home.model("alpha").rename(there / "models" / "alpha.gguf")
    env = {**home.env, "LLAMACTL_MODELS_DIRECTORIES": "models"}
    command = [sys.executable, "-m", "llamactl", "--config", "other.toml", "daemon", "start"]
    subprocess.run(command, cwd=there, env=env, check=True, capture_output=True, timeout=60)
    try:
        (there / "other.toml").write_text("residency.ttl = 5")
        assert home.tell(Reload()).changed == ("residency.ttl",)
        assert home.tell(Status()).config == str(there / "other.toml")
        until(lambda: names(home) == ["alpha"])
    finally:
        home.run("daemon", "stop")


# --- the command line ----------------------------------------------------------------------------


def test_set_now_and_restart(home: Home) -> None:
    home.run("daemon", "start")
    try:
        home.add("alpha")
        before = home.tell(Status()).pid
        said = home.run("config", "set", "residency.ttl", "5").stderr
        assert said.endswith("until: llamactl daemon reload\n")
        assert "taken over: residency.ttl" in home.run("daemon", "reload").stderr
        assert "nothing to take over" in home.run("daemon", "reload").stderr
        said = home.run("config", "set", "--now", "http.listen", f"unix://{home.place}/s").stderr
        assert "http.listen: only after llamactl daemon restart" in said
        assert "http.listen: only after" in home.run("daemon", "status").stderr
        assert "is running (pid " in home.run("daemon", "restart").stderr
        status = home.tell(Status())
        assert status.pid != before and status.restart_for == ()
        assert f"unix://{home.place}/s" in status.http
        write(home, "http.max_body = 'x'")
        assert home.run("daemon", "restart", check=False).returncode == 2
        assert home.tell(Status()).pid == status.pid, "what could not be started again was not stopped"
        write(home, "")
        other = home.run("daemon", "restart", check=False, XDG_DATA_HOME=str(home.place / "x"))
        assert other.returncode == 5 and "systemctl restart" in other.stderr
        assert home.tell(Status()).pid == status.pid
    finally:
        home.run("daemon", "stop")
    try:
        assert "is running" in home.run("daemon", "restart").stderr, "without one it is started"
    finally:
        home.run("daemon", "stop")


def test_the_end_of_its_terminal_ends_it(home: Home) -> None:
    """One in the foreground, whose window is closed."""
    pid, terminal = pty.fork()
    if not pid:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup(1)
        os.execve(sys.executable, [sys.executable, "-m", "llamactl", "daemon", "run"], home.env)
    try:
        said = b""
        while b" serves on http://" not in said:
            said += os.read(terminal, 4096)
        os.kill(pid, signal.SIGHUP)
        while b"reading the configuration again" not in said:
            said += os.read(terminal, 4096)
        assert home.tell(Status()).pid == pid
    finally:
        os.close(terminal)
    ended = (0, 0)

    def gone() -> bool:
        nonlocal ended
        ended = os.waitpid(pid, os.WNOHANG)
        return ended[0] == pid

    until(gone)
    assert os.WIFEXITED(ended[1]), "in good order"
    assert sorted(path.name for path in home.runtime.iterdir()) == ["names", "sockets", "workers"]
    assert not [path for name in ("sockets", "workers") for path in (home.runtime / name).iterdir()]
