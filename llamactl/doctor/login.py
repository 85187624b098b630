"""Does the user's own service outlive the user's last login?"""

import os
from collections.abc import Iterator
from pathlib import Path

from llamactl.core.finding import Finding, ok, warning
from llamactl.doctor.case import Case

UNIT = "systemd/user/llamactl.service"


def check(case: Case) -> Iterator[Finding]:
    """Only where the user unit is installed, or the daemon that answers runs as one."""
    if case.remote:
        return
    homes = [
        os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config",
        os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share",
    ]
    if not (any(Path(home, UNIT).exists() for home in homes) or (case.status is not None and case.status.user_unit)):
        return
    user = case.runner.user
    if (case.root / "var/lib/systemd/linger" / user).exists():
        yield ok("linger", f"the daemon goes on when {user} logs out")
    else:
        yield warning(
            "linger-off",
            f"the daemon ends when {user} logs out",
            "it is a unit of the user, and systemd stops these with the last session, unless the user lingers",
            f"loginctl enable-linger {user}",
        )
