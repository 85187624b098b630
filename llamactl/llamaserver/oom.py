"""Has the kernel killed anybody for lack of memory?

It does not say whom: `dmesg` is not for everybody. But it counts: for the whole machine in `/proc/vmstat`, for a
control group in its `memory.events` (or `memory.oom_control`, in the first version). Our processes are in our group.
"""

import re
from contextlib import suppress
from pathlib import Path

_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_GROUPS = Path("/sys/fs/cgroup")


def kills() -> int | None:
    """A number that rises with every such kill; None where nobody counts."""
    counts = [count for path in _places() if (count := _count(path)) is not None]
    return sum(counts) if counts else None


def since(before: int | None) -> bool | None:
    """Was there one after `kills` gave this? None: unknown."""
    now = kills()
    return None if now is None or before is None else now > before


def _places() -> list[Path]:
    places = [Path("/proc/vmstat")]
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if not controllers:
                places.append(_GROUPS / group.strip("/") / "memory.events")
            elif "memory" in controllers.split(","):
                places.append(_GROUPS / "memory" / group.strip("/") / "memory.oom_control")
                places.append(_GROUPS / "memory" / "memory.oom_control")  # in a container its own group is the root
    return places


def _count(path: Path) -> int | None:
    with suppress(OSError):
        found = _COUNT.search(path.read_text())
        return int(found[1]) if found else None
    return None
