"""The machine's memory, through psutil."""

from contextlib import suppress

import psutil


def available_memory() -> int:
    """Bytes that could be had without swapping; page cache, mapped weights included, counts as available."""
    return int(psutil.virtual_memory().available)


def total_memory() -> int:
    """Bytes of the machine."""
    return int(psutil.virtual_memory().total)


def private_memory(pid: int) -> int:
    """Bytes of a process that are not backed by files; 0 if it is gone.

    Mapped weights are left out: they are counted as available to the system already.
    """
    with suppress(psutil.Error):
        memory = psutil.Process(pid).memory_info()
        return int(memory.rss - getattr(memory, "shared", 0))
    return 0
