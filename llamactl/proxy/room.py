"""Room for a large body: memory, or a file where it is a form with files in it.

Both are mapped, so that the kernel writes what arrives where it belongs, and nobody who reads a body sees a difference.
"""

import mmap
import os
import tempfile
from contextlib import suppress

from llamactl.core.errors import BadRequest
from llamactl.core.units import show_size

_STEP = 4 << 20
"""Bytes after which what has arrived is left to the file."""


class NoRoom(BadRequest):
    code, status = "no_room", 507


class Room:
    """`body` is as long as it was announced to be, `place` what is still to come of it."""

    def __init__(self, size: int, directory: str = "") -> None:
        """In a file in `directory` that has no name there, so that nothing is left whatever happens.

        Raises `NoRoom`.
        """
        self._filed = bool(directory)
        self._let_go = 0
        self.body = _file(size, directory) if directory else _memory(size)
        self.place = memoryview(self.body)

    def filled(self, count: int) -> bool:
        """So many bytes were put into `place`. True when the body is whole."""
        self.place = self.place[count:]
        arrived = len(self.body) - len(self.place)
        if self._filed and hasattr(mmap, "MADV_DONTNEED") and arrived - self._let_go >= _STEP:
            whole = arrived - arrived % mmap.PAGESIZE
            self.body.madvise(mmap.MADV_DONTNEED, self._let_go, whole - self._let_go)  # it stays in the file
            self._let_go = whole
        return not self.place


class Heap:
    """For a form that does not say how long it will be, once it has become large: such a file, which grows."""

    def __init__(self, directory: str) -> None:
        """Raises `NoRoom`."""
        try:
            with tempfile.TemporaryFile(dir=directory) as file:
                self._file = os.dup(file.fileno())
        except OSError as error:
            raise NoRoom(f"no room for a body in {directory}: {error.strerror}") from None

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    def add(self, data: bytes | bytearray) -> None:
        """Raises `NoRoom`."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise NoRoom(f"no room for more of a body: {error.strerror}") from None

    @property
    def body(self) -> mmap.mmap:
        return mmap.mmap(self._file, 0)


def _memory(size: int) -> mmap.mmap:
    """Memory that, unlike a bytearray, costs nothing before the bytes arrive. Shared pages would cost twice as much."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # Linux: 5 faults for 10 MB instead of 2,560
        with suppress(OSError):  # not for this kernel
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _file(size: int, directory: str) -> mmap.mmap:
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            if hasattr(os, "posix_fallocate"):  # a disk that is full says so now, and not by a signal later
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            return mmap.mmap(file.fileno(), size)
    except OSError as error:
        raise NoRoom(f"no room for a body of {show_size(size)} in {directory}: {error.strerror}") from None
