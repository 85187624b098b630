"""The units, as systemd reads them."""

import os
import shlex
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest

from llamactl.config.sections import Residency
from llamactl.config.systemd import fitted
from llamactl.core.units import parse_duration

UNITS = Path(__file__).parents[2] / "systemd"
SYSTEM, USER = UNITS / "llamactl.service", UNITS / "user" / "llamactl.service"

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
needs_sysusers = pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not here")


def _service(unit: Path) -> dict[str, str]:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as its documentation says
    parser.read(unit)
    return dict(parser["Service"])


@needs_systemd
@pytest.mark.parametrize(("directory", "manager"), [(UNITS, "--system"), (UNITS / "user", "--user")])
def test_systemd_understands_them(directory: Path, manager: str, tmp_path: Path) -> None:
    """With a program that exists in place of ours, which is not installed."""
    units = sorted([*directory.glob("*.service"), *directory.glob("*.socket")])
    for unit in units:
        text = fitted(unit.read_text(), {"llamactl": sys.executable, "llamactld": sys.executable})
        (tmp_path / unit.name).write_text(text)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    verify = ["systemd-analyze", "verify", "--man=no", manager, *(str(tmp_path / unit.name) for unit in units)]
    done = subprocess.run(verify, capture_output=True, text=True, env=environment, timeout=60)
    about_them = [line for line in done.stderr.splitlines() if "llamactl" in line]
    assert about_them == []


@needs_systemd
def test_the_system_unit_is_shut_in() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", SYSTEM], capture_output=True, text=True, timeout=60
    )
    level = float(done.stdout.rpartition(f"exposure level for {SYSTEM.name}: ")[2].split()[0])
    assert level <= 2.5


@needs_sysusers
def test_the_user_of_the_system_unit(tmp_path: Path) -> None:
    users = UNITS / "llamactl.sysusers"
    done = subprocess.run(
        ["systemd-sysusers", "--dry-run", f"--root={tmp_path}", "--replace=/etc/sysusers.d/llamactl.conf", users],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert _service(SYSTEM)["User"] in users.read_text().split()


@pytest.mark.skipif(shutil.which("systemd-tmpfiles") is None, reason="systemd-tmpfiles is not here")
def test_the_runtime_directory_is_there_before_the_control_socket(tmp_path: Path) -> None:
    etc, me = tmp_path / "etc", f"llamactl:x:{os.getuid()}:{os.getgid()}::/:/bin/false\n"
    etc.mkdir()
    (etc / "passwd").write_text(me)
    (etc / "group").write_text(f"llamactl:x:{os.getgid()}:\n")
    tmpfiles = UNITS / "llamactl.tmpfiles"
    subprocess.run(["systemd-tmpfiles", "--create", f"--root={tmp_path}", tmpfiles], check=True, timeout=60)
    assert (tmp_path / "run" / "llamactl").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("unit", [SYSTEM, USER])
@pytest.mark.parametrize(
    ("result", "status", "ends"),
    [
        ("success", "0", False),
        ("success", "TERM", True),
        ("signal", "KILL", False),
        ("watchdog", "ABRT", False),
        ("exit-code", "1", False),
        ("exit-code", "2", True),
        ("timeout", "KILL", True),
    ],
)
def test_models_are_left_to_a_daemon_that_comes(
    unit: Path, result: str, status: str, ends: bool, tmp_path: Path
) -> None:
    program = tmp_path / "llamactl"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    text = _service(unit)["ExecStopPost"]
    words = shlex.split(fitted(text, {"llamactl": str(program)}).partition("\n")[2])
    assert words[:2] == ["/bin/sh", "-c"]
    environment = {**os.environ, "SERVICE_RESULT": result, "EXIT_STATUS": status}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == ("daemon stop --left-behind\n" if ends else "")


@pytest.mark.parametrize("unit", [SYSTEM, USER])
def test_stopping_has_time_to_drain(unit: Path) -> None:
    service = _service(unit)
    assert parse_duration(service["TimeoutStopSec"]) >= 2 * Residency().drain
    assert service["KillMode"] == "process", "models outlive a daemon that crashes"


@pytest.mark.parametrize("unit", [SYSTEM, USER])
def test_one_model_without_memory_does_not_take_the_others_down(unit: Path) -> None:
    assert _service(unit)["OOMPolicy"] == "continue"


def test_sockets_are_private() -> None:
    assert _service(SYSTEM)["RuntimeDirectoryMode"] == "0700"


def test_gpus_stay_visible() -> None:
    """Any of these closes /dev/dri and /dev/nvidia*; the last one because it adds the clock to a list of devices."""
    assert not {"PrivateDevices", "DeviceAllow", "DevicePolicy", "ProtectClock"} & set(_service(SYSTEM))
