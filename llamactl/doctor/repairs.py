"""Mends what may be mended without asking. Nothing of a daemon that runs, or starts meanwhile, is touched."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import msgspec

from llamactl.config.directories import Directories
from llamactl.core.errors import LlamactlError
from llamactl.core.finding import Finding, PutDown, Remove, Repair, SetMode
from llamactl.daemon.leftovers import put_down_in
from llamactl.daemon.process import PidFile


def repair(findings: Iterable[Finding], directories: Directories) -> Iterator[tuple[Finding, str]]:
    """Each finding, mended if it can be, and what was done; raises nothing: what fails is said.

    Modes are set at once; the rest belongs to who holds the pid file, as every daemon does.
    """
    done: dict[Repair, str] = {}
    for finding in findings:
        if finding.repair is None:
            yield finding, ""
            continue
        if finding.repair not in done:
            try:
                done[finding.repair] = _perform(finding.repair, directories)
            except (LlamactlError, OSError) as error:
                yield finding, f"not mended: {finding.message}: {error}"
                continue
        yield msgspec.structs.replace(finding, repaired=True), done[finding.repair]


def _perform(repair: Repair, directories: Directories) -> str:
    match repair:
        case SetMode(path, mode):
            Path(path).chmod(mode)
            return f"set the mode of {path} to {mode:04o}"
        case Remove(path):
            with PidFile(directories.pid_file), suppress(FileNotFoundError):
                Path(path).unlink()
            return f"removed {path}"
        case PutDown(directory):
            with PidFile(directories.pid_file):
                ended = anyio.run(put_down_in, Path(directory))
            return f"cleared {directory}" + (f", ended {', '.join(ended)}" if ended else "")
