"""The catalogue."""

import anyio.to_thread
import msgspec

from llamactl.catalogue import Catalogue, examine, walk
from llamactl.config.sections import Config
from llamactl.core.instance import state
from llamactl.core.model import Model, ScanReport
from llamactl.daemon.control.noun import Handlers
from llamactl.daemon.control.settings import merged, setting_rows, settled
from llamactl.daemon.launch import Launch
from llamactl.llamaserver import arguments
from llamactl.rpc import calls
from llamactl.rpc.calls import ModelRow
from llamactl.supervisor import Supervisor


class ModelCalls:
    """`models.…`"""

    def __init__(self, config: Config, catalogue: Catalogue, supervisor: Supervisor, launch: Launch) -> None:
        self._config = config
        self._catalogue = catalogue
        self._supervisor = supervisor
        self._launch = launch
        self.row = self._model_row  # for other nouns too
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
            settings=setting_rows(self._launch.settings(model)),
            preset=model.preset,
        )

    async def _set_model(self, call: calls.SetModel) -> ModelRow:
        def changed() -> Model:
            model = self._catalogue.resolve(call.name)
            return msgspec.structs.replace(model, settings=merged(model.settings, call.set, call.unset))

        model = await settled(changed, self._launch.check)
        self._catalogue.change(model)
        return self._model_row(model)

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

    def _model_row(self, model: Model) -> ModelRow:
        phase = self._supervisor.instance(model.name).phase
        return ModelRow(name=model.name, path=model.path, size=model.size, aliases=model.aliases, state=state(phase))
