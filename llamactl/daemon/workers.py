"""The workers of this machine: kept running until somebody stops them, and found again by the next daemon."""

import logging
import random
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskGroup, TaskStatus

from llamactl.config.sections import Config
from llamactl.core.errors import LlamactlError, LoadFailed, NotFound, NotRunning, Refused
from llamactl.core.exits import Kind
from llamactl.core.restart import Again, Policy, Record, judge
from llamactl.core.worker import Order, checked
from llamactl.daemon.launch import new_run
from llamactl.llamaserver import adoption, workers
from llamactl.llamaserver.leader import Found
from llamactl.llamaserver.locate import Engine
from llamactl.llamaserver.session import Session
from llamactl.llamaserver.workers import Worker
from llamactl.rpc.calls import WorkerState
from llamactl.supervisor.runner import becomes_ready, put_down

log = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds until it listens; it says nothing meanwhile, and a driver may be slow."""


class Life:
    """One worker and what has become of it."""

    def __init__(self, order: Order, clock: Callable[[], float]) -> None:
        self.order = order
        self.restarts = 0
        self.worker: Worker | None = None
        self.log = ""
        self.scope = anyio.CancelScope()
        self.settled = anyio.Event()
        self.over = anyio.Event()
        self.record = Record()
        self._clock = clock
        self.enter("starting")

    def enter(self, state: WorkerState, problem: LlamactlError | None = None) -> None:
        self.state, self.problem, self.since = state, problem, self._clock()
        if state != "starting":
            self.settled.set()


class Workers:
    """`engine` is the llama-server whose build they are of, `ready` is told of each that listens, `lost` of each that
    did and has ended.

    Where they are `kept`, they go on when this ends.
    """

    def __init__(
        self,
        config: Callable[[], Config],
        policy: Callable[[], Policy],
        engine: Callable[[], Engine],
        ready: Callable[[str], Coroutine[Any, Any, None]],
        lost: Callable[[str], None],
        kept: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._policy = policy
        self._engine = engine
        self._ready = ready
        self._lost = lost
        self._kept = kept
        self._clock = clock
        self._group: TaskGroup | None = None
        self._lives: dict[str, Life] = {}

    def lives(self) -> list[Life]:
        return [self._lives[address] for address in sorted(self._lives)]

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        self._lives.clear()
        try:
            async with anyio.create_task_group() as group:
                await self._adopt(group)
                self._group = group
                task_status.started()
                await anyio.sleep_forever()
        finally:
            self._group = None

    async def start(self, order: Order, *, insecure: bool) -> Life:
        """Returns when it listens. Raises `LoadFailed` when it does not, `Refused`, `BadRequest`, `NotFound`."""
        order = checked(order, insecure=insecure)
        await workers.command(workers.tool(self._engine()), order)  # what cannot be is not begun
        if self._group is None:
            raise NotRunning("the daemon is stopping", "llamactl daemon status")
        life = self._lives.get(order.address)
        if life is not None and life.state == "failed":
            life = None
        elif life is not None and life.order != order:
            raise Refused(
                f"a worker with other options runs on {order.address}", f"llamactl rpc stop {order.address}, and again"
            )
        if life is None:
            life = self._lives[order.address] = Life(order, self._clock)
            self._group.start_soon(self._live, life, None)
        await life.settled.wait()
        if life.problem is not None:
            raise life.problem
        return life

    async def stop(self, addresses: tuple[str, ...] = ()) -> tuple[str, ...]:
        """All of them, if none is named; raises `NotFound`. Returns when they are gone."""
        for address in addresses:
            if address not in self._lives:
                raise NotFound(f"no worker runs on {address}", "llamactl rpc ls")
        chosen = addresses or tuple(sorted(self._lives))
        for address in chosen:
            self._lives[address].enter("stopping")
            self._lives[address].scope.cancel()
        for address in chosen:
            if life := self._lives.get(address):
                await life.over.wait()
                self._lives.pop(address, None)
        return chosen

    # --- inside -----------------------------------------------------------------------------------

    async def _adopt(self, group: TaskGroup) -> None:
        """What an earlier daemon left running goes on; models may be computing with it."""
        for record, process in await anyio.to_thread.run_sync(adoption.processes, self._config().directories.workers):
            worker = Worker(Session(Found(process, record.endpoint)), record)
            try:
                order = None if record.unwanted else worker.order
            except msgspec.DecodeError:
                order = None
            if order is None or order.address in self._lives:
                log.warning("a worker (pid %d) is of no use any more: stopping it", worker.pid)
                group.start_soon(self._end, worker)
                continue
            log.info("the worker %s (pid %d) was left by an earlier daemon", order.address, worker.pid)
            life = self._lives[order.address] = Life(order, self._clock)
            group.start_soon(self._live, life, worker)

    async def _live(self, life: Life, worker: Worker | None) -> None:
        """Until it is stopped, or cannot be kept running."""
        with life.scope:
            while await self._once(life, worker):
                worker = None
        life.over.set()

    async def _once(self, life: Life, worker: Worker | None) -> bool:
        """One process, from its start to its end; true if there shall be another."""
        kind: Kind = "refused"
        served: float | None = None
        try:
            running = worker or await self._launch(life)
            life.worker, life.log = running, running.record.run_file
            kind, served, reason = await self._outlive(life, running)
            ended = "could not be started" if served is None else "ended"
            error: LlamactlError = LoadFailed(f"the worker {life.order.address} {ended}: {reason}", f"see {life.log}")
        except LlamactlError as caught:
            error = caught
        life.worker = None
        life.record, verdict = judge(self._policy(), life.record, kind, self._clock(), served, random.random())
        if isinstance(verdict, Again):
            life.enter("backoff", error)
            log.warning("%s; it is started again", error.message)
            life.restarts += 1
            await anyio.sleep(verdict.at - self._clock())
            return True
        log.error("%s", error.message)
        life.enter("failed", error)
        return False

    async def _outlive(self, life: Life, worker: Worker) -> tuple[Kind, float | None, str]:
        """Why it ended, after how many seconds of service, and in words. Cancelled, it is put down."""
        served: float | None = None
        listens = stalled = False
        try:
            listens, stalled = await becomes_ready(worker, PATIENCE, self._clock)
            if listens:
                began = self._clock()
                life.enter("ready")
                async with anyio.create_task_group() as group:
                    group.start_soon(self._ready, life.order.address)
                    await worker.wait()
                    group.cancel_scope.cancel()
                served = self._clock() - began
        finally:
            if not self._kept():
                await self._end(worker)
                if listens:
                    self._lost(life.order.address)
        exit = await worker.wait()
        return ("stalled", None, "it does not listen") if stalled else (exit.kind, served, exit.reason)

    async def _launch(self, life: Life) -> Worker:
        life.enter("starting")
        config, order = self._config(), life.order
        mark = str(config.directories.workers / f"{secrets.token_hex(6)}.sock")
        run_file = new_run(config.directories.worker_runs(order.address), config.logging.runs)
        with anyio.CancelScope(shield=True):
            worker = await workers.launch(workers.tool(self._engine()), order, mark, run_file)
        return worker

    async def _end(self, worker: Worker) -> None:
        with anyio.CancelScope(shield=True):
            await put_down(worker)
            worker.close()
