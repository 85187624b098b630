"""What runs, and what happens."""

import time
from collections.abc import Callable
from contextlib import suppress

import anyio
import anyio.lowlevel
import msgspec

from llamactl.catalogue import Catalogue
from llamactl.config.sections import Config
from llamactl.core.errors import LlamactlError, NotFound, NotRunning
from llamactl.core.instance import Alive, Backoff, Failed, Instance, Ready, Stopped, pid_of, state
from llamactl.daemon.control.noun import Handlers
from llamactl.daemon.launch import Launch
from llamactl.llamaserver import api
from llamactl.llamaserver.process import LlamaServer
from llamactl.rpc import calls
from llamactl.rpc.calls import InstanceRow
from llamactl.supervisor import Supervisor


class InstanceCalls:
    """`instances.…`"""

    def __init__(
        self,
        config: Callable[[], Config],
        catalogue: Catalogue,
        supervisor: Supervisor,
        launch: Launch,
        props: Callable[[str], api.Props | None],
        rate: Callable[[str], float | None],
    ) -> None:
        """`props` is what a model that is ready has said of itself, `rate` its tokens a second when last measured."""
        self._config = config
        self._catalogue = catalogue
        self._supervisor = supervisor
        self._launch = launch
        self._props = props
        self._rate = rate
        self.handlers: Handlers = {
            calls.ListInstances: self._list_instances,
            calls.StartModel: self._start_model,
            calls.StopModel: self._stop_model,
            calls.RestartModel: self._restart_model,
            calls.PlanStart: self._plan,
            calls.PinModel: self._pin,
            calls.UnpinModel: self._unpin,
            calls.WaitModel: self._wait,
        }

    async def _list_instances(self, call: calls.ListInstances) -> list[InstanceRow]:
        instances = {instance.model: instance for instance in self._supervisor.instances()}
        aliases = {model.name: model.aliases for model in self._catalogue.models()}
        if call.all:
            for name in aliases:
                instances.setdefault(name, self._supervisor.instance(name))
        shown = [
            instance_row(instance)
            for _, instance in sorted(instances.items())
            if call.all or not isinstance(instance.phase, Stopped) or instance.waiting or instance.pinned
        ]
        asleep = await self._asleep([row.name for row in shown if row.state == "ready"])
        return [self._completed(row, aliases.get(row.name, ()), row.name in asleep) for row in shown]

    def _completed(self, row: InstanceRow, aliases: tuple[str, ...], sleeping: bool) -> InstanceRow:
        row = msgspec.structs.replace(row, aliases=aliases, outdated=self.outdated(row.name))
        if row.state != "ready":
            return row
        row = msgspec.structs.replace(row, sleeping=sleeping, rate=self._rate(row.name))
        props = self._props(row.name)
        return row if props is None else msgspec.structs.replace(row, context=props.context, slots=props.total_slots)

    def outdated(self, name: str) -> tuple[str, ...]:
        """What would be another if it were started now; nothing of one that does not run, or is no model any more."""
        server = self._supervisor.serving(name)
        with suppress(NotFound):
            if isinstance(server, LlamaServer):
                return self._launch.outdated(self._catalogue.resolve(name), server.record)
        return ()

    async def _asleep(self, names: list[str]) -> set[str]:
        """Those that have given their memory back by themselves. Only those are asked that may; it wakes none."""
        asleep: set[str] = set()

        async def ask(name: str, endpoint: str) -> None:
            with suppress(NotRunning):
                if (await api.props(endpoint)).is_sleeping:
                    asleep.add(name)

        async with anyio.create_task_group() as group:
            for name in names:
                server = self._supervisor.serving(name)
                if server is not None and self._may_sleep(name):
                    group.start_soon(ask, name, server.endpoint)
        return asleep

    def _may_sleep(self, name: str) -> bool:
        with suppress(LlamactlError):  # it has left the catalogue, or its settings are no more what they were
            return "sleep_idle_seconds" in self._launch.settings(self._catalogue.resolve(name))
        return False

    async def _start_model(self, call: calls.StartModel) -> InstanceRow:
        model = self._catalogue.resolve(call.name)
        if call.wait:
            await self._supervisor.start(model, call.ttl)
        else:
            self._supervisor.begin(model, call.ttl)
            await _has_begun()
        return instance_row(self._supervisor.instance(model.name))

    async def _stop_model(self, call: calls.StopModel) -> InstanceRow:
        name = self._catalogue.resolve(call.name).name
        if call.wait:
            await self._supervisor.stop(name, self._drain(call))
        else:
            self._supervisor.begin_stop(name, self._drain(call))
            await _has_begun()
        return instance_row(self._supervisor.instance(name))

    async def _restart_model(self, call: calls.RestartModel) -> InstanceRow:
        model = self._catalogue.resolve(call.name)
        if call.wait:
            await self._supervisor.restart(model, self._drain(call))
        else:
            self._supervisor.begin_restart(model, self._drain(call))
            await _has_begun()
        return instance_row(self._supervisor.instance(model.name))

    def _drain(self, call: calls.StopModel | calls.RestartModel) -> float:
        return self._config().residency.drain if call.drain is None else call.drain

    async def _plan(self, call: calls.PlanStart) -> calls.Plan:
        model = self._catalogue.resolve(call.name)
        phase = self._supervisor.instance(model.name).phase
        need, outlook = self._supervisor.plan(model)
        there = isinstance(phase, Alive)
        return calls.Plan(
            name=model.name,
            state=state(phase),
            need=need,
            free=outlook.free,
            evicts=[] if there else list(outlook.evicts),
            problem=None if there or outlook.problem is None else outlook.problem.problem(),
        )

    async def _pin(self, call: calls.PinModel) -> InstanceRow:
        model = self._catalogue.resolve(call.name)
        if not model.pinned:
            self._catalogue.change(msgspec.structs.replace(model, settings={**model.settings, "pinned": True}))
        self._supervisor.pin(model.name)
        return instance_row(self._supervisor.instance(model.name))

    async def _unpin(self, call: calls.UnpinModel) -> InstanceRow:
        model = self._catalogue.resolve(call.name)
        if "pinned" in model.settings:
            settings = {name: value for name, value in model.settings.items() if name != "pinned"}
            self._catalogue.change(msgspec.structs.replace(model, settings=settings))
        self._supervisor.unpin(model.name)
        return instance_row(self._supervisor.instance(model.name))

    async def _wait(self, call: calls.WaitModel) -> InstanceRow:
        name = self._catalogue.resolve(call.name).name
        return instance_row(await self._supervisor.wait(name, {call.state}, call.timeout))


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
        position=instance.position,
        eta=instance.eta,
        loaded=instance.loaded,
        pinned=instance.pinned,
        ttl=instance.ttl,
        requests=instance.requests,
        restarts=instance.restarts,
        next_try=max(0.0, phase.until - now) if isinstance(phase, Backoff) else None,
        wedged=None if instance.wedged is None else now - instance.wedged,
        problem=phase.problem if isinstance(phase, Backoff | Failed) else None,
    )


async def _has_begun() -> None:
    """What was left to a task: in whichever order tasks have their turns, it has had its first after this."""
    for _ in range(2):
        await anyio.lowlevel.checkpoint()
