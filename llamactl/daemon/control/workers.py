"""Workers."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import anyio.to_thread

from llamactl.core.errors import BadRequest
from llamactl.core.lines import redacted
from llamactl.core.worker import Order
from llamactl.daemon.control.noun import Handlers
from llamactl.daemon.lending import Lending
from llamactl.daemon.workers import Life, Workers
from llamactl.logs import reading, runs
from llamactl.logs.reading import Wanted
from llamactl.logs.tail import RunTail, size, whole
from llamactl.rpc import calls
from llamactl.rpc.calls import WorkerLines, WorkerRow


class WorkerCalls:
    """`rpc.…`"""

    def __init__(self, workers: Workers, lending: Lending, runs: Callable[[str], Path]) -> None:
        """`runs` is the directory with what a worker wrote, by its address."""
        self._workers = workers
        self._lending = lending
        self._runs = runs
        self.handlers: Handlers = {
            calls.StartWorker: self._start,
            calls.StopWorkers: self._stop,
            calls.ListWorkers: self._list,
            calls.ReadWorker: self._read,
        }

    async def _start(self, call: calls.StartWorker) -> WorkerRow:
        order = Order(
            host=call.host,
            port=call.port,
            device=call.device,
            memory=call.memory,
            threads=call.threads,
            cache=call.cache,
        )
        return self._row(await self._workers.start(order, insecure=call.insecure))

    async def _stop(self, call: calls.StopWorkers) -> tuple[str, ...]:
        return await self._workers.stop(call.addresses)

    async def _list(self, _: calls.ListWorkers) -> list[WorkerRow]:
        return [self._row(life) for life in self._workers.lives()]

    async def _read(self, call: calls.ReadWorker) -> WorkerLines:
        if not re.fullmatch(r"[^/:]+:[0-9]{1,5}", call.address):
            raise BadRequest(f"not the address of a worker: {call.address!r}", "llamactl rpc ls")
        directory = self._runs(call.address)
        if call.after:
            return await anyio.to_thread.run_sync(_news, directory, call.after)
        return await anyio.to_thread.run_sync(_past, directory, call.address, call.limit, call.follow)

    def _row(self, life: Life) -> WorkerRow:
        return WorkerRow(
            address=life.order.address,
            state=life.state,
            age=time.monotonic() - life.since,
            pid=life.worker.pid if life.worker else None,
            restarts=life.restarts,
            models=tuple(self._lending.named().get(life.order.address, ())),
            log=life.log,
            problem=life.problem.problem() if life.problem else None,
        )


def _past(directory: Path, address: str, limit: int, follow: bool) -> WorkerLines:
    run = runs.of_worker(directory, address)
    end = whole(run) if follow else size(run)
    found = reading.last(reading.of_runs(address, [run], end), limit, Wanted())
    return WorkerLines([line.text for line in found], f"{run.name}:{end}")


def _news(directory: Path, after: str) -> WorkerLines:
    """Since then; of a run that is gone, from the first that is there."""
    name, _, at = after.rpartition(":")
    if not at.isdecimal():
        raise BadRequest(f"not a place in what a worker wrote: {after!r}")
    tail = RunTail(directory, next((run for run in runs.runs(directory) if run.name == name), None), int(at))
    lines = next((news for _, news in tail.chunks() if news), [])
    return WorkerLines(
        [redacted(line.decode(errors="replace")) for line in lines], f"{tail.run.name}:{tail.at}" if tail.run else after
    )
