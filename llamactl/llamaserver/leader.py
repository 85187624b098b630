"""The process that leads a session: one that we started, or one that an earlier daemon did.

Both are watched by a descriptor of the process (pidfd) where the kernel has such a thing, and nobody but
`reap` reaps them.
"""

import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

import psutil

from llamactl.llamaserver.identity import Identity, identify, mark_of


class Ended(NamedTuple):
    """One of them is None; both are when the process was not our child, for then nobody tells us."""

    code: int | None
    signal: int | None


class Leader(Protocol):
    """`pidfd` becomes readable when the process ends; None where there is no such thing, and after `reap`."""

    pid: int
    pidfd: int | None

    @property
    def ended(self) -> bool:
        """It runs no more, reaped or not."""

    def terminate(self) -> None:
        """SIGTERM. It must not have ended."""

    def kill(self) -> None:
        """SIGKILL to it, and to its group where that is certain to be its own; nothing happens when it is gone."""

    def reap(self) -> Ended:
        """It must have ended."""

    def leads(self, process: psutil.Process) -> bool:
        """Is this member of the session of its number one of its own?"""


class _Watched:
    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.pidfd = _pidfd(pid)

    def _close(self) -> None:
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None


class Child(_Watched):
    """Started here. Until it is reaped the kernel gives its number to no other process, so a signal sent before
    that reaches this one or nobody."""

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
        super().__init__(self._popen.pid)

    @property
    def ended(self) -> bool:
        return self._popen.poll() is not None if self.pidfd is None else _readable(self.pidfd)

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        if self._popen.returncode is None:
            with suppress(ProcessLookupError, PermissionError):  # macOS forbids it for a group that has ended
                os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> Ended:
        status = self._popen.wait()
        self._close()
        return Ended(None, -status) if status < 0 else Ended(status, None)

    def leads(self, process: psutil.Process) -> bool:
        return True


class Found(_Watched):
    """Started by an earlier daemon: our child only if that was this process before it re-executed itself.

    Somebody else may reap it at any moment, and its number go to another process. So signals go through the
    pidfd, and who else is in its session must carry its mark.
    """

    def __init__(self, identity: Identity, mark: str) -> None:
        super().__init__(identity.pid)
        self._identity = identity
        self._mark = mark
        if identify(self.pid) != identity:  # asked after opening: from here on the descriptor is this process
            self._close()

    @property
    def ended(self) -> bool:
        return identify(self.pid) != self._identity if self.pidfd is None else _readable(self.pidfd)

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            if self.pidfd is not None:
                signal.pidfd_send_signal(self.pidfd, number)
            elif not self.ended:
                os.kill(self.pid, number)

    def reap(self) -> Ended:
        if self.pidfd is None:
            return Ended(None, None)
        try:
            result = os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED)
        except ChildProcessError:
            result = None
        self._close()
        if result is None:
            return Ended(None, None)
        return Ended(result.si_status, None) if result.si_code == os.CLD_EXITED else Ended(None, result.si_status)

    def leads(self, process: psutil.Process) -> bool:
        return mark_of(process) == self._mark


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _readable(descriptor: int) -> bool:
    look = select.poll()
    look.register(descriptor, select.POLLIN)
    return bool(look.poll(0))
