"""A file replaced as a whole or not at all."""

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from llamactl.config import sources
from llamactl.core.errors import Forbidden, LlamactlError, Refused


def rewrite(path: Path, change: Callable[[str], str]) -> bool:
    """Put what `change` makes of the text of the file into its place; whether that is another.

    The file need not be there: it begins as an empty one, and is made with mode 0600. One that is there keeps
    mode and owner, and where it is a link, that stays. Nobody else who calls this changes it meanwhile. Raises
    what `change` raises, `Forbidden` where this user may not, `Refused` for what is no file.
    """
    path = path.resolve()
    try:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        with _alone(path.parent):
            found = path.stat() if path.exists() else None
            if found is not None and not stat.S_ISREG(found.st_mode):
                raise Refused(f"{path} is not a file", f"ls -ld {path}")
            before = sources.text(path) or ""
            after = change(before)
            if found is not None and after == before:
                return False
            _put(path, after.encode(), found)
    except PermissionError:
        raise Forbidden(f"may not write {path}", f"ls -ld {path.parent} {path}") from None
    except OSError as error:
        raise LlamactlError(f"cannot write {path}: {error.strerror}", f"df -h {path.parent}") from None
    return True


def _put(path: Path, content: bytes, like: os.stat_result | None) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            made = os.fstat(file.fileno())
            if like is not None:
                if (made.st_uid, made.st_gid) != (like.st_uid, like.st_gid):
                    os.fchown(file.fileno(), like.st_uid, like.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    with _opened(path.parent) as directory:
        os.fsync(directory)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One at a time, where the file system can do that."""
    with _opened(directory) as handle:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(directory: Path) -> Iterator[int]:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)
