"""Workers."""

import time

from llamactl.core.worker import Order
from llamactl.daemon.control.noun import Handlers
from llamactl.daemon.lending import Lending
from llamactl.daemon.workers import Life, Workers
from llamactl.rpc import calls
from llamactl.rpc.calls import WorkerRow


class WorkerCalls:
    """`rpc.…`"""

    def __init__(self, workers: Workers, lending: Lending) -> None:
        self._workers = workers
        self._lending = lending
        self.handlers: Handlers = {
            calls.StartWorker: self._start,
            calls.StopWorkers: self._stop,
            calls.ListWorkers: self._list,
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
