"""Lines of the past, out of the files: of models and of the daemon, whether it runs or not.

A source is a list of `Block`s in order, none of which is more than what fits into memory with ease. Who wants the
last lines reads from the end, who wants all of them from the beginning.
"""

import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from llamactl.core import lines
from llamactl.core.lines import LEVELS, STAMP, Level, Line
from llamactl.logs import daily, runs


class Block(NamedTuple):
    """`until`: nothing in it is newer, in seconds since the epoch."""

    until: float
    load: Callable[[], list[Line]]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines: at least of that level, not older and not newer (seconds since the epoch), with a match."""

    level: Level = "debug"
    since: float = float("-inf")
    until: float = float("inf")
    grep: re.Pattern[str] | None = None

    def takes(self, line: Line) -> bool:
        return (
            self.since <= line.time <= self.until
            and LEVELS.index(line.level) >= LEVELS.index(self.level)
            and (self.grep is None or self.grep.search(line.text) is not None)
        )


def of_runs(source: str, files: Sequence[Path], end: int | None = None) -> list[Block]:
    """Of some runs of a model, oldest first; of the last one the bytes before `end`."""
    return [
        block for run in files for block in _of_run(source, run, end if end is not None and run == files[-1] else None)
    ]


def of_daemon(source: str, directory: Path, end: int | None = None) -> list[Block]:
    """All that the daily files in this directory still have; of the last one the bytes before `end`."""
    files = daily.files(directory, daily.APPLICATION)
    return [
        Block(until, partial(_of_day, source, path, end if path == files[-1] else None))
        for path in files
        if (until := _written(path)) is not None
    ]


def forward(blocks: Sequence[Block], wanted: Wanted) -> Iterator[Line]:
    for block in blocks:
        if block.until >= wanted.since:
            yield from filter(wanted.takes, _load(block))


def last(blocks: Sequence[Block], number: int, wanted: Wanted) -> list[Line]:
    """The last so many of those that are wanted, in order."""
    found: list[Line] = []
    for block in reversed(blocks):
        if len(found) >= number or block.until < wanted.since:
            break
        found = [line for line in _load(block) if wanted.takes(line)] + found
    return found[len(found) - number :] if len(found) > number else found


def of_lines(source: str, run: Path, content: Iterable[bytes]) -> list[Line]:
    """Lines of a run as they stand in its file."""
    texts = [line.decode(errors="replace") for line in content]
    began = runs.began(run)
    stamps = (STAMP.match(text) for text in texts)
    first = next((stamp for stamp in stamps if stamp), None)
    # What comes before the first stamp of this stretch was written just before that.
    earlier = next(lines.of_run(source, began, [first.string])).time if first else None
    return [
        msgspec.structs.replace(line, text=hidden) if (hidden := lines.redacted(line.text)) != line.text else line
        for line in lines.of_run(source, began, texts, earlier)
    ]


def _load(block: Block) -> list[Line]:
    with suppress(FileNotFoundError, EOFError, zlib.error, gzip.BadGzipFile):  # thrown away since, or damaged
        return block.load()
    return []


def _of_run(source: str, run: Path, end: int | None) -> Iterator[Block]:
    until = _written(run)
    if until is None:
        return
    end = run.stat().st_size if end is None else end
    aside, start = runs.divided(run)
    for piece in aside:
        yield Block(until, partial(_of_piece, source, run, piece))
    for at in range(start, end, runs.CHUNK):
        yield Block(until, partial(_of_bytes, source, run, at, min(at + runs.CHUNK, end), at == start))


def _of_piece(source: str, run: Path, piece: runs.Piece) -> list[Line]:
    with gzip.open(piece.path) as file:
        return of_lines(source, run, file.read().splitlines())


def _of_bytes(source: str, run: Path, start: int, end: int, whole: bool) -> list[Line]:
    return of_lines(source, run, list(runs.lines(run, start, end, whole=whole)))


def _of_day(source: str, path: Path, end: int | None) -> list[Line]:
    return daily.entries(daily.content(path)[:end].splitlines(), source)


def _written(path: Path) -> float | None:
    """When it was last written to; None if it is not there."""
    with suppress(OSError):
        return path.stat().st_mtime
    return None
