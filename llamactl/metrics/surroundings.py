"""What this process can see of the machine, and may do there."""

import grp
import os
import pwd
import re
import resource
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from llamactl.core.sample import Gpu
from llamactl.core.surroundings import Node, Surroundings

_NODES = ("nvidia[0-9]*", "nvidiactl", "nvidia-uvm", "dri/renderD*", "kfd", "dxg")
"""Below /dev: NVIDIA's, those of the other kernel drivers, ROCm's, that of WSL."""

_CAP_IPC_LOCK = 14


def look(gpus: Iterable[Gpu], root: Path = Path("/")) -> Surroundings:
    """`gpus` are those that drivers tell this process of, `root` is what stands for `/`.

    No device is opened: some would wake up.
    """
    uid = os.geteuid()
    paths = sorted(path for pattern in _NODES for path in (root / "dev").glob(pattern))
    return Surroundings(
        uid=uid,
        user=_user(uid),
        groups=tuple(sorted({_group(gid) for gid in (os.getegid(), *os.getgroups())})),
        nodes=tuple(node for path in paths if (node := _node(path, root)) is not None),
        gpus=tuple(gpu.name for gpu in gpus),
        memlock=None if _may_lock() else _limit(resource.RLIMIT_MEMLOCK),
        files=_limit(resource.RLIMIT_NOFILE),
    )


def _node(path: Path, root: Path) -> Node | None:
    try:
        group = _group(path.stat().st_gid)
    except OSError:
        return None
    return Node(f"/{path.relative_to(root)}", group, os.access(path, os.R_OK | os.W_OK))


def _limit(of: int) -> int | None:
    soft, _ = resource.getrlimit(of)
    return None if soft == resource.RLIM_INFINITY else soft


def _may_lock() -> bool:
    """Does it have the capability that no limit counts for?"""
    with suppress(OSError):
        if found := re.search(r"^CapEff:\s*(\w+)", Path("/proc/self/status").read_text(), re.M):
            return bool(int(found[1], 16) >> _CAP_IPC_LOCK & 1)
    return False


def _user(uid: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return str(uid)


def _group(gid: int) -> str:
    with suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return str(gid)
