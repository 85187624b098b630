"""What each call does."""

import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import ExitStack
from typing import Any

import anyio.to_thread
import msgspec

from llamactl import __version__
from llamactl.catalogue import Catalogue, examine, walk
from llamactl.config.sections import Config
from llamactl.core.errors import BadRequest, LlamactlError
from llamactl.core.instance import Alive, Failed, Instance, Ready, Stopped, pid_of, state
from llamactl.core.model import Model, ScanReport
from llamactl.core.parameters import PARAMETERS, find, parse
from llamactl.daemon.launch import Launch
from llamactl.daemon.services import Services
from llamactl.hub import Hub, Watcher
from llamactl.llamaserver import arguments
from llamactl.rpc import calls
from llamactl.rpc.calls import Call, InstanceRow, Lost, ModelRow, Snapshot
from llamactl.rpc.server import Stream
from llamactl.supervisor import Supervisor


class Control:
    """Answers calls; `answer` raises `LlamactlError`s for the edge to translate. `http` are URLs."""

    def __init__(
        self,
        config: Config,
        hub: Hub,
        catalogue: Catalogue,
        supervisor: Supervisor,
        launch: Launch,
        http: list[str],
    ) -> None:
        self._config = config
        self._hub = hub
        self._catalogue = catalogue
        self._supervisor = supervisor
        self._launch = launch
        self._http = http
        self._began = time.monotonic()
        self.services: Services  # set by `main`: they are started with this, and shown by it
        self.handlers: dict[type[Call[Any]], Callable[[Any], Awaitable[object]]] = {
            calls.Status: self._status,
            calls.Shutdown: self._shutdown,
            calls.Engine: self._engine,
            calls.ListModels: self._list_models,
            calls.AddModel: self._add_model,
            calls.RemoveModel: self._remove_model,
            calls.ShowModel: self._show_model,
            calls.SetModel: self._set_model,
            calls.RenameModel: self._rename_model,
            calls.CloneModel: self._clone_model,
            calls.ModelCommand: self._model_command,
            calls.ScanModels: self._scan_models,
            calls.ListInstances: self._list_instances,
            calls.StartModel: self._start_model,
            calls.StopModel: self._stop_model,
            calls.Watch: self._watch,
        }

    async def answer(self, call: Call[Any]) -> object:
        return await self.handlers[type(call)](call)

    # --- the daemon ------------------------------------------------------------------------------

    async def _status(self, _: calls.Status) -> calls.DaemonStatus:
        directories = self._config.directories
        return calls.DaemonStatus(
            version=__version__,
            pid=os.getpid(),
            uptime=time.monotonic() - self._began,
            http=self._http,
            config=str(directories.config_file),
            data=str(directories.data),
            log=str(directories.log),
            models=len(self._catalogue.models()),
            services=self.services.rows(),
            last_event=self._hub.last,
        )

    async def _shutdown(self, _: calls.Shutdown) -> None:
        self.services.stop()

    async def _engine(self, _: calls.Engine) -> calls.EngineRow:
        try:
            engine, capabilities = await self._launch.engine()
        except LlamactlError as error:
            return calls.EngineRow(problem=error.problem())
        return calls.EngineRow(path=engine.path, version=capabilities.version, origin=engine.origin)

    # --- the catalogue ---------------------------------------------------------------------------

    async def _list_models(self, _: calls.ListModels) -> list[ModelRow]:
        return [self._model_row(model) for model in self._catalogue.models()]

    async def _add_model(self, call: calls.AddModel) -> ModelRow:
        file = await anyio.to_thread.run_sync(examine, call.path, self._catalogue.models())
        return self._model_row(self._catalogue.admit(file, call.name))

    async def _remove_model(self, call: calls.RemoveModel) -> None:
        name = self._catalogue.resolve(call.name).name
        self._supervisor.forget(name)
        self._catalogue.remove(name)

    async def _show_model(self, call: calls.ShowModel) -> calls.ModelDetail:
        model = self._catalogue.resolve(call.name)
        row = self._model_row(model)
        return calls.ModelDetail(
            name=row.name,
            path=row.path,
            size=row.size,
            aliases=row.aliases,
            state=row.state,
            settings=[
                calls.SettingRow(
                    name=name,
                    group=PARAMETERS[name].group,
                    value=None if PARAMETERS[name].secret else setting.value,
                    origin=setting.layer.origin,
                    unit=PARAMETERS[name].unit,
                )
                for name, setting in self._launch.settings(model).items()
            ],
        )

    async def _set_model(self, call: calls.SetModel) -> ModelRow:
        model = self._catalogue.resolve(call.name)
        settings = dict(model.settings)
        for given in call.unset:
            settings.pop(find(given).name, None)
        for given, value in call.set.items():
            settings[find(given).name] = parse(given, value)
        clash = {find(given).name for given in call.unset} & {find(given).name for given in call.set}
        if clash:
            raise BadRequest(f"{' and '.join(sorted(clash))} cannot be set and unset at once")
        changed = msgspec.structs.replace(model, settings=settings)
        await self._launch.check(changed)
        self._catalogue.change(changed)
        return self._model_row(changed)

    async def _rename_model(self, call: calls.RenameModel) -> ModelRow:
        name = self._catalogue.resolve(call.name).name
        self._supervisor.forget(name)
        return self._model_row(self._catalogue.rename(name, call.to))

    async def _clone_model(self, call: calls.CloneModel) -> ModelRow:
        return self._model_row(self._catalogue.clone(call.name, call.to))

    async def _model_command(self, call: calls.ModelCommand) -> str:
        model = self._catalogue.resolve(call.name)
        return arguments.show(await self._launch.preview(model))

    async def _scan_models(self, call: calls.ScanModels) -> ScanReport:
        directories = call.directories or self._config.models.directories or [str(self._config.directories.models)]
        found = await anyio.to_thread.run_sync(walk, directories, self._catalogue.models())
        return self._catalogue.apply(found)

    # --- instances -------------------------------------------------------------------------------

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
        await self._supervisor.stop(name, self._config.residency.drain if call.drain is None else call.drain)
        return instance_row(self._supervisor.instance(name))

    async def _watch(self, _: calls.Watch) -> Stream:
        subscription = ExitStack()
        watcher = subscription.enter_context(self._hub.watch())
        # No await between subscribing and looking: what happens from here on is in the watcher's queue.
        rows = [instance_row(instance) for instance in self._supervisor.instances()]
        return Stream(Snapshot(last_event=self._hub.last, instances=rows), _notices(watcher), subscription.close)

    def _model_row(self, model: Model) -> ModelRow:
        phase = self._supervisor.instance(model.name).phase
        return ModelRow(name=model.name, path=model.path, size=model.size, aliases=model.aliases, state=state(phase))


async def _notices(watcher: Watcher) -> AsyncGenerator[object, None]:
    async for numbered in watcher:
        lost = watcher.take_lost()
        if lost:
            yield Lost(lost)
        yield numbered


def instance_row(instance: Instance) -> InstanceRow:
    phase = instance.phase
    return InstanceRow(
        name=instance.model,
        state=state(phase),
        pid=pid_of(phase),
        age=time.monotonic() - phase.since if isinstance(phase, Alive | Failed) else None,
        load_seconds=phase.took if isinstance(phase, Ready) else None,
        memory=instance.need,
        leases=instance.leases,
        waiting=instance.waiting,
        pinned=instance.pinned,
        ttl=instance.ttl,
        requests=instance.requests,
        problem=phase.problem if isinstance(phase, Failed) else None,
    )
