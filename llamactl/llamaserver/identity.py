"""Which process is which, across daemons: numbers of processes are given again, so a number proves nothing."""

import os
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil

MARK = "LLAMACTL_INSTANCE"
"""The variable in the environment of a llama-server, and of all that it starts, with the path of its socket."""


_PROC = Path("/proc/self/stat").exists()


class Identity(msgspec.Struct, frozen=True):
    """One process and no other.

    `started` is when, in the kernel's own count, and `boot` which start of the machine that is counted from.
    """

    pid: int
    started: str
    boot: str


def identify(pid: int) -> Identity | None:
    """Who has this number now; None if nobody has. A zombie still has its number."""
    try:
        if _PROC:
            # After the name, which may hold anything, the third field follows; the start time is the 22nd.
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            return Identity(pid, fields[19].decode(), boot())
        return Identity(pid, str(psutil.Process(pid).create_time()), boot())
    except (OSError, IndexError, psutil.Error):
        return None


def boot() -> str:
    """Which start of this machine it is."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return str(psutil.boot_time())


def executable(pid: int) -> str:
    """The file that the process executes, replaced since or not; nothing where that is not told."""
    with suppress(OSError, psutil.Error):
        if _PROC:
            return str(Path(f"/proc/{pid}/exe").readlink()).removesuffix(" (deleted)")
        return psutil.Process(pid).exe()
    return ""


def mark_of(process: psutil.Process) -> str:
    """The mark that it carries, or nothing; of other users' processes none is ever seen."""
    with suppress(OSError, psutil.Error):
        if process.uids().real == os.getuid():
            return process.environ().get(MARK, "")
    return ""


def marked(directory: Path) -> dict[str, list[int]]:
    """The processes with a mark in `directory`, by mark. Reads the environment of every process: 0.05 ms each."""
    found: dict[str, list[int]] = {}
    for pid in psutil.pids():
        with suppress(psutil.Error):
            mark = mark_of(psutil.Process(pid))
            if mark and Path(mark).parent == directory:
                found.setdefault(mark, []).append(pid)
    return found
