"""What runs in the daemon: started in order, stopped in reverse, each up before the next one starts."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import anyio
import msgspec
from anyio.abc import TaskStatus

from llamactl.core.errors import LlamactlError
from llamactl.core.events import ServiceChanged
from llamactl.hub import Hub
from llamactl.rpc.calls import ServiceRow

log = logging.getLogger(__name__)

FIRST, LONGEST, WELL = 1.0, 60.0, 120.0
"""Seconds: the first pause before a restart, which doubles up to the longest, and how long up is well again."""


class Run(Protocol):
    """Runs until cancelled; says through `task_status` that it is up."""

    def __call__(self, *, task_status: TaskStatus[Any]) -> Awaitable[None]: ...


class Service(msgspec.Struct, frozen=True):
    """`vital`: without it the daemon would only pretend; its death takes the daemon down in good order."""

    name: str
    run: Run
    vital: bool = False


class _Keeper:
    """One service and what has become of it. It is the `task_status` that the service is given."""

    def __init__(self, service: Service, hub: Hub, clock: Callable[[], float]) -> None:
        self.service = service
        self.scope = anyio.CancelScope()
        self.up = anyio.Event()
        self.done = anyio.Event()
        self.failure: Exception | None = None
        self.restarts = 0
        self._hub = hub
        self._clock = clock
        self._pause = FIRST
        self.enter("starting")

    def started(self, value: None = None) -> None:
        self.enter("up")
        self.up.set()

    def enter(self, state: str, reason: str = "") -> None:
        self.state, self.reason, self.since = state, reason, self._clock()
        self._hub.publish(ServiceChanged(self.service.name, state, reason))

    def row(self) -> ServiceRow:
        age = self._clock() - self.since
        return ServiceRow(name=self.service.name, state=self.state, age=age, restarts=self.restarts, reason=self.reason)

    async def keep(self) -> None:
        """Until its scope is cancelled, or the service cannot be kept: then `failure` says why."""
        with self.scope:
            while await self._once():
                self.restarts += 1
                await anyio.sleep(self._pause)
                self._pause = min(self._pause * 2, LONGEST)
                self.enter("starting")
        if self.failure is None:
            self.enter("down")
        self.done.set()

    async def _once(self) -> bool:
        """One life; true if it shall have another."""
        name = self.service.name
        try:
            await self.service.run(task_status=self)
            error: Exception = LlamactlError(f"{name} ended by itself")
        except Exception as caught:  # whatever a service dies of is kept to it, logged, and shown
            error = caught
        reason = error.message if isinstance(error, LlamactlError) else repr(error)
        was_up = self.state == "up"
        if was_up and self._clock() - self.since >= WELL:
            self._pause = FIRST
        if self.service.vital or not self.up.is_set():
            self.failure = error
            self.enter("down", reason)
            return False
        log.error("service %s died: %s; restarting in %g s", name, reason, self._pause, exc_info=error)
        self.enter("restarting", reason)
        return True


class Services:
    def __init__(self, services: Sequence[Service], hub: Hub, clock: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._hub = hub
        self._clock = clock
        self._keepers: list[_Keeper] = []
        self._stop = anyio.Event()

    def rows(self) -> list[ServiceRow]:
        return [keeper.row() for keeper in self._keepers]

    def stop(self) -> None:
        self._stop.set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    async def ending(self) -> None:
        """Return once it is to stop."""
        await self._stop.wait()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until `stop`; raises what a service died of if the daemon cannot go on without it.

        `LlamactlError` when it is told to stop before everything is up.
        """
        complete = False
        async with anyio.create_task_group() as group:
            try:
                for service in self._services:
                    keeper = _Keeper(service, self._hub, self._clock)
                    self._keepers.append(keeper)
                    group.start_soon(self._watched, keeper)
                    await _first(keeper.up, self._stop)
                    if self._stop.is_set():
                        break
                else:
                    complete = True
                    task_status.started()
                await self._stop.wait()
            finally:
                with anyio.CancelScope(shield=True):
                    for keeper in reversed(self._keepers):
                        keeper.scope.cancel()
                        await keeper.done.wait()
        for keeper in self._keepers:
            if keeper.failure is not None:
                raise keeper.failure
        if not complete:
            raise LlamactlError("told to stop before everything was up")

    async def _watched(self, keeper: _Keeper) -> None:
        # Shielded: a cancelled daemon, too, stops its services one by one and in order.
        with anyio.CancelScope(shield=True):
            await keeper.keep()
        if keeper.failure is not None:
            self._stop.set()


async def _first(*events: anyio.Event) -> None:
    async with anyio.create_task_group() as group:

        async def wait(event: anyio.Event) -> None:
            await event.wait()
            group.cancel_scope.cancel()

        for event in events:
            group.start_soon(wait, event)
