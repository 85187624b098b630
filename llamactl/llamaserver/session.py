"""A process that leads a session of its own, so that all it starts can be found, and ended with it."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress

import anyio
import psutil

from llamactl.llamaserver.leader import Child, Ended, Leader

SWEEP = 2.0
"""Seconds that the rest of a session may take to end after its leader. A killed process is gone within a
millisecond, unless the kernel holds it (a driver, a dead disk)."""


def lead(arguments: Sequence[str], environment: Mapping[str, str], output: int) -> "Session":
    """A child process in a session of its own, with nothing to read and one file to write to.

    `output` is a file descriptor for both of its streams; it stays the caller's. What files and sockets it
    makes are its user's alone. Raises `OSError` when it cannot be executed.
    """
    return Session(Child(arguments, environment, output))


class Session:
    def __init__(self, leader: Leader) -> None:
        self.pid = leader.pid
        self._leader = leader
        self._waiting = anyio.Lock()
        self._how: Ended | None = None

    @property
    def ended(self) -> bool:
        """The leader runs no more, reaped or not."""
        return self._how is not None or self._leader.ended

    async def wait(self) -> Ended:
        """How the leader ended, once the whole session has and the leader is reaped.

        May be awaited by several, and again later. What the leader leaves running is killed.
        """
        async with self._waiting:  # one asks the kernel, the others ask that one
            if self._how is None:
                await self._leader_ends()
                await self._sweep()
                self._how = self._leader.reap()
            return self._how

    def terminate(self) -> None:
        """SIGTERM to the leader; nothing happens when it has ended."""
        if not self.ended:
            self._leader.terminate()

    def kill(self) -> None:
        """SIGKILL to everything in the session; nothing happens when `wait` has returned."""
        if self._how is not None:
            return
        self._leader.kill()
        for process in self._others():
            with suppress(psutil.Error):
                process.kill()  # not if its number went to another process since it was found

    async def _leader_ends(self) -> None:
        if self._leader.pidfd is not None:
            await anyio.wait_readable(self._leader.pidfd)
        # On macOS, and in some containers, nothing can be awaited but in a thread, which could not be cancelled.
        while not self.ended:  # noqa: ASYNC110
            await anyio.sleep(0.02)

    async def _sweep(self) -> None:
        """End what the leader left behind. Repeated, since one may fork while the others are being killed."""
        with anyio.move_on_after(SWEEP):
            while self._others():
                self.kill()
                await anyio.sleep(0.002)

    def _others(self) -> list[psutil.Process]:
        """Who else runs in the session; zombies do not run."""
        found = []
        for pid in psutil.pids():
            with suppress(OSError, psutil.Error):  # it ended meanwhile
                if pid != self.pid and os.getsid(pid) == self.pid:
                    process = psutil.Process(pid)
                    if process.status() != psutil.STATUS_ZOMBIE and self._leader.leads(process):
                        found.append(process)
        return found
