"""Files of one day each, `application-2026-01-31.log`: a JSON object a line, what is past compressed.

A day (of UTC) with more than fits into one file has `application-2026-01-31.001.log` and so on before that.
"""

import gzip
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from llamactl.core.lines import Level, Line

APPLICATION, ERRORS = "application", "errors"
"""The prefixes of the files with everything, and of those with what is wrong."""


class Entry(msgspec.Struct, frozen=True):
    """A record of the daemon as it is written down; `logger` is the module that it is from."""

    time: datetime
    level: Level
    logger: str
    message: str

    def line(self, source: str) -> Line:
        return Line(source, self.time.timestamp(), self.level, f"{self.logger}: {self.message}")


_ENCODE = msgspec.json.Encoder().encode
_DECODE = msgspec.json.Decoder(Entry).decode


class Daily:
    """For one thread. `write` raises `OSError`."""

    def __init__(self, directory: Path, prefix: str, size: int) -> None:
        self.size = size
        self._directory = directory
        self.prefix = prefix
        self._file: int | None = None
        self._day = ""
        self._torn = False

    def write(self, entries: Sequence[Entry], now: float) -> None:
        """All together, into the file of that day."""
        content = b"".join(_ENCODE(entry) + b"\n" for entry in entries)
        day = time.strftime("%Y-%m-%d", time.gmtime(now))
        if day != self._day or not self._in_place():
            self.close()
        if self._file is not None and os.fstat(self._file).st_size + len(content) > self.size:
            self._put_aside()
        if self._file is None:
            self._day = day
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._compress()
        if self._torn:
            content = b"\n" + content
        written = os.write(self._file, content)
        self._torn = written < len(content)
        if self._torn:
            os.write(self._file, content[written:])  # raises, and says why
            self._torn = False

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @property
    def _path(self) -> Path:
        return self._directory / f"{self.prefix}-{self._day}.log"

    def _in_place(self) -> bool:
        """Is the file still the one of that name? Somebody may have removed it."""
        with suppress(OSError):
            return self._file is not None and os.path.samestat(os.fstat(self._file), self._path.stat())
        return False

    def _put_aside(self) -> None:
        self.close()
        taken = [int(path.name.split(".")[1]) for path in self._directory.glob(f"{self.prefix}-{self._day}.[0-9]*.*")]
        self._path.rename(self._path.with_suffix(f".{max(taken, default=0) + 1:03}.log"))

    def _compress(self) -> None:
        """What is past, whoever left it."""
        for path in self._directory.glob(f"{self.prefix}-*.log"):
            if path != self._path:
                with suppress(OSError):  # tried again another day
                    compress(path)


def compress(path: Path) -> None:
    """`path` becomes `path.gz`. Whoever is killed half way leaves both; the compressed one counts."""
    packed = path.with_name(f"{path.name}.gz")
    if not packed.exists():
        new = packed.with_suffix(".new")
        try:
            with path.open("rb") as plain, gzip.open(new, "wb", 6) as compressed:
                shutil.copyfileobj(plain, compressed, 1 << 20)
            times = path.stat()
            os.utime(new, ns=(times.st_atime_ns, times.st_mtime_ns))
            new.replace(packed)
        finally:
            new.unlink(missing_ok=True)
    path.unlink()


def files(directory: Path, prefix: str) -> list[Path]:
    """Oldest first, each file once."""
    found = {}
    for ending in (".log", ".log.gz"):
        for path in directory.glob(f"{prefix}-*{ending}"):
            found[path.name.removesuffix(".gz")] = path

    return [found[name] for name in sorted(found, key=place)]


def place(name: str) -> tuple[str, str]:
    """Where among the others such a file is: its day, and its number; the newest of a day has none."""
    day, _, number = name.removesuffix(".gz").removesuffix(".log").partition(".")
    return day, number or "~"


def content(path: Path) -> bytes:
    """All of it, compressed or not."""
    with path.open("rb") as raw:
        return gzip.decompress(raw.read()) if path.suffix == ".gz" else raw.read()


def entries(lines: Sequence[bytes], source: str) -> list[Line]:
    """Lines of such a file; what a full disk has torn is left out."""
    found = []
    for line in lines:
        with suppress(msgspec.DecodeError):
            found.append(_DECODE(line).line(source))
    return found


def entry(at: float, level: Level, logger: str, message: str) -> Entry:
    return Entry(datetime.fromtimestamp(at, UTC), level, logger, message)
