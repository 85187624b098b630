"""Who waits for a lease, and the lives of the llama-servers that they wait for.

What the scheduler decides is done here: `_perform`. Each llama-server lives in a coroutine of its own, which tells
what becomes of it; that goes back to the scheduler.
"""

import time
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Literal

import anyio
import anyio.lowlevel
import msgspec
from anyio import CancelScope
from anyio.abc import TaskGroup, TaskStatus

from llamactl.core.errors import DoesNotFit, LlamactlError, NotRunning, from_problem
from llamactl.core.events import InstanceChanged, Placement
from llamactl.core.instance import (
    Adopted,
    Alive,
    Backoff,
    Gone,
    Loading,
    Move,
    Ready,
    Stopping,
    Unwanted,
    Wanted,
    advance,
    pid_of,
)
from llamactl.core.model import Model
from llamactl.core.restart import Policy
from llamactl.core.scheduler import Effect, Grant, Limits, Refuse, Resident, Start, State, Stop
from llamactl.hub import Hub
from llamactl.supervisor.lease import Entry, Lease, Waiter
from llamactl.supervisor.overview import Overview
from llamactl.supervisor.recovery import Postponed, condemned, lacked_memory, with_numbers
from llamactl.supervisor.runner import live, outlive
from llamactl.supervisor.server import Launcher, Server


