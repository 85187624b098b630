"""The units, as systemd reads them."""

import os
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest

from llamactl.config.sections import Residency
from llamactl.core.units import parse_duration

UNITS = Path(__file__).parents[1] / "systemd"
SYSTEM, USER = UNITS / "llamactl.service", UNITS / "user" / "llamactl.service"

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
needs_sysusers = pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not here")


def _service(unit: Path) -> dict[str, str]:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as its documentation says
    parser.read(unit)
    return dict(parser["Service"])


@needs_systemd
@pytest.mark.parametrize(("unit", "manager"), [(SYSTEM, "--system"), (USER, "--user")])
def test_systemd_understands_it(unit: Path, manager: str, tmp_path: Path) -> None:
    """With a program that exists in place of ours, which is not installed."""
    text = unit.read_text()
    for command in ("ExecStart", "ExecReload"):
        text = text.replace(_service(unit)[command], sys.executable)
    (tmp_path / unit.name).write_text(text)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    verify = ["systemd-analyze", "verify", "--man=no", manager, str(tmp_path / unit.name)]
    done = subprocess.run(verify, capture_output=True, text=True, env=environment, timeout=60)
    about_it = [line for line in done.stderr.splitlines() if unit.name in line]
    assert about_it == []


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


@pytest.mark.parametrize("unit", [SYSTEM, USER])
def test_stopping_has_time_to_drain(unit: Path) -> None:
    service = _service(unit)
    assert parse_duration(service["TimeoutStopSec"]) >= 2 * Residency().drain
    assert service["KillMode"] == "mixed"


def test_sockets_are_private() -> None:
    assert _service(SYSTEM)["RuntimeDirectoryMode"] == "0700"


def test_gpus_stay_visible() -> None:
    """Any of these closes /dev/dri and /dev/nvidia*; the last one because it adds the clock to a list of devices."""
    assert not {"PrivateDevices", "DeviceAllow", "DevicePolicy", "ProtectClock"} & set(_service(SYSTEM))
