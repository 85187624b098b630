"""What a daemon that is gone has left running, ended in its place."""

from pathlib import Path

import anyio
import anyio.to_thread

from llamactl.config.directories import Directories
from llamactl.daemon.process import PidFile
from llamactl.llamaserver import adoption
from llamactl.llamaserver.leader import Found
from llamactl.llamaserver.process import LlamaServer
from llamactl.llamaserver.session import Session
from llamactl.supervisor.runner import put_down


def put_down_left(directories: Directories) -> list[str]:
    """Who that was: `qwen3 (pid 12)`. Raises `Refused` where a daemon runs, which knows what it does."""
    places = [place for place in (directories.sockets, directories.workers) if place.is_dir()]
    if not places:
        return []
    with PidFile(directories.pid_file):
        return [who for place in places for who in anyio.run(put_down_in, place)]


async def put_down_in(place: Path) -> list[str]:
    """The same of one directory of records, for who holds the pid file. What is stale there is removed."""
    ended: list[str] = []

    async def end(server: LlamaServer) -> None:
        if not server.ended:
            ended.append(f"{server.record.model or 'a process'} (pid {server.pid})")
        await put_down(server)
        server.close()

    async with anyio.create_task_group() as group:
        for record, process in await anyio.to_thread.run_sync(adoption.processes, place):
            group.start_soon(end, LlamaServer(Session(Found(process, record.endpoint)), record))
    return ended
