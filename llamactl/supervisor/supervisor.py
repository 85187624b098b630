"""Leases on running models.

Whoever wants to use a model takes a lease and gets an endpoint or an error; while the lease is out the
model is not stopped. Everything between a call and its effects happens without awaiting, so there is no
lock: the scheduler decides, `lives` does it.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress

import anyio
import anyio.lowlevel

from llamactl.core.errors import LlamactlError, Refused
from llamactl.core.instance import (
    Alive,
    state,
)
from llamactl.core.model import Model
from llamactl.core.outlook import Outlook, outlook
from llamactl.core.reconfigure import reconfigure
from llamactl.core.restart import Policy
from llamactl.core.scheduler import Limits
from llamactl.supervisor.lease import Lease
from llamactl.supervisor.lives import Lives
from llamactl.supervisor.past import Past, past, remember
from llamactl.supervisor.recovery import Postponed


class Supervisor(Lives):
    """See the module.

    `need` says what memory a model will take, `budget` what all may take together (both bytes per
    device); the budget is asked again before each decision that may start something. `ttl` and
    `load_timeout` are seconds; after a failed load the same failure is answered for `hold` seconds
    without another try. `restart` is what becomes of instances that die. `clock` is monotonic, in seconds.
    """

    def try_lease(self, name: str) -> Lease | None:
        """A lease right now, without awaiting; None when the model does not serve at this moment."""
        resident = self._scheduler.admit(name)
        return None if resident is None else self._instances[name].lend(self, resident)

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

    # --- what people ask for ---------------------------------------------------------------------

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
        group = self._running()
        self._instance(model).begun += 1
        group.start_soon(self._begin, model, ttl)

    async def _begin(self, model: Model, ttl: float | None) -> None:
        try:
            with suppress(LlamactlError):
                await self.start(model, ttl)
        finally:
            self._instance(model).begun -= 1

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

    async def stop_all(self) -> None:
        """Nothing runs when this returns; leases do not count."""
        async with anyio.create_task_group() as group:
            for name in self._instances:
                group.start_soon(self.stop, name, 0.0)

    def begin_stop(self, name: str, drain: float) -> None:
        """`stop` without waiting for it."""
        self._running().start_soon(self.stop, name, drain)

    async def restart(self, model: Model, drain: float) -> None:
        """Gone, and ready again, or an error; what pins it only as long as it runs pins it again."""
        self._instance(model).restarts_begun += 1
        await self._replace(model, drain)

    async def _replace(self, model: Model, drain: float) -> None:
        pinned = self.instance(model.name).pinned
        try:
            await self.stop(model.name, drain)
        finally:
            self._instance(model).restarts_begun -= 1
        if pinned:
            self.pin(model.name)
        await self.start(model)

    def begin_restart(self, model: Model, drain: float) -> None:
        """`restart` without waiting for it; how it went is told by events."""
        group = self._running()
        self._instance(model).restarts_begun += 1
        group.start_soon(self._begin_restart, model, drain)

    async def _begin_restart(self, model: Model, drain: float) -> None:
        with suppress(LlamactlError):
            await self._replace(model, drain)

    def plan(self, model: Model) -> tuple[dict[str, int], Outlook]:
        """What it needs, in bytes per device, and what a start would come to."""
        need = self._need(model)
        return need, self.outlook(model.name, need)

    def outlook(self, name: str, need: Mapping[str, int]) -> Outlook:
        """What a start of a model that needs this would come to."""
        self._refresh_budget()
        return outlook(self._scheduler, name, need, self._clock())

    def bereave(self, name: str, why: str) -> None:
        """What it computes with has gone, which it notices when it computes: where it is idle, it is put down now."""
        instance = self._instances.get(name)
        server = self.serving(name)
        if instance is not None and server is not None and not instance.leases:
            instance.bereft = why
            server.kill()

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

    def pasts(self) -> dict[str, Past]:
        """What the next daemon cannot find out by itself, by model."""
        return {name: past(instance, self._scheduler) for name, instance in self._instances.items()}

    def remember(self, model: Model, past: Past) -> None:
        """Before `run`, and after `adopt`."""
        remember(self._instance(model), self._scheduler, past)

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
