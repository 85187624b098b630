"""One daemon at a time for one database."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from llamactl.core.errors import Refused, StoreFailed
from llamactl.store.failures import CHECK


class Lock:
    """Held by who may change the schema and the catalogue, from making it to `release`.

    A locked file beside the database, with the pid of its holder; a file that is not locked is a leftover. It
    keeps nobody from reading, nor from single changes: those are for SQLite's own locks. Not the database itself
    is locked: closing any handle of that would take away SQLite's.
    """

    def __init__(self, database: Path) -> None:
        """Raises `Refused` when another process holds it, `StoreFailed` when there is no place for it."""
        self.path = Path(f"{os.path.realpath(database)}.lock")
        try:
            file = self._locked(database)
            while not self._in_place(file):  # its holder left and took it away between our opening and locking it
                os.close(file)
                file = self._locked(database)
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise StoreFailed(
                f"the database {database} cannot be opened ({self.path}: {error.strerror})",
                f"the daemon's user must be able to write in {self.path.parent}; then: {CHECK}",
            ) from error
        self._file: int | None = file

    def release(self) -> None:
        """Nothing happens the second time."""
        if self._file is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def _locked(self, database: Path) -> int:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(file, 64, 0).decode("ascii", "replace").strip()
            os.close(file)
            who = f"another daemon (pid {pid})" if pid else "another daemon"
            raise Refused(
                f"{who} uses the database {database}", "stop it, or set XDG_DATA_HOME to a directory of your own"
            ) from None
        except OSError:
            os.close(file)
            raise
        return file

    def _in_place(self, file: int) -> bool:
        """Is it still the one that the next daemon will find?"""
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(file), self.path.stat())
        return False
