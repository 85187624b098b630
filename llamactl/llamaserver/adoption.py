"""Finds again what an earlier daemon left running.

What is ours is known by its record (number, start time and boot of the process, and what it executes) or, where
the daemon was killed before it could write that down, by the mark in its environment. Nothing else is ever
signalled.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import anyio
import anyio.to_thread
import msgspec

from llamactl.llamaserver import identity, records
from llamactl.llamaserver.identity import Identity
from llamactl.llamaserver.leader import Found
from llamactl.llamaserver.process import LlamaServer
from llamactl.llamaserver.records import Record
from llamactl.llamaserver.session import Session

PATIENCE = 0.5
"""Seconds for all to answer; a healthy one takes a millisecond. Who has not may still be waited for elsewhere."""

State = Literal["serves", "loads", "silent", "gone"]


class Left(msgspec.Struct, frozen=True):
    """A llama-server that an earlier daemon started, and what it does.

    `silent`: it did serve, and does not answer now. `gone`: it has ended; others of its session may not have.
    """

    server: LlamaServer
    state: State


async def find(sockets: Path) -> list[Left]:
    """All that was left in this directory, those that serve first. What is stale there is removed."""
    left: list[Left] = []

    async def look(record: Record, process: Identity) -> None:
        server = LlamaServer(Session(Found(process, record.endpoint)), record)
        left.append(Left(server, await _state(server)))

    async with anyio.create_task_group() as group:
        for record, process in await anyio.to_thread.run_sync(processes, sockets):
            group.start_soon(look, record, process)
    order = ("serves", "loads", "silent", "gone")
    return sorted(left, key=lambda each: (order.index(each.state), each.server.record.launched))


async def _state(server: LlamaServer) -> State:
    if server.ended:
        return "gone"
    with anyio.move_on_after(PATIENCE):
        if await server.healthy():
            return "serves"
    return "loads" if server.record.served is None else "silent"


def processes(sockets: Path) -> list[tuple[Record, Identity]]:
    """Every record with its process, alive or not, and every process with a mark of ours and no record."""
    marked = identity.marked(sockets)
    known = {record.endpoint: record for record in records.read(sockets)}
    found = []
    for endpoint in known.keys() | marked.keys():
        record = known.get(endpoint) or _unknown(endpoint)
        process = _recorded(record) if record.process else _marked(marked.get(endpoint, []))
        if process is not None:
            found.append((record, process))
    ours = {Path(record.endpoint).stem for record, _ in found}
    for stale in sockets.iterdir():
        if stale.stem not in ours:
            with suppress(OSError):
                stale.unlink()
    return found


def _unknown(endpoint: str) -> Record:
    """Of what has a mark and is not written down: of what use it is cannot be told."""
    return Record(model="", path="", endpoint=endpoint, run_file="", begins=0, launched=0.0, unwanted=True)


def _recorded(record: Record) -> Identity | None:
    """Who it was; None if that was before the machine was started again."""
    process = record.process
    if process is None or process.boot != identity.boot():
        return None
    if record.executable and identity.executable(process.pid) not in (record.executable, ""):
        return _ended(process.pid)
    return process


def _marked(pids: Sequence[int]) -> Identity | None:
    """Who leads the session of those with one mark."""
    for pid in pids:
        with suppress(OSError):  # it has ended since
            leader = os.getsid(pid)
            process = identity.identify(leader)
            if leader in pids:
                return process
            if process is None:
                return _ended(leader)
    return None


def _ended(pid: int) -> Identity:
    """Nobody: only what is left of the session of that number."""
    return Identity(pid, "", identity.boot())