class Lives(Overview):
    """See `supervisor.Supervisor`, which is this and what others may ask of it."""

    def __init__(
        self,
        launch: Launcher,
        hub: Hub,
        limits: Limits,
        need: Callable[[Model], dict[str, int]],
        budget: Callable[[list[int]], dict[str, int]] | None = None,
        *,
        ttl: float = -1.0,
        load_timeout: float = 600.0,
        hold: float = 1.0,
        restart: Policy | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(hub, limits, clock)
        self._launch = launch
        self._need = need
        self._budget = budget
        self._ttl = ttl
        self._load_timeout = load_timeout
        self._hold = hold
        self._restart = restart or Policy()
        self._waiters: dict[int, Waiter] = {}
        self._tickets = count(1)
        self._group: TaskGroup | None = None
        self._alarm = anyio.Event()
        self._armed = float("inf")  # when the next tick is due
        self._adopted: list[tuple[Entry, Server, float]] = []
        self.keeps = False
        """The llama-servers are to outlive the daemon: `run` leaves them when it ends."""

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; then every instance is put down before this returns, unless it `keeps` them."""
        async with anyio.create_task_group() as group:
            self._group = group
            for instance, server, load_timeout in self._adopted:
                group.start_soon(self._outlive, instance, server, load_timeout)
            for instance in self._instances.values():
                if isinstance(instance.phase, Backoff):  # remembered
                    group.start_soon(self._come_back, instance, instance.phase)
            task_status.started()
            try:
                await self._keep_time()
            finally:
                self._group = None
                for name, instance in self._instances.items():
                    self._scheduler.retire(name, self._clock())  # no more leases; what else it wants is void
                    alive = isinstance(instance.phase, Alive) and not isinstance(instance.phase, Stopping)
                    if alive and not self.keeps:
                        self._move(instance, Unwanted(self._clock(), "the daemon is stopping"))
                        self._revoke(instance)
                    self._no_more(instance, "the daemon is stopping")
                for waiter in self._waiters.values():
                    self._decide(waiter, error=NotRunning("the daemon is stopping", "llamactl daemon status"))

    async def _keep_time(self) -> None:
        while True:
            due = self._scheduler.wake_at(self._clock())
            self._armed = float("inf") if due is None else due
            self._alarm = anyio.Event()
            if due is None:
                await self._alarm.wait()
            else:
                with anyio.move_on_after(due - self._clock()):
                    await self._alarm.wait()
                if self._clock() >= due:
                    self._refresh_budget()
                    self._perform(self._scheduler.tick(self._clock()))

    def adopt(
        self, model: Model, server: Server, phase: Loading | Ready | Stopping, why: str, load_timeout: float
    ) -> None:
        """Before `run`: this llama-server of an earlier daemon is the model's. Its idleness begins now."""
        instance = self._instance(model)
        instance.server, instance.endpoint = server, server.endpoint
        state: State = "ready" if isinstance(phase, Ready) else "starting"
        if isinstance(phase, Stopping):
            state = "stopping"
            instance.scope.cancel()
        if model.pinned:
            self._scheduler.pin(model.name)
        ttl = self._ttl if model.ttl is None else model.ttl
        self._scheduler.adopt(model.name, self._need(model), self._clock(), ttl, state)
        self._move(instance, Adopted(phase), why)
        self._adopted.append((instance, server, load_timeout))

    def _running(self) -> TaskGroup:
        """For what goes on by itself; raises `NotRunning` where nothing is begun any more."""
        if self._group is None:
            raise NotRunning("the daemon is stopping", "llamactl daemon status")
        return self._group

    # --- who waits -------------------------------------------------------------------------------

    async def _lease(self, model: Model, ttl: float | None = None, priority: int = 0) -> Lease:
        self._running()
        ticket, waiter = next(self._tickets), Waiter()
        self._waiters[ticket] = waiter
        self._refresh_budget()
        if ttl is None:
            ttl = self._ttl if model.ttl is None else model.ttl
        if model.pinned:
            self._scheduler.pin(model.name)
        need, now = self._need(model), self._clock()
        self._perform(self._scheduler.request(ticket, model.name, need, now, ttl, priority))
        if self._scheduler.waiting(model.name) == 1 and model.name not in self._scheduler.residents:
            wait = self._scheduler.wait(model.name, now)
            self._placed(model.name, "wait", "" if wait is None else wait.reason)
        self._alarm.set()  # it comes of age, even if nothing could be done for it now
        try:
            await waiter.decided.wait()
        except BaseException:
            if waiter.lease is not None:
                waiter.lease.release()
            elif waiter.error is None:
                self._refresh_budget()
                self._perform(self._scheduler.cancel(ticket, self._clock()))
            raise
        finally:
            del self._waiters[ticket]
            if waiter.lease is None and not isinstance(waiter.error, Postponed):
                self._gave_up(model.name)
        if isinstance(waiter.error, Postponed):
            raise waiter.error
        if waiter.error is not None:
            if isinstance(waiter.error, DoesNotFit):
                self._placed(model.name, "refuse", waiter.error.message)
            raise from_problem(waiter.error.problem())
        assert waiter.lease is not None
        return waiter.lease

    def _released(self, resident: Resident, fresh: bool = False) -> None:
        now = self._clock()
        if self._waiters and resident.leases == 1:  # it may be evicted for one of them
            self._refresh_budget()
        effects = self._scheduler.release(resident, now, fresh)
        if effects:
            self._perform(effects)
        if self._quiet is not None and not resident.leases:
            self._quiet.set()
            self._quiet = None
        if not resident.leases and resident.ttl >= 0 and now + resident.ttl < self._armed:
            self._alarm.set()

    # --- effects ---------------------------------------------------------------------------------

    def _perform(self, effects: list[Effect]) -> None:
        if self._group is None:
            return  # everything is being put down; waiters have been told
        for effect in effects:
            match effect:
                case Grant(ticket, name):
                    lease = Lease(self, self._instances[name], self._scheduler.residents[name])
                    self._decide(self._waiters[ticket], lease=lease)
                case Refuse(ticket, error):
                    self._decide(self._waiters[ticket], error=error)
                case Start(name, details):
                    self._placed(name, "start", details)
                    self._start(self._instances[name])
                case Stop(name, why, details):
                    instance = self._instances[name]
                    self._placed(name, "stop", f"{why}: {details}" if details else why)
                    self._move(instance, Unwanted(self._clock(), why))
                    self._revoke(instance)
                    instance.scope.cancel()
        if effects:
            self._alarm.set()

    def _placed(self, name: str, action: Literal["start", "stop", "refuse", "wait"], reason: str) -> None:
        self._instances[name].decision = reason
        self._hub.publish(Placement(name, action, reason))

    def _decide(self, waiter: Waiter, lease: Lease | None = None, error: LlamactlError | None = None) -> None:
        if waiter.lease is None and waiter.error is None:
            waiter.lease, waiter.error = lease, error
            waiter.decided.set()

    def _start(self, instance: Entry) -> None:
        self._move(instance, Wanted(self._clock()))
        instance.scope = CancelScope()
        instance.settled = anyio.Event()
        assert self._group is not None
        self._group.start_soon(self._live, instance, name=f"llama-server {instance.model.name}")

    async def _live(self, instance: Entry) -> None:
        with instance.scope:
            await live(
                instance.model,
                self._launch,
                partial(self._told, instance),
                self._load_timeout,
                self._clock,
                lambda: self.keeps,
            )

    async def _outlive(self, instance: Entry, server: Server, load_timeout: float) -> None:
        ready, tell = not isinstance(instance.phase, Loading), partial(self._told, instance)
        with instance.scope:
            await outlive(instance.model, server, tell, load_timeout, self._clock, lambda: self.keeps, ready=ready)

    def _told(self, instance: Entry, move: Move, server: Server | None) -> None:
        name, before, now = instance.model.name, instance.phase, self._clock()
        instance.server = server
        if server is not None:
            instance.endpoint = server.endpoint
        if isinstance(before, Stopping) and not isinstance(move, Gone):
            return  # it was told to stop while it was being spawned; that is under way
        if isinstance(move, Gone) and not isinstance(before, Stopping):
            move = condemned(move, instance.wedged, instance.bereft)
            instance.wedged, instance.bereft = None, ""
            resident, pinned = self._scheduler.residents[name], name in self._scheduler.pinned
            move = instance.recovery.judge(self._restart, move, before, resident, pinned=pinned)
            if lacked_memory(move) and not isinstance(before, Ready):
                move = with_numbers(move, resident.need, self._scheduler.free())
        self._move(instance, move)
        self._refresh_budget()
        if isinstance(move, Gone):
            instance.settled.set()  # first: it may be started again by what follows
            self._perform(self._scheduler.gone(name, now, instance.recovery.error(instance.phase, now)))
            if isinstance(instance.phase, Backoff) and self._group is not None:
                if lacked_memory(move) and not isinstance(before, Ready):
                    self._perform(self._scheduler.clear(name, now))
                self._group.start_soon(self._come_back, instance, instance.phase)
        elif isinstance(instance.phase, Ready):
            self._perform(self._scheduler.ready(name, now))
        self._alarm.set()  # nobody may be there for it any more: then its idleness has begun

    async def _come_back(self, instance: Entry, phase: Backoff) -> None:
        """When its pause is over it is started again, if it is still wanted."""
        await instance.recovery.pause(phase.until - self._clock())
        if instance.phase is not phase:
            return  # it was started or stopped meanwhile
        if instance.recovery.go_on():
            for _ in range(2):  # all who wait have their turn: they ask again now, or leave at this very moment
                await anyio.lowlevel.checkpoint()
            if instance.phase is not phase or self._scheduler.waiting(instance.model.name):
                return
        self._refresh_budget()
        why = instance.recovery.objection(self._need(instance.model), self._scheduler, self._clock())
        try:
            if not why:
                (await self._lease(instance.model)).release()
        except Postponed:
            return  # it has died again
        except LlamactlError as error:
            why = error.message
        if why and instance.phase is phase:
            self._no_more(instance, why)

    def _gave_up(self, name: str) -> None:
        """Who waited is gone. If its pause is over, its start was left to him: is it to come back all the same?"""
        instance = self._instances.get(name)
        if instance is None or self._group is None or self._scheduler.waiting(name) or instance.recovery.waiting:
            return
        if isinstance(instance.phase, Backoff) and instance.phase.until <= self._clock():
            self._group.start_soon(self._come_back, instance, instance.phase)

    def _no_more(self, instance: Entry, why: str) -> bool:
        """If it waits to be started again, it does so no longer; did it?"""
        waits = isinstance(instance.phase, Backoff)
        if waits:
            self._move(instance, Unwanted(self._clock(), why))
        return waits

    def _move(self, instance: Entry, move: Move, reason: str = "") -> None:
        if isinstance(instance.phase, Backoff):
            instance.recovery.over.set()
            instance.recovery.restarts += isinstance(move, Wanted)
        instance.phase = advance(instance.phase, move)
        self._hub.publish(InstanceChanged(instance.model.name, instance.phase, reason))

    def _revoke(self, instance: Entry) -> None:
        for waiter in self._waiters.values():
            if waiter.lease is not None and waiter.lease in instance.leases:  # nobody has woken up to it yet
                waiter.lease.release()
                waiter.lease, waiter.error = None, NotRunning(f"{instance.model.name} was stopped", retry_after=1.0)
        for lease in list(instance.leases):
            hook, lease.on_revoked = lease.on_revoked, None
            if hook is not None:
                hook()

    def _refresh_budget(self) -> None:
        if self._budget is not None:
            pids = [pid for instance in self._instances.values() if (pid := pid_of(instance.phase))]
            self._scheduler.limits = msgspec.structs.replace(self._scheduler.limits, budget=self._budget(pids))

    def _instance(self, model: Model) -> Entry:
        instance = self._instances.get(model.name)
        if instance is None:
            instance = self._instances[model.name] = Entry(model)
        instance.model = model
        return instance
