"""What llama-servers write: one file for each run, and the pieces of it that have been put aside.

A llama-server holds its file for as long as it runs, so the file cannot be changed for another one; what copies and
then truncates loses what is written in between. So a piece is compressed into a file of its own, and then its place
in the run's file is made a hole: bytes keep their numbers, nobody who writes or reads takes notice, and the disk
gets its blocks back. The name of a piece says which bytes it holds. Whoever is killed half way leaves bytes that are
in both, and by that name they count once.
"""

import errno
import gzip
import os
import re
import sys
import time
from calendar import timegm
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from llamactl.core.errors import NotFound

CHUNK = 1 << 20
"""Bytes that are read at once."""
TAIL = 64 * 1024
"""The last bytes of a run are never put aside: why a llama-server ended is looked for in them."""

_PUNCH_HOLE, _KEEP_SIZE = 2, 1  # linux/falloc.h
_STAMPED = re.compile(r"(\d{8}T\d{6})-(\d{9})")


class Piece(NamedTuple):
    """A compressed file with the bytes of a run from `start` to `end`, which begin and end with a line."""

    start: int
    end: int
    path: Path


def name_of(nanoseconds: int) -> str:
    """Of the file of a run that begins then. UTC: an hour that comes twice would confuse the order."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}-{rest:09}.log"


def began(run: Path) -> float:
    """When, in seconds since the epoch."""
    if match := _STAMPED.fullmatch(run.stem):
        return timegm(time.strptime(match[1], "%Y%m%dT%H%M%S")) + int(match[2]) / 1e9
    with suppress(OSError):
        return run.stat().st_mtime
    return 0.0


def runs(directory: Path) -> list[Path]:
    """Oldest first."""
    return sorted(directory.glob("*.log"))


def of_worker(directory: Path, address: str) -> Path:
    """Its last one. Raises `NotFound`."""
    if not (known := runs(directory)):
        raise NotFound(f"no log of a worker on {address}", "llamactl rpc ls")
    return known[-1]


def pieces(run: Path) -> list[Piece]:
    """Those that have been put aside, in order."""
    found = []
    for path in run.parent.glob(f"{run.stem}.*.gz"):
        start, _, end = path.name.removeprefix(f"{run.stem}.").removesuffix(".gz").partition("-")
        found.append(Piece(int(start), int(end), path))
    return sorted(found)


def begin(directory: Path, kept: int) -> Path:
    """The file that a new run writes to; of the others in the directory, all but the newest go."""
    before = runs(directory)
    for run in before[: max(0, len(before) - kept + 1)]:
        for path in (*(piece.path for piece in pieces(run)), run):
            with suppress(OSError):  # what stands in the way of it is in nobody's way
                path.unlink()
    return directory / name_of(time.time_ns())


def divided(run: Path) -> tuple[list[Piece], int]:
    """Its pieces, and the first byte that is in the file of the run itself.

    Where the pieces have been thrown away that is the end of the hole, which is asked for first: a piece that is
    made meanwhile is seen then.
    """
    start = 0
    with run.open("rb") as file, suppress(OSError, AttributeError):  # nothing but a hole; no such thing here
        start = os.lseek(file.fileno(), 0, os.SEEK_DATA)
    aside = pieces(run)
    return aside, aside[-1].end if aside else start


def read(run: Path, start: int, end: int) -> bytes:
    """These bytes of the run, wherever they are by now, but for those that have been thrown away."""
    if start >= end:
        return b""
    with run.open("rb") as file:
        content = os.pread(file.fileno(), end - start, start)
    if not content.startswith(b"\0"):
        return content
    for piece in pieces(run):
        if piece.start <= start < piece.end:
            with gzip.open(piece.path) as compressed:
                compressed.seek(start - piece.start)
                found = compressed.read(min(end, piece.end) - start)
            return found + read(run, piece.end, end)
    return content.lstrip(b"\0")


def lines(run: Path, start: int, end: int, *, whole: bool = False) -> Iterator[bytes]:
    """The lines that begin within these bytes; `whole` if the first of them does."""
    content = read(run, start - (not whole), end)
    if not whole:
        content = content[content.find(b"\n") + 1 :] if b"\n" in content else b""
    at = end
    while content and not content.endswith(b"\n") and (more := read(run, at, at + TAIL)):
        at += len(more)
        content += more[: more.find(b"\n") + 1] if b"\n" in more else more
    yield from content.splitlines()


def put_aside(run: Path, size: int) -> bool:
    """Make a piece of `size` bytes of a run, if there are so many; was there? Blocks.

    Raises `OSError`; one with `EOPNOTSUPP` where the file system knows no holes: there a file stays whole.
    """
    aside = pieces(run)
    start = aside[-1].end if aside else 0
    with run.open("r+b", buffering=0) as file:
        if os.fstat(file.fileno()).st_size - start < size + TAIL:
            return False
        last = os.pread(file.fileno(), min(size, TAIL), start + size - min(size, TAIL))
        end = start + size - (len(last) - 1 - last.rindex(b"\n") if b"\n" in last else 0)
        piece = run.parent / f"{run.stem}.{start:015}-{end:015}.gz"
        new = piece.with_suffix(".new")
        try:
            with new.open("wb") as raw, gzip.GzipFile("", "wb", 4, raw) as compressed:
                _punch(raw.fileno(), 1 << 40, CHUNK)  # can it be done here? beyond the end it does nothing
                for at in range(start, end, CHUNK):
                    compressed.write(os.pread(file.fileno(), min(CHUNK, end - at), at))
                compressed.close()
                raw.flush()
                os.fsync(raw.fileno())
            new.replace(piece)
        finally:
            new.unlink(missing_ok=True)
        _punch(file.fileno(), 0, end)
    return True


def _punch(file: int, start: int, length: int) -> None:
    if sys.platform != "linux":
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    import ctypes  # which a command that only reads does without

    library = ctypes.CDLL(None, use_errno=True)
    fallocate = getattr(library, "fallocate64", None) or library.fallocate  # musl has only one, of 64 bits
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if fallocate(file, _PUNCH_HOLE | _KEEP_SIZE, start, length):
        raise OSError(number := ctypes.get_errno(), os.strerror(number))
