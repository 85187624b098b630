"""How long files are kept, and how much they may take altogether."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from llamactl.logs import daily, runs


def thin_out(log: Path, age: float, total: int) -> None:
    """Remove what is older than `age` seconds, and then the oldest until all takes no more than `total` bytes.

    What is being written to is left alone: the newest files of the daemon, the newest run of each model and worker.
    Runs and their pieces go by number and by size, not by age: why a model failed months ago can still be read.
    """
    removable = []
    taken = 0
    for path, by_age, fixed in _files(log):
        with suppress(FileNotFoundError):
            found = path.stat()
            if by_age and found.st_mtime < time.time() - age:
                path.unlink()
                continue
            size = found.st_blocks * 512  # a hole takes nothing
            taken += size
            if not fixed:
                removable.append((found.st_mtime, path, size))
    for _, path, size in sorted(removable):
        if taken <= total:
            break
        path.unlink(missing_ok=True)
        taken -= size


def _files(log: Path) -> Iterator[tuple[Path, bool, bool]]:
    """Each with whether it goes by age, and whether it must stay."""
    for prefix in (daily.APPLICATION, daily.ERRORS):
        files = daily.files(log, prefix)
        yield from ((path, path != files[-1], path == files[-1]) for path in files)
    for kind in ("models", "workers"):
        for directory in (log / kind).glob("*/"):
            found = runs.runs(directory)
            for run in found:
                yield from ((piece.path, False, False) for piece in runs.pieces(run))
                yield run, False, run == found[-1]
