"""Notices when something changes in directories, through inotify where there is such a thing (Linux)."""

import errno
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import anyio

from llamactl.catalogue.candidates import is_directory, of_interest

if TYPE_CHECKING:
    from inotify_simple import INotify

_EXHAUSTED = {
    errno.ENOSPC: "fs.inotify.max_user_watches is too low for so many directories",
    errno.EMFILE: "fs.inotify.max_user_instances is reached",
    errno.ENOMEM: "the kernel has no memory for more watches",
}

# Of <sys/inotify.h>. A file counts when its writer closes it, so IN_MODIFY, which comes with every write, is not there.
_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x8, 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _OVERFLOW, _IGNORED = 0x400, 0x800, 0x4000, 0x8000
_ONLY_DIRECTORIES, _ADD_TO_MASK, _IS_DIRECTORY = 0x1000000, 0x20000000, 0x40000000
_APPEARS = _CREATE | _MOVED_TO | _DELETE_SELF | _MOVE_SELF | _ONLY_DIRECTORIES | _ADD_TO_MASK
_ANYTHING = _APPEARS | _CLOSE_WRITE | _MOVED_FROM | _DELETE


class Watch:
    """Directories that are watched, each by itself; a context manager.

    Making one blocks for some milliseconds. `limited` says why not all changes are noticed; empty if they are.
    """

    def __init__(self) -> None:
        self.limited = ""
        self._whole: set[int] = set()
        self._awaited: dict[int, set[str]] = {}
        self._inotify: INotify | None = None
        try:
            import inotify_simple  # not there on other systems

            self._inotify = inotify_simple.INotify(nonblocking=True)
        except ImportError:
            self.limited = f"{sys.platform} has no inotify"
        except OSError as error:
            self.limited = _EXHAUSTED.get(error.errno or 0, str(error))

    def __enter__(self) -> "Watch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._inotify is not None:
            self._inotify.close()

    def add(self, directory: Path) -> None:
        """Whatever may change what models there are in it. Twice is once; one that is gone is left out."""
        watch = self._add(directory, _ANYTHING)
        if watch:
            self._whole.add(watch)

    def await_missing(self, directories: Iterable[str | Path]) -> None:
        """The coming of those that are not there, or of the next directory on the way to them."""
        for directory in map(Path, directories):
            while directory != directory.parent and not is_directory(directory):
                name, directory = directory.name, directory.parent
                if is_directory(directory) and (watch := self._add(directory, _APPEARS)):
                    self._awaited.setdefault(watch, set()).add(name)

    async def changed(self) -> None:
        """Until something has changed since this was last awaited; for ever if nothing can be noticed."""
        while self._inotify is None:
            await anyio.sleep_forever()
        while True:
            matter = [self._matters(event.wd, event.mask, event.name) for event in self._inotify.read(timeout=0)]
            if any(matter):
                return
            await anyio.wait_readable(self._inotify)

    def _add(self, directory: Path, mask: int) -> int:
        """The number of the watch; 0 if there is none."""
        if self._inotify is None:
            return 0
        try:
            return int(self._inotify.add_watch(os.fsencode(directory), mask))
        except OSError as error:
            self.limited = self.limited or _EXHAUSTED.get(error.errno or 0, "")
            return 0

    def _matters(self, watch: int, mask: int, name: str) -> bool:
        if mask & _IGNORED:
            self._whole.discard(watch)
            self._awaited.pop(watch, None)
            return False
        if mask & (_OVERFLOW | _DELETE_SELF | _MOVE_SELF):
            return True
        if name in self._awaited.get(watch, ()):
            return True
        if watch not in self._whole:
            return False
        return not name.startswith(".") if mask & _IS_DIRECTORY else of_interest(name)
