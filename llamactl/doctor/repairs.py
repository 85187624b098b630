"""Mends what may be mended without asking. Nothing of a daemon that runs, or starts meanwhile, is touched."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from llamactl.config.directories import Directories
from llamactl.core.errors import LlamactlError
from llamactl.core.finding import Finding, PutDown, Remove, Repair, SetMode
from llamactl.daemon.process import PidFile
from llamactl.llamaserver import adoption
from llamactl.llamaserver.leader import Found
from llamactl.llamaserver.process import LlamaServer
from llamactl.llamaserver.session import Session
from llamactl.supervisor.runner import put_down


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
                ended = anyio.run(_put_down, Path(directory))
            return f"cleared {directory}" + (f", ended {', '.join(ended)}" if ended else "")


async def _put_down(directory: Path) -> list[str]:
    """Who was ended."""
    ended: list[str] = []

    async def end(server: LlamaServer) -> None:
        if not server.ended:
            ended.append(f"{server.record.model or 'a process'} (pid {server.pid})")
        await put_down(server)
        server.close()

    async with anyio.create_task_group() as group:
        for record, process in await anyio.to_thread.run_sync(adoption.processes, directory):
            group.start_soon(end, LlamaServer(Session(Found(process, record.endpoint)), record))
    return ended
