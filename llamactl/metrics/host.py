"""The machine and the processes on it, through psutil."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import psutil

from llamactl.core.sample import Disk, Host, share

LOOPBACK = frozenset(("lo", "lo0"))

LOOKS = 3
"""At who listens. One that was just forked has the socket too, until it executes another program, and what changes
while the kernel's list is read may be missed."""


class HostMeter:
    """What is a share of time, or a rate, is measured between two calls; at the first one it is None.

    `directories` are those of the models. `clock` is monotonic, in seconds. To be called by one thread at a time.
    """

    def __init__(self, directories: Callable[[], Iterable[str]], clock: Callable[[], float]) -> None:
        self._directories = directories
        self._clock = clock
        self._times: list[tuple[float, float]] = []  # of each core: busy, all
        self._network: tuple[float, int, int] | None = None

    def measure(self) -> Host:
        memory, swap = psutil.virtual_memory(), _swap()
        cpu, cores = self._processors()
        received, sent = self._rates()
        return Host(
            cpu=cpu,
            cores=cores,
            load=_load(),
            memory_total=memory.total,
            memory_available=memory.available,
            swap_total=swap[0],
            swap_used=swap[1],
            disks=_disks(["/", *self._directories()]),
            received=received,
            sent=sent,
        )

    def _processors(self) -> tuple[float | None, tuple[float, ...]]:
        before, self._times = self._times, [_busy(core) for core in psutil.cpu_times(percpu=True)]
        if len(before) != len(self._times):  # the first time, or one was switched on or off
            return None, ()
        passed = [
            (max(0.0, busy - busy_then), max(0.0, all_ - all_then))
            for (busy, all_), (busy_then, all_then) in zip(self._times, before, strict=True)
        ]
        cores = tuple(share(min(busy, all_), all_) or 0.0 for busy, all_ in passed)
        return share(sum(busy for busy, _ in passed), sum(all_ for _, all_ in passed)), cores

    def _rates(self) -> tuple[float | None, float | None]:
        counters = [one for name, one in psutil.net_io_counters(pernic=True).items() if name not in LOOPBACK]
        now = self._clock(), sum(one.bytes_recv for one in counters), sum(one.bytes_sent for one in counters)
        before, self._network = self._network, now
        if before is None or now[0] <= before[0]:
            return None, None
        received, sent = ((now[which] - before[which]) / (now[0] - before[0]) for which in (1, 2))
        return max(0.0, received), max(0.0, sent)  # an interface that goes takes its counters along


class Process(NamedTuple):
    """`cpu` is percent of one processor since the time before, None the first time; `memory` is all that is resident,
    mapped files included.
    """

    cpu: float | None
    memory: int
    threads: int


class ProcessMeter:
    """To be called by one thread at a time. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[int, tuple[psutil.Process, float | None, float]] = {}

    def measure(self, pids: Iterable[int]) -> dict[int, Process]:
        """Those that are gone are left out."""
        found: dict[int, Process] = {}
        known, self._known = self._known, {}
        for pid in pids:
            with suppress(psutil.Error):
                process, used_then, then = known.get(pid) or (psutil.Process(pid), None, 0.0)
                with process.oneshot():
                    times, memory, threads = process.cpu_times(), process.memory_info().rss, process.num_threads()
                used, now = times.user + times.system, self._clock()
                cpu = None if used_then is None or now <= then else max(0.0, 100 * (used - used_then) / (now - then))
                self._known[pid] = process, used, now
                found[pid] = Process(cpu, memory, threads)
        return found


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


def listener(port: int) -> str:
    """Who listens on a TCP port, like `nginx (pid 12)`; empty where nobody does, or the system does not tell."""
    for _ in range(LOOKS):
        with suppress(psutil.Error):
            for connection in psutil.net_connections("tcp"):
                if (
                    connection.status == psutil.CONN_LISTEN
                    and getattr(connection.laddr, "port", None) == port
                    and connection.pid
                ):
                    return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""


def _busy(times: Any) -> tuple[float, float]:
    """Waiting for a disk is not being busy; what guests use is in `user` already."""
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    all_ = sum(times) - guests
    return all_ - times.idle - getattr(times, "iowait", 0.0), all_


def _swap() -> tuple[int, int]:
    try:
        swap = psutil.swap_memory()
    except (RuntimeError, OSError):  # containers without /proc/vmstat
        return 0, 0
    return swap.total, swap.used


def _load() -> tuple[float, float, float] | None:
    with suppress(OSError):
        return os.getloadavg()
    return None


def _disks(paths: Iterable[str]) -> tuple[Disk, ...]:
    """Each file system once; what is not there, or does not answer, is left out."""
    found: dict[int, Disk] = {}
    for path in dict.fromkeys(paths):
        with suppress(OSError):
            device = os.stat(path).st_dev  # noqa: PTH116  # a Path for each, each time, would be for nothing
            if device not in found:
                usage = psutil.disk_usage(path)
                found[device] = Disk(path=path, total=usage.total, used=usage.used, free=usage.free)
    return tuple(found.values())
