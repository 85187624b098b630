"""Being a daemon: one at a time, detached, and gone without a trace."""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import msgspec

from llamactl.core.errors import LlamactlError, Refused
from llamactl.rpc.calls import Announcement


class PidFile:
    """Held by the one daemon of a runtime directory; a context manager.

    `pid start-time` (seconds since the epoch), in a file that stays locked as long as the daemon lives: a
    file without a lock is a leftover, whatever pid stands in it.
    """

    def __init__(self, path: Path, inherited: int | None = None) -> None:
        """`inherited`: the open file, where this process held it before it executed itself anew."""
        self.path = path
        self._file: int | None = None
        self._inherited = inherited

    def __enter__(self) -> "PidFile":
        """Raises `Refused` when another daemon holds it."""
        file = self._locked() if self._inherited is None else self._inherited
        while not self._in_place(file):  # its holder left and took it away between our opening and locking it
            os.close(file)
            file = self._locked()
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()} {time.time():.3f}\n".encode(), 0)
        self._file = file
        return self

    def _locked(self) -> int:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(file, 64, 0).split()
            os.close(file)
            who = f" (pid {pid[0].decode()})" if pid else ""
            raise Refused(f"a daemon is already running{who}", "llamactl daemon status") from None
        return file

    def _in_place(self, file: int) -> bool:
        """Is it still the one that the next daemon will find?"""
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(file), self.path.stat())
        return False

    def fileno(self) -> int:
        assert self._file is not None
        return self._file

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None


def announce(pipe: int | None, error: LlamactlError | None = None) -> None:
    """Say that the daemon is up, or why it will not be."""
    if pipe is None:
        return
    said = Announcement(os.getpid(), error.problem() if error else None)
    with os.fdopen(pipe, "wb") as file:
        file.write(msgspec.json.encode(said) + b"\n")


def detach(pipe: int | None, output: Path) -> None:
    """Leave the terminal and the session; what is written to stdout and stderr goes to `output`.

    Only the pipe stays open. Call it before an event loop or a thread exists.
    """
    import daemon  # python-daemon

    stream = output.open("ab", buffering=0)
    output.chmod(0o600)
    keep = [stream.fileno()] + ([] if pipe is None else [pipe])
    daemon.DaemonContext(
        files_preserve=keep, stdout=stream, stderr=stream, umask=0o077, working_directory="/", signal_map={}
    ).open()
