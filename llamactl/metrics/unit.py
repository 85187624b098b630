"""What systemd runs this process as."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Unit(NamedTuple):
    """`user`: of a user's systemd. The name is empty where there is none."""

    name: str = ""
    user: bool = False


def find(environment: Mapping[str, str], pid: int, groups: Path = Path("/proc/self/cgroup")) -> Unit:
    """Of the process that systemd started, not of others that came from that one: a terminal is a unit, too."""
    if environment.get("SYSTEMD_EXEC_PID") != str(pid):
        return Unit()
    for line in groups.read_text().splitlines():
        name = line.rpartition("/")[2]
        if name.endswith(".service"):
            return Unit(name, "MANAGERPID" in environment)
    return Unit()
