"""Does the user's own service outlive the user's last login?"""

import os
from collections.abc import Iterator
from pathlib import Path

from llamactl.core.finding import Finding, ok, warning
from llamactl.doctor.case import Case

UNIT = "systemd/user/llamactl.service"


def check(case: Case) -> Iterator[Finding]:
    """Only where the user unit is installed."""
    if case.remote:
        return
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    unit = next((path for home in (config, data) if (path := Path(home, UNIT)).exists()), None)
    if unit is None:
        return
    if (case.root / "var/lib/systemd/linger" / case.here.user).exists():
        yield ok("linger", f"{unit} goes on when {case.here.user} logs out")
    else:
        yield warning(
            "linger-off",
            f"the daemon of {unit} ends when {case.here.user} logs out",
            "systemd stops what a user runs with the last session, unless the user lingers",
            f"loginctl enable-linger {case.here.user}",
        )
