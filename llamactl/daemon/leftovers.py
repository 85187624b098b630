"""What a daemon that is gone has left running, ended in its place."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio
import anyio.to_thread

from llamactl.config.directories import Directories
from llamactl.core.errors import Refused
from llamactl.daemon.process import PidFile
from llamactl.llamaserver import adoption
from llamactl.llamaserver.leader import Found
from llamactl.llamaserver.process import LlamaServer
from llamactl.llamaserver.session import Session
from llamactl.supervisor.runner import put_down


def put_down_left(directories: Directories) -> list[str]:
    """Who that was: `qwen3 (pid 12)`. Raises `Refused` where a daemon runs, which knows what it does.

    It is done as the user to whom the runtime directory belongs, for root as well: what stands in there is that user's
    word, and so can end no process but theirs.
    """
    return anyio.run(_put_down_left, directories)


async def _put_down_left(directories: Directories) -> list[str]:
    if not directories.runtime.is_dir():
        return []
    with _as_owner(directories.runtime):
        places = [place for place in (directories.sockets, directories.workers) if place.is_dir()]
        if not places:
            return []
        with PidFile(directories.pid_file):
            return [who for place in places for who in await put_down_in(place)]


@contextmanager
def _as_owner(directory: Path) -> Iterator[None]:
    """Be the user who has this directory. Raises `Refused` where that is somebody else, and we are not root."""
    found, me = directory.stat(), os.geteuid()
    if found.st_uid == me:
        yield
        return
    if me != 0:
        raise Refused(f"{directory} belongs to user {found.st_uid}, and this is user {me}", f"ls -ld {directory}")
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setresgid(found.st_gid, found.st_gid, group)
    os.setresuid(found.st_uid, found.st_uid, 0)  # the real one too: it is what counts for signals
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(group, group, group)
        os.setgroups(groups)


async def put_down_in(place: Path) -> list[str]:
    """The same of one directory of records, for who holds the pid file. What is stale there is removed."""
    ended: list[str] = []

    async def end(server: LlamaServer) -> None:
        ran = not server.ended
        with suppress(PermissionError):  # somebody else's, whatever its record says
            await put_down(server)
            if ran:
                ended.append(f"{server.record.model or 'a process'} (pid {server.pid})")
        server.close()

    async with anyio.create_task_group() as group:
        for record, process in await anyio.to_thread.run_sync(adoption.processes, place):
            group.start_soon(end, LlamaServer(Session(Found(process, record.endpoint)), record))
    return ended
