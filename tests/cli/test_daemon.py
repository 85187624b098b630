"""The daemon and systemd: units are written where it looks for them, and never over what somebody has changed."""

import sys
from pathlib import Path

import msgspec
import pytest

from llamactl.config import systemd
from llamactl.core.errors import Refused
from tests.cli.conftest import Llamactl
from tests.cli.stub import STATUS, Stub

SOURCES = Path(__file__).parents[2] / "systemd" / "user"


def place(home: Path) -> Path:
    return home / "config_home" / "systemd" / "user"


def test_a_users_units(llamactl: Llamactl, home: Path) -> None:
    said = llamactl("daemon", "install-unit", "--user")
    assert said.code == 0
    assert "systemctl --user enable --now llamactl.service" in said.err
    for source in SOURCES.iterdir():
        text = (place(home) / source.name).read_text()
        assert text.startswith(systemd.MARK)
        assert "%h/.local" not in text
        assert (place(home) / source.name).stat().st_mode & 0o777 == 0o644
    service = (place(home) / "llamactl.service").read_text()
    assert f"ExecStart={systemd._program('llamactld')}\n" in service
    assert f"ExecReload={systemd._program('llamactl')} daemon reload\n" in service


def test_again(llamactl: Llamactl, home: Path) -> None:
    llamactl("daemon", "install-unit", "--user")
    again = llamactl("--json", "daemon", "install-unit", "--user").json()
    assert {row["state"] for row in again["units"]} == {"same"}
    service = place(home) / "llamactl.service"
    earlier = systemd.fitted("[Service]\nExecStart=/usr/bin/llamactld\n", {"llamactld": "/old/llamactld"})
    service.write_text(earlier)
    dry = llamactl("--json", "daemon", "install-unit", "--user", "--dry-run").json()
    assert {row["path"]: row["state"] for row in dry["units"]}[str(service)] == "other"
    assert service.read_text() == earlier
    assert llamactl("daemon", "install-unit", "--user").code == 0
    assert "WatchdogSec" in service.read_text()


@pytest.mark.parametrize("change", ["\nNice=5\n", None])
def test_what_is_changed_stays(change: str | None, llamactl: Llamactl, home: Path) -> None:
    """Changed, or written by somebody else from the beginning; then nothing else is written either."""
    service, other = (place(home) / name for name in ("llamactl.service", "llamactl.socket"))
    if change is None:
        service.parent.mkdir(parents=True)
    else:
        llamactl("daemon", "install-unit", "--user")
        other.unlink()
    mine = (service.read_text() if change else "[Service]\n") + (change or "")
    service.write_text(mine)
    said = llamactl("daemon", "install-unit", "--user")
    assert said.code == Refused.exit
    assert str(service) in said.err
    assert "systemctl --user edit llamactl.service" in said.err
    assert service.read_text() == mine
    assert not other.exists()


def test_the_systems_units_are_for_programs_that_all_can_reach(
    llamactl: Llamactl, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = home / "private" / "bin"
    programs.mkdir(0o700, parents=True)
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    said = llamactl("daemon", "install-unit", "--dry-run")
    assert said.code == Refused.exit
    assert "install-unit --user" in said.err


def test_the_systems_units(llamactl: Llamactl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/bin/python")
    said = llamactl("--json", "daemon", "install-unit", "--dry-run")
    assert said.code == 0
    answer = said.json()
    assert [row["path"] for row in answer["units"]] == [
        "/etc/systemd/system/llamactl.service",
        "/etc/systemd/system/llamactl.socket",
        "/etc/systemd/system/llamactl-proxy.socket",
        "/etc/sysusers.d/llamactl.conf",
        "/etc/tmpfiles.d/llamactl.conf",
    ]
    assert answer["next"][-2:] == ["systemctl daemon-reload", "systemctl enable --now llamactl.service"]


def test_a_daemon_that_systemd_runs(stub: Stub, llamactl: Llamactl) -> None:
    stub.answers["daemon.status"] = msgspec.structs.replace(STATUS, unit="llamactl.service", user_unit=True)
    assert "systemctl --user status llamactl.service" in llamactl("daemon", "status").out
    said = llamactl("daemon", "restart")
    assert said.code == Refused.exit
    assert "systemctl --user restart llamactl.service" in said.err
    assert "daemon.stop" not in [method for method, _ in stub.asked]


def test_how_to_start_it_again(stub: Stub, llamactl: Llamactl) -> None:
    gone = 2**22 + 1  # no process has a number that high
    stub.answers["daemon.status"] = msgspec.structs.replace(STATUS, pid=gone, unit="llamactl.service")
    said = llamactl("daemon", "stop")
    assert said.code == 0
    assert "systemctl start llamactl.service" in said.err
