"""A process that leads a session of its own, so that all it starts can be found, and ended with it.

Nobody but `wait` reaps it. Until then the kernel gives its number to no other process, so a signal sent
before that reaches this one or nobody.
"""

import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import anyio
import psutil

SWEEP = 2.0
"""Seconds that the rest of a session may take to end after its leader. A killed process is gone within a
millisecond, unless the kernel holds it (a driver, a dead disk)."""


class Ended(NamedTuple):
    """One of them is None."""

    code: int | None
    signal: int | None


class Session:
    """A child process in a session of its own, with nothing to read and one file to write to.

    `output` is a file descriptor for both of its streams; it stays the caller's. What files and sockets it
    makes are its user's alone. Raises `OSError` when it cannot be executed.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], output: int) -> None:
        self._popen = subprocess.Popen(
            arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            umask=0o077,
        )
        self.pid = self._popen.pid
        self._pidfd = _pidfd(self.pid)
        self._waiting = anyio.Lock()
        self._reaped = False

    @property
    def ended(self) -> bool:
        """The leader runs no more, reaped or not."""
        if self._reaped:
            return True
        if self._pidfd is None:
            return self._popen.poll() is not None
        look = select.poll()
        look.register(self._pidfd, select.POLLIN)
        return bool(look.poll(0))

    async def wait(self) -> Ended:
        """How the leader ended, once the whole session has and the leader is reaped.

        May be awaited by several, and again later. What the leader leaves running is killed.
        """
        async with self._waiting:  # one asks the kernel, the others ask that one
            if not self._reaped:
                await self._leader_ends()
                await self._sweep()
                self._reap()
        status = self._popen.returncode
        return Ended(None, -status) if status < 0 else Ended(status, None)

    def terminate(self) -> None:
        """SIGTERM to the leader; nothing happens when it has ended."""
        if not self.ended:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to everything in the session; nothing happens when `wait` has returned."""
        if self._reaped:
            return
        if self._popen.returncode is None:
            with suppress(ProcessLookupError, PermissionError):  # macOS forbids it for a group that has ended
                os.killpg(self.pid, signal.SIGKILL)
        for process in self._others():
            with suppress(psutil.Error):
                process.kill()  # not if its number went to another process since it was found

    async def _leader_ends(self) -> None:
        if self._pidfd is not None:
            await anyio.wait_readable(self._pidfd)
        # On macOS, and in some containers, nothing can be awaited but in a thread, which could not be cancelled.
        while not self.ended:  # noqa: ASYNC110
            await anyio.sleep(0.02)

    async def _sweep(self) -> None:
        """End what the leader left behind. Repeated, since one may fork while the others are being killed."""
        with anyio.move_on_after(SWEEP):
            while self._others():
                self.kill()
                await anyio.sleep(0.002)

    def _reap(self) -> None:
        self._popen.wait()
        self._reaped = True
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None

    def _others(self) -> list[psutil.Process]:
        """Who else runs in the session; zombies do not run."""
        found = []
        for pid in psutil.pids():
            with suppress(OSError, psutil.Error):  # it ended meanwhile
                if pid != self.pid and os.getsid(pid) == self.pid:
                    process = psutil.Process(pid)
                    if process.status() != psutil.STATUS_ZOMBIE:
                        found.append(process)
        return found


def _pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None where the kernel has no such thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
