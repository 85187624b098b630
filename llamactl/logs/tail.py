"""What is new in files that are being written to, across restarts and rotation. For one thread at a time."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from llamactl.core.lines import Line
from llamactl.logs import daily, runs

TICK = 50_000_000
"""Nanoseconds; Linux counts the times of files in steps of 1 to 10 ms."""


class RunTail:
    """The runs of a model, from byte `at` of `run` on; without a run: from the first on.

    A line without an end is new when it has one, or when its run has ended.
    """

    def __init__(self, directory: Path, run: Path | None, at: int = 0) -> None:
        self.run = run
        self.at = at
        self._directory = directory
        self._changed = 0

    @property
    def moved(self) -> bool:
        """Is there something new?"""
        return self._another() or (self.run is not None and size(self.run) > self.at)

    def chunks(self) -> Iterator[tuple[Path, list[bytes]]]:
        """Its lines, with their run, some at a time."""
        if self._another():
            changed = self._directory.stat().st_mtime_ns
            # Another run may begin within the same tick of the clock of files: only an old time is proof.
            self._changed = changed if time.time_ns() - changed > TICK else 0
            for run in runs.runs(self._directory):
                if self.run is None or run > self.run:
                    yield from self._rest(ended=True)
                    self.run, self.at = run, 0
        yield from self._rest(ended=False)

    def _another(self) -> bool:
        with suppress(FileNotFoundError):  # nothing has run yet
            return self._directory.stat().st_mtime_ns != self._changed
        return False

    def _rest(self, *, ended: bool) -> Iterator[tuple[Path, list[bytes]]]:
        run = self.run
        if run is None:
            return
        end = size(run)
        while self.at < end:
            reach = min(end, self.at + runs.CHUNK)
            content = runs.read(run, self.at, reach)
            taken = content.rfind(b"\n") + 1
            if (ended and reach == end) or (not taken and len(content) == runs.CHUNK):
                taken = len(content)
            if not taken and content:
                return
            self.at = reach - len(content) + taken
            yield run, content[:taken].splitlines()


class DayTail:
    """The daily files of the daemon, from byte `at` of `path` on; without a path: from the next one on."""

    def __init__(self, directory: Path, path: Path | None, at: int = 0) -> None:
        self._directory = directory
        self._file: BinaryIO | None = None
        self._day, self._number = "", 0
        if path is not None:
            self._open(path, at)

    def lines(self, source: str) -> list[Line]:
        content = self._file.readlines() if self._file else []
        if self._file and content and not content[-1].endswith(b"\n"):
            self._file.seek(-len(content.pop()), os.SEEK_CUR)
        files = daily.files(self._directory, daily.APPLICATION)
        if files and not self._is(files[-1]):
            if self._file:
                content += self._file.readlines()
            later = [path for path in files if daily.place(path.name) > self._place(files)]
            for path in later[:-1]:  # it came and was put aside between two looks
                content += daily.content(path).splitlines()
            for path in later[-1:]:
                self._open(path, 0)
                assert self._file is not None
                content += self._file.readlines()
        return daily.entries(content, source)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _open(self, path: Path, at: int) -> None:
        self.close()
        self._file = path.open("rb")
        self._file.seek(at)
        self._day = daily.place(path.name)[0]
        others = [daily.place(each.name) for each in daily.files(self._directory, daily.APPLICATION)]
        taken = [int(number) for day, number in others if day == self._day and number != "~"]
        self._number = max(taken, default=0) + 1

    def _place(self, files: list[Path]) -> tuple[str, str]:
        """Where the open file is by now: it gets a number when it is put aside, and the next one of its day begins."""
        numbered = (self._day, f"{self._number:03}")
        return numbered if numbered in [daily.place(path.name) for path in files] else (self._day, "~")

    def _is(self, path: Path) -> bool:
        with suppress(OSError):
            return self._file is not None and os.path.samestat(os.fstat(self._file.fileno()), path.stat())
        return False


def size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def whole(path: Path) -> int:
    """Bytes of its whole lines, as far as it is written now."""
    end = size(path)
    start = max(0, end - runs.TAIL)
    content = runs.read(path, start, end) if end else b""
    return end - len(content) + content.rfind(b"\n") + 1 if b"\n" in content else end
