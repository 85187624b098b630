"""Leases on running models.

Whoever wants to use a model takes a lease and gets an endpoint or an error; while the lease is out the
model is not stopped. Everything between a call and its effects happens without awaiting, so there is no
lock: the scheduler decides, `_perform` does it, each llama-server lives in a coroutine of its own.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Literal

import anyio
import anyio.lowlevel
import msgspec
from anyio import CancelScope
from anyio.abc import TaskGroup, TaskStatus

from llamactl.core.errors import DoesNotFit, LlamactlError, NotRunning, Refused, from_problem
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
    state,
)
from llamactl.core.model import Model
from llamactl.core.outlook import Outlook, outlook
from llamactl.core.reconfigure import reconfigure
from llamactl.core.restart import Policy
from llamactl.core.scheduler import Effect, Grant, Limits, Refuse, Resident, Start, State, Stop
from llamactl.hub import Hub
from llamactl.supervisor.lease import Entry, Lease, Waiter
from llamactl.supervisor.overview import Overview
from llamactl.supervisor.recovery import Postponed, condemned, lacked_memory, with_numbers
from llamactl.supervisor.runner import live, outlive
from llamactl.supervisor.server import Launcher, Server


class Supervisor(Overview):
    """See the module.

    `need` says what memory a model will take, `budget` what all may take together (both bytes per
    device); the budget is asked again before each decision that may start something. `ttl` and
    `load_timeout` are seconds; after a failed load the same failure is answered for `hold` seconds
    without another try. `restart` is what becomes of instances that die. `clock` is monotonic, in seconds.
    """

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

    def configure(
        self,
        limits: Limits,
        budget: Callable[[list[int]], dict[str, int]] | None = None,
        *,
        ttl: float,
        load_timeout: float,
        hold: float,
        restart: Policy | None = None,
    ) -> None:
        """Other rules than it was made with: what waits may go on by them, what is loaded stays for its new `ttl`."""
        times = self._ttl, ttl
        self._budget, self._ttl, self._load_timeout, self._hold = budget, ttl, load_timeout, hold
        self._restart = restart or Policy()
        self._scheduler.limits = limits
        self._refresh_budget()
        self._perform(reconfigure(self._scheduler, self._scheduler.limits, times, self._clock()))
        self._alarm.set()

    # --- life ------------------------------------------------------------------------------------

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; then every instance is put down before this returns, unless it `keeps` them."""
        async with anyio.create_task_group() as group:
            self._group = group
            for instance, server, load_timeout in self._adopted:
                group.start_soon(self._outlive, instance, server, load_timeout)
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
                    self._decide(waiter, error=NotRunning("the daemon is stopping"))

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

    # --- leases ----------------------------------------------------------------------------------

    def try_lease(self, name: str) -> Lease | None:
        """A lease right now, without awaiting; None when the model does not serve at this moment."""
        resident = self._scheduler.admit(name)
        return None if resident is None else Lease(self, self._instances[name], resident)

    async def lease(self, model: Model, *, anew: bool = False, ttl: float | None = None, priority: int = 0) -> Lease:
        """A lease as soon as it can be had: the model is started, others evicted, as memory allows.

        `ttl`: seconds of idleness, for this run, instead of what is set. Higher `priority` first. `anew`: not held
        back by a failure. Raises `LoadFailed`, `DoesNotFit`, `QueueFull`, `Draining` or `NotRunning`.
        """
        lease = self.try_lease(model.name)
        if lease is not None:
            return lease
        instance = self._instance(model)
        if anew:
            instance.recovery.forgive()
        while True:
            if not anew and self._group is not None:
                queue = self._scheduler.limits.queue_per_model
                await instance.recovery.may_start(lambda: instance.phase, self._clock, self._hold, queue)
            anew = False
            with suppress(Postponed):
                return await self._lease(model, ttl, priority)

    async def _lease(self, model: Model, ttl: float | None = None, priority: int = 0) -> Lease:
        if self._group is None:
            raise NotRunning("the daemon is stopping")
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

    # --- what people ask for ---------------------------------------------------------------------

    async def start(self, model: Model, ttl: float | None = None) -> None:
        """Ready, or an error. A model that failed before is tried again at once.

        `ttl`: seconds of idleness, for this run, instead of what is set. Where that is 0, the model stays for a
        while all the same: nobody starts a model by name so that it is gone when it is to be used.
        """
        lease = await self.lease(model, anew=True, ttl=ttl)
        if ttl is not None:
            self._scheduler.keep(model.name, ttl)
        lease.release_unused()

    def begin(self, model: Model, ttl: float | None = None) -> None:
        """`start` without waiting for it; how it went is told by events."""

        async def start() -> None:
            with suppress(LlamactlError):
                await self.start(model, ttl)

        if self._group is None:
            raise NotRunning("the daemon is stopping")
        self._group.start_soon(start)

    async def stop(self, name: str, drain: float) -> bool:
        """Gone, when this returns; False if nothing ran. Leases get `drain` seconds to end by themselves.

        Should the caller be cancelled, the instance is stopped all the same, without waiting further.
        """
        instance = self._instances.get(name)
        self._refresh_budget()
        self._perform(self._scheduler.retire(name, self._clock(), drain))
        if instance is not None and self._no_more(instance, "stopped on request"):
            return True
        if instance is None or not isinstance(instance.phase, Alive):
            return False
        settled = instance.settled  # of this run; it may be started again while we look away
        try:
            with anyio.move_on_after(drain):
                await settled.wait()
        finally:
            self._refresh_budget()
            self._perform(self._scheduler.expel(name, self._clock()))
        await settled.wait()
        return True

    def plan(self, model: Model) -> tuple[dict[str, int], dict[str, int], list[str] | DoesNotFit]:
        """What it needs and what is free, in bytes per device, and whom a start would stop."""
        self._refresh_budget()
        need = self._need(model)
        return need, self._scheduler.free(), self._scheduler.would_evict(model.name, need, self._clock())

    def pin(self, name: str) -> None:
        """Never evicted and never idle too long, until unpinned or stopped by name."""
        self._scheduler.pin(name)

    @property
    def pinned(self) -> tuple[str, ...]:
        return tuple(sorted(self._scheduler.pinned))

    def unpin(self, name: str) -> None:
        self._refresh_budget()
        self._perform(self._scheduler.unpin(name, self._clock()))
        self._alarm.set()

    def outlook(self, name: str, need: Mapping[str, int]) -> Outlook:
        """What a start of a model that needs this would come to."""
        self._refresh_budget()
        return outlook(self._scheduler, name, need, self._clock())

    def forget(self, name: str) -> None:
        """The model is to leave the catalogue. Raises `Refused` while it has a process or is waited for."""
        instance = self._instances.get(name)
        if instance is not None and isinstance(instance.phase, Alive):
            raise Refused(f"{name} is {state(instance.phase)}", f"llamactl stop {name}")
        if self.instance(name).waiting:
            raise Refused(f"{name} is waited for", f"llamactl stop {name}")
        if instance is not None:
            self._no_more(instance, "it left the catalogue")
        self._instances.pop(name, None)
        self._scheduler.forget(name)

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
            move = condemned(move, instance.wedged)
            instance.wedged = None
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
