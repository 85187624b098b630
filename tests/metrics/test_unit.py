"""What systemd runs a process as, by what it says in the environment."""

from pathlib import Path

import pytest

from llamactl.metrics.unit import Unit, find

STARTED = {"SYSTEMD_EXEC_PID": "7"}


@pytest.mark.parametrize(
    ("environment", "groups", "unit"),
    [
        (STARTED, "0::/system.slice/llamactl.service\n", Unit("llamactl.service", False)),
        (
            {**STARTED, "MANAGERPID": "3"},
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/llamactl.service\n",
            Unit("llamactl.service", True),
        ),
        (STARTED, "3:cpu:/\n1:name=systemd:/system.slice/llamactl.service\n0::/\n", Unit("llamactl.service", False)),
        (STARTED, "0::/user.slice/user-0.slice/session-1.scope\n", Unit()),
        ({"SYSTEMD_EXEC_PID": "8"}, "0::/system.slice/gnome-terminal.service\n", Unit()),
        ({}, "0::/system.slice/cron.service\n", Unit()),
    ],
)
def test_find(environment: dict[str, str], groups: str, unit: Unit, tmp_path: Path) -> None:
    file = tmp_path / "cgroup"
    file.write_text(groups)
    assert find(environment, 7, file) == unit
