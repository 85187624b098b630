"""The catalogue."""

from collections.abc import Callable

import anyio.to_thread
import msgspec

from llamactl.catalogue import Catalogue, examine, walk
from llamactl.config.sections import Config
from llamactl.core.errors import BadRequest
from llamactl.core.instance import state
from llamactl.core.model import Model, ScanReport
from llamactl.core.parameters import PARAMETERS, find, parse
from llamactl.daemon.control.noun import Handlers
from llamactl.daemon.launch import Launch
from llamactl.llamaserver import arguments
from llamactl.rpc import calls
from llamactl.rpc.calls import ModelRow
from llamactl.supervisor import Supervisor


class ModelCalls:
    """`models.…`"""

    def __init__(
        self, config: Callable[[], Config], catalogue: Catalogue, supervisor: Supervisor, launch: Launch
    ) -> None:
        self._config = config
        self._catalogue = catalogue
        self._supervisor = supervisor
        self._launch = launch
        self.handlers: Handlers = {
            calls.ListModels: self._list_models,
            calls.AddModel: self._add_model,
            calls.RemoveModel: self._remove_model,
            calls.ShowModel: self._show_model,
            calls.SetModel: self._set_model,
            calls.RenameModel: self._rename_model,
            calls.CloneModel: self._clone_model,
            calls.ModelCommand: self._model_command,
            calls.ScanModels: self._scan_models,
        }

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
        directories = call.directories or self._config().models.directories or [str(self._config().directories.models)]
        found = await anyio.to_thread.run_sync(walk, directories, self._catalogue.models())
        return self._catalogue.apply(found)

    def _model_row(self, model: Model) -> ModelRow:
        phase = self._supervisor.instance(model.name).phase
        return ModelRow(name=model.name, path=model.path, size=model.size, aliases=model.aliases, state=state(phase))
