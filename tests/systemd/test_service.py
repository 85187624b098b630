"""The unit of a user, run by a real systemd. Few tests, each with many steps: daemons take their time to start."""

import json
import socket
import tempfile
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llamactl.rpc.calls import DaemonStatus, Reexec, Status
from tests.e2e.running import PATIENCE, Home, until
from tests.systemd.booted import BootedUser, CannotBoot

QUICK = """\
[Service]
WatchdogSec=4
RestartSec=50ms
TimeoutStopSec=2
StandardError=append:{stderr}
"""
"""So that the tests need not wait as long as people do, and see what the journal would."""


@pytest.fixture(scope="module")
def booted() -> Iterator[BootedUser]:
    with tempfile.TemporaryDirectory(prefix="ll") as place:
        try:
            booted = BootedUser(Home(Path(place)))
        except CannotBoot as error:
            pytest.skip(f"no systemd can be run here: {error}")
        try:
            booted.home.run("daemon", "install-unit", "--user")
            drop_in(booted, "llamactl.service", QUICK.format(stderr=booted.stderr))
            booted.systemctl("daemon-reload")
            yield booted
        finally:
            booted.end()


@pytest.fixture
def systemd(booted: BootedUser) -> Iterator[BootedUser]:
    """With nothing of ours that runs."""
    yield booted
    booted.systemctl("stop", "llamactl.socket", "llamactl-proxy.socket", "llamactl.service")


def drop_in(systemd: BootedUser, unit: str, text: str) -> None:
    file = systemd.home.place / "config" / "systemd" / "user" / f"{unit}.d" / "test.conf"
    file.parent.mkdir()
    file.write_text(text)


def config(systemd: BootedUser) -> Path:
    file = systemd.home.place / "config" / "llamactl" / "config.toml"
    file.parent.mkdir(exist_ok=True)
    return file


def chat(status: DaemonStatus, model: str) -> None:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hello"}]}).encode()
    request = urllib.request.Request(f"{status.http[0]}/v1/chat/completions", body)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        assert "choices" in json.load(answer)


def engines(systemd: BootedUser) -> dict[str, int | None]:
    """The process of each model that is ready."""
    return {row.name: row.pid for row in systemd.home.instances() if row.state == "ready"}


def crashes(systemd: BootedUser, signal: str) -> None:
    """Kill the daemon, and return when another one is up."""
    before, restarts = systemd.show("MainPID"), int(systemd.show("NRestarts"))
    systemd.systemctl("kill", "--kill-whom=main", f"--signal={signal}", "llamactl.service")
    systemd.until(NRestarts=str(restarts + 1), ActiveState="active")
    assert systemd.show("MainPID") != before


def test_its_life(systemd: BootedUser) -> None:
    systemd.systemctl("start", "llamactl.service")
    status = systemd.home.tell(Status())
    assert systemd.show("MainPID") == str(status.pid)
    assert status.unit == "llamactl.service"
    assert systemd.show("StatusText") == f"0 models; {status.http[0]}"
    systemd.home.add("alpha")
    chat(status, "alpha")
    systemd.until(StatusText=f"1 model, 1 ready; {status.http[0]}")
    before = engines(systemd)
    assert len(systemd.processes()) == 2

    config(systemd).write_text("[residency]\ndrain = '29s'\n")
    systemd.systemctl("reload", "llamactl.service")
    assert "the configuration has changed: residency.drain" in systemd.log()
    config(systemd).write_text("[residency]\ndrain = 'x'\n")
    done = systemd.inside("systemctl", "--user", "reload", "llamactl.service", check=False)
    assert done.returncode != 0
    assert systemd.show("ActiveState") == "active"
    config(systemd).unlink()

    crashes(systemd, "KILL")
    assert engines(systemd) == before
    chat(systemd.home.tell(Status()), "alpha")

    systemd.home.add("slow", token_interval=0.4)
    with ThreadPoolExecutor() as pool:  # an answer that takes longer than TimeoutStopSec
        answer = pool.submit(chat, systemd.home.tell(Status()), "slow")
        until(lambda: any(row.leases for row in systemd.home.instances()))
        systemd.llamactl("daemon", "stop")
        answer.result()
    systemd.until(ActiveState="inactive")
    assert systemd.show("Result") == "success", "it was wanted, and nobody starts it again"
    assert not systemd.processes()


def test_sockets_are_there_without_it(systemd: BootedUser) -> None:
    """Who connects starts it; the sockets go on when it executes itself anew, hangs, and ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    drop_in(systemd, "llamactl-proxy.socket", f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{port}\n")
    systemd.systemctl("daemon-reload")
    systemd.systemctl("start", "llamactl.socket", "llamactl-proxy.socket")
    status = systemd.home.tell(Status())
    assert status.http == [f"http://127.0.0.1:{port}"]
    systemd.home.add("beta")
    chat(status, "beta")
    before, main = engines(systemd), systemd.show("MainPID")

    up = systemd.log().count(" serves on ")
    systemd.home.tell(Reexec())
    until(lambda: systemd.log().count(" serves on ") == up + 1)
    systemd.until(ActiveState="active")
    assert (engines(systemd), systemd.show("MainPID")) == (before, main)
    assert systemd.home.tell(Status()).http == status.http
    chat(status, "beta")

    systemd.llamactl("-H", f"unix://{systemd.home.runtime}/control.sock", "daemon", "restart")
    systemd.until(ActiveState="active")  # it answers before it has said so
    assert (engines(systemd), systemd.show("MainPID")) == ({}, main)
    chat(status, "beta")
    before = engines(systemd)

    crashes(systemd, "STOP")  # which the watchdog notices
    assert "Fatal Python error: Aborted" in systemd.log()
    assert engines(systemd) == before

    systemd.systemctl("stop", "llamactl.service")
    assert systemd.show("Result") == "success"
    assert not systemd.processes()
    chat(status, "beta")
    assert engines(systemd) != before
    assert (systemd.home.runtime / "control.sock").exists()

    config(systemd).write_text("[residency]\ndrain = 'x'\n")
    systemd.systemctl("kill", "--kill-whom=main", "--signal=KILL", "llamactl.service")
    systemd.until(ActiveState="failed")
    config(systemd).unlink()
    assert systemd.show("ExecMainStatus") == "2"
    assert "residency.drain" in systemd.log()
    assert not systemd.processes(), "no daemon will come for them"
