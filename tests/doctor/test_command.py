"""`llamactl doctor`: what is shown, and what is mended."""

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from llamactl.cli.session import session
from llamactl.config.directories import find_directories
from llamactl.config.sockets import control_sockets
from llamactl.daemon.process import PidFile
from llamactl.doctor.case import take
from llamactl.doctor.examine import examine
from llamactl.doctor.repairs import repair
from llamactl.llamaserver.identity import MARK
from tests.cli.stub import Stub
from tests.doctor.conftest import Engine, Llamactl

SLOWLY = ("--timeout", "20s")


def codes(llamactl: Llamactl) -> set[str]:
    """Without what is said of the GPUs of the machine that the tests run on."""
    return {code for code in llamactl("doctor", "-o", "name", *SLOWLY).out.split() if not code.startswith("gpu-")}


def test_as_text(engine: Engine, llamactl: Llamactl, home: Path) -> None:
    engine.path.unlink()
    said = llamactl("doctor", *SLOWLY)
    assert said.code == 1 and said.err.startswith("1 problem, ")
    lines = said.out.splitlines()
    assert lines[0] == "! no daemon runs" and "    try: llamactl daemon start" in lines
    assert "✗ no model can be run" in lines and any(line.startswith("✓ ") for line in lines)
    long = [line for line in lines if len(line) > 80 and not line.startswith("    try: ") and str(home) not in line]
    assert not long


def test_where_only_ascii_is_understood(engine: Engine, llamactl: Llamactl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    assert {line[0] for line in llamactl("doctor", *SLOWLY).out.splitlines()} == {"!", " ", "+"}


def test_warnings_alone_are_no_failure(engine: Engine, llamactl: Llamactl) -> None:
    said = llamactl("doctor", "--json", *SLOWLY)
    found = said.json()
    warnings = [item for item in found["items"] if item["level"] == "warning"]
    assert said.code == 0 and found["schema"] == "llamactl.doctor/v1"
    assert (found["healthy"], found["problems"], found["warnings"]) == (True, 0, len(warnings))
    absent = next(item for item in found["items"] if item["level"] != "ok")
    assert absent["code"] == "daemon-absent" and absent["fix"] == "llamactl daemon start" and absent["cause"]
    assert codes(llamactl) == {"daemon-absent"}


def test_what_is_safe_to_mend_is_mended(engine: Engine, llamactl: Llamactl, home: Path) -> None:
    directory = home / "runtime_dir" / "llamactl"
    (directory / "sockets").mkdir(parents=True)
    (directory / "llamactl.pid").write_text("4711 1.0\n")
    (directory / "sockets" / "0a.json").write_text("{}")
    directory.chmod(0o755)
    (directory / "sockets").chmod(0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / "control.sock"))
    (directory / "control.sock").chmod(0o600)
    mark = {MARK: f"{directory}/sockets/0b.sock"}
    with subprocess.Popen(["sleep", "60"], env={**os.environ, **mark}, start_new_session=True) as orphan:
        said = llamactl("doctor", "--fix", "--json", *SLOWLY)
        assert said.code == 0
        found = {item["code"] for item in said.json()["items"] if item["repaired"]}
        assert found == {"mode-open", "pid-file-stale", "socket-stale", "orphan-running", "records-stale"}
        assert f"set the mode of {directory} to 0700" in said.err and f"ended a process (pid {orphan.pid})" in said.err
    assert codes(llamactl) == {"daemon-absent"}
    assert sorted(path.name for path in directory.rglob("*")) == ["sockets"]


def test_a_daemon_that_starts_meanwhile_is_left_alone(engine: Engine, root: Path, home: Path) -> None:
    directory = home / "runtime_dir" / "llamactl"
    (directory / "sockets").mkdir(mode=0o700, parents=True)
    directory.chmod(0o700)
    (stale := directory / "sockets" / "0a.json").write_text("{}")
    case = take(session.client, control_sockets(), until=time.monotonic() + 20, root=root)
    findings = examine(case)
    with PidFile(find_directories().pid_file):
        said = [text for finding, text in repair(findings, case.directories) if finding.repair]
    assert stale.exists() and "not mended" in said[0] and "already running" in said[0]


def test_over_http_it_looks_at_nothing_of_this_machine(daemon: Stub, engine: Engine, root: Path, home: Path) -> None:
    (home / "config_home" / "llamactl").mkdir(parents=True)
    (home / "config_home" / "llamactl" / "config.toml").write_text("[nonsense]\n")
    case = take(
        session.client, [], until=time.monotonic() + 20, named=True, root=root
    )  # asked over the socket all the same
    assert case.remote and [one.code for one in examine(case)] == ["daemon", "engine", "models"]
