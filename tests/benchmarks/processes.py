"""Processes of ours: started on a core, measured, and gone afterwards."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from .place import ROOT, Unavailable


@contextmanager
def started(
    command: Sequence[str], output: Path, *, core: int | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command on one core (`None`: on any) with its output in a file; SIGTERM, then SIGKILL, at the end."""
    with output.open("wb") as sink, pinned(core):
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, env=environment
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def first() -> Iterator[bool]:
    """Go before everybody else on the machine where that is allowed (to root): else it is their company that is
    measured. True if so."""
    allowed = False
    with contextlib.suppress(PermissionError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        allowed = True
    try:
        yield allowed
    finally:
        if allowed:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """What is started inside runs on this core, with all its threads and children."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def move(process: psutil.Process, core: int) -> None:
    """Put all threads of a running process on one core."""
    for thread in process.threads():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(thread.id, {core})


def wait_until(
    ready: Callable[[], bool], what: str, process: subprocess.Popen[bytes], output: Path, seconds: float = 20
) -> None:
    """Ask `ready` every 20 ms. `Unavailable`, with the last lines of output, if the process ends or time runs out."""
    end = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            state = (
                f"ended with {process.returncode}"
                if process.returncode is not None
                else f"is not up after {seconds:.0f} s"
            )
            raise Unavailable(f"{what} {state}: {tail(output)}")
        time.sleep(0.02)


def tail(output: Path, lines: int = 4) -> str:
    """The last lines of a file, as one."""
    return " | ".join(output.read_text(errors="replace").strip().splitlines()[-lines:]) or "no output"


def cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    """CPU time used so far by whole processes, exact to the nanosecond (the ticks of /proc are 10 ms)."""
    return sum(time.clock_gettime((~process.pid << 3) | 2) for process in processes)


def core_seconds(core: int) -> float:
    """CPU time this core has spent on anything so far, interrupts not counted."""
    times = psutil.cpu_times(percpu=True)[core]
    return times.user + times.nice + times.system + times.steal


def resident(processes: Iterable[psutil.Process]) -> int:
    """Resident bytes of these processes together."""
    return sum(process.memory_info().rss for process in processes)


def warn_of_company(seconds: float = 0.5) -> None:
    """Say so if this machine is at work before anything was asked of it."""
    share = psutil.cpu_percent(seconds) * (psutil.cpu_count() or 1)
    if share > 10:
        print(f"\nOther work takes {share:.0f} % of a core: what follows is worth little.", flush=True)


def end_leftovers(directory: Path) -> None:
    """End what still runs with our directory among its arguments: a model outlives its daemon by design."""
    mine = [
        process
        for process in psutil.process_iter(["cmdline"])
        if process.pid != os.getpid() and any(str(directory) in word for word in process.info["cmdline"] or ())
    ]
    for process in mine:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in psutil.wait_procs(mine, timeout=3)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
