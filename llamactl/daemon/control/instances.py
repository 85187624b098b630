"""What runs, and what happens."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack

from llamactl.catalogue import Catalogue
from llamactl.config.sections import Config
from llamactl.core.instance import Alive, Backoff, Failed, Instance, Ready, Stopped, pid_of, state
from llamactl.daemon.control.noun import Handlers
from llamactl.hub import Hub, Watcher
from llamactl.rpc import calls
from llamactl.rpc.calls import InstanceRow, Lost, Snapshot
from llamactl.rpc.server import Stream
from llamactl.supervisor import Supervisor


class InstanceCalls:
    """`instances.…` and `watch`."""

    def __init__(self, config: Callable[[], Config], hub: Hub, catalogue: Catalogue, supervisor: Supervisor) -> None:
        self._config = config
        self._hub = hub
        self._catalogue = catalogue
        self._supervisor = supervisor
        self.handlers: Handlers = {
            calls.ListInstances: self._list_instances,
            calls.StartModel: self._start_model,
            calls.StopModel: self._stop_model,
            calls.Watch: self._watch,
        }

    async def _list_instances(self, call: calls.ListInstances) -> list[InstanceRow]:
        instances = {instance.model: instance for instance in self._supervisor.instances()}
        if call.all:
            for model in self._catalogue.models():
                instances.setdefault(model.name, self._supervisor.instance(model.name))
        return [
            instance_row(instance)
            for _, instance in sorted(instances.items())
            if call.all or not isinstance(instance.phase, Stopped) or instance.waiting or instance.pinned
        ]

    async def _start_model(self, call: calls.StartModel) -> InstanceRow:
        model = self._catalogue.resolve(call.name)
        if call.wait:
            await self._supervisor.start(model)
        else:
            self._supervisor.begin(model)
        return instance_row(self._supervisor.instance(model.name))

    async def _stop_model(self, call: calls.StopModel) -> InstanceRow:
        name = self._catalogue.resolve(call.name).name
        await self._supervisor.stop(name, self._config().residency.drain if call.drain is None else call.drain)
        return instance_row(self._supervisor.instance(name))

    async def _watch(self, _: calls.Watch) -> Stream:
        subscription = ExitStack()
        watcher = subscription.enter_context(self._hub.watch())
        # No await between subscribing and looking: what happens from here on is in the watcher's queue.
        rows = [instance_row(instance) for instance in self._supervisor.instances()]
        return Stream(Snapshot(last_event=self._hub.last, instances=rows), _notices(watcher), subscription.close)


async def _notices(watcher: Watcher) -> AsyncGenerator[object, None]:
    async for numbered in watcher:
        lost = watcher.take_lost()
        if lost:
            yield Lost(lost)
        yield numbered


def instance_row(instance: Instance) -> InstanceRow:
    phase, now = instance.phase, time.monotonic()
    return InstanceRow(
        name=instance.model,
        state=state(phase),
        pid=pid_of(phase),
        age=now - phase.since if isinstance(phase, Alive | Backoff | Failed) else None,
        load_seconds=phase.took if isinstance(phase, Ready) else None,
        memory=instance.need,
        leases=instance.leases,
        waiting=instance.waiting,
        pinned=instance.pinned,
        ttl=instance.ttl,
        requests=instance.requests,
        restarts=instance.restarts,
        next_try=max(0.0, phase.until - now) if isinstance(phase, Backoff) else None,
        wedged=None if instance.wedged is None else now - instance.wedged,
        problem=phase.problem if isinstance(phase, Backoff | Failed) else None,
    )
