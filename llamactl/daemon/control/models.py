"""The catalogue."""

from collections.abc import Sequence

import anyio.from_thread
import anyio.to_thread
import msgspec

from llamactl.catalogue import Catalogue, examine_all
from llamactl.catalogue.verify import verify
from llamactl.core.errors import LlamactlError, NotFound, from_problem
from llamactl.core.instance import state
from llamactl.core.model import Model, ScanReport
from llamactl.core.shape import Shape, changed
from llamactl.daemon.control.noun import Handlers
from llamactl.daemon.control.settings import merged, setting_rows, settled
from llamactl.daemon.discovery import Discovery
from llamactl.daemon.launch import Launch
from llamactl.llamaserver import arguments
from llamactl.rpc import calls
from llamactl.rpc.calls import ModelRow
from llamactl.supervisor import Supervisor


class ModelCalls:
    """`models.…`"""

    def __init__(self, catalogue: Catalogue, supervisor: Supervisor, launch: Launch, discovery: Discovery) -> None:
        self._catalogue = catalogue
        self._supervisor = supervisor
        self._launch = launch
        self.row = self._model_row  # for other nouns too
        self._discovery = discovery
        self.handlers: Handlers = {
            calls.ListModels: self._list_models,
            calls.AddModel: self.add,
            calls.AddModels: self._add_models,
            calls.RemoveModel: self._remove_model,
            calls.ShowModel: self._show_model,
            calls.SetModel: self._set_model,
            calls.RenameModel: self._rename_model,
            calls.CloneModel: self._clone_model,
            calls.AliasModel: self._alias_model,
            calls.ShapeModel: self._shape_model,
            calls.VerifyModel: self._verify_model,
            calls.ModelCommand: self._model_command,
            calls.ScanModels: self._scan_models,
        }

    async def _list_models(self, _: calls.ListModels) -> list[ModelRow]:
        return [self._model_row(model) for model in self._catalogue.models()]

    async def add(self, call: calls.AddModel) -> ModelRow:
        [row] = await self._add([calls.NewFile(call.path, call.name)])
        return row

    async def _add_models(self, call: calls.AddModels) -> list[ModelRow]:
        try:
            return await self._add(call.files)
        except LlamactlError as error:
            problem = error.problem()
            message = f"{error.message}; none of the {len(call.files)} was added"
            raise from_problem(msgspec.structs.replace(problem, message=message)) from None

    async def _add(self, files: Sequence[calls.NewFile]) -> list[ModelRow]:
        known, looks = self._catalogue.models(), self._catalogue.looks()
        found = await anyio.to_thread.run_sync(examine_all, [file.path for file in files], known, looks)
        return [self._model_row(model) for model in self._catalogue.admit(found, [file.name for file in files])]

    async def _remove_model(self, call: calls.RemoveModel) -> None:
        name = self._catalogue.resolve(call.name).name
        self._supervisor.forget(name)
        self._catalogue.remove(name)

    async def _show_model(self, call: calls.ShowModel) -> calls.ModelDetail:
        model = self._catalogue.resolve(call.name)
        row = self._model_row(model)
        draft = model.draft
        return calls.ModelDetail(
            name=row.name,
            path=row.path,
            size=row.size,
            aliases=row.aliases,
            state=row.state,
            missing=row.missing,
            facts=model.known,
            fingerprint=model.fingerprint,
            drafts=draft.path if draft is not None and not draft.certain else "",
            settings=setting_rows(self._launch.settings(model)),
            preset=model.preset,
            shapes=model.shapes,
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

    async def _alias_model(self, call: calls.AliasModel) -> ModelRow:
        return self._model_row(self._catalogue.alias(call.name, call.add, call.remove))

    async def _shape_model(self, call: calls.ShapeModel) -> ModelRow:
        model, variant = self._catalogue.split(call.name)
        shape = model.shapes.get(variant)
        if call.remove:
            if shape is None:
                raise NotFound(f"{call.name} has no shape of its own", "llamactl models variants ls")
            shapes = {name: one for name, one in model.shapes.items() if name != variant}
        else:
            shape = changed(shape or Shape(), call.set, call.strip, call.unset)
            shapes = {**model.shapes, variant: shape}
            if not variant and shape == Shape():
                del shapes[variant]
        model = msgspec.structs.replace(model, shapes=shapes)
        self._catalogue.change(model)
        return self._model_row(model)

    async def _verify_model(self, call: calls.VerifyModel) -> calls.Verification:
        model = self._catalogue.resolve(call.name)

        def look() -> list[calls.Check]:
            findings = verify(model, deep=call.deep, go_on=anyio.from_thread.check_cancelled)
            return [calls.Check(check=one.check, ok=one.ok, detail=one.detail) for one in findings]

        checks = await anyio.to_thread.run_sync(look)
        try:
            await self._launch.check(model)
            checks.append(calls.Check(check="settings", ok=True))
        except LlamactlError as error:
            checks.append(calls.Check(check="settings", ok=False, detail=error.message, hint=error.hint))
        sound = not any(check.ok is False for check in checks)
        return calls.Verification(name=model.name, sound=sound, checks=checks)

    async def _scan_models(self, call: calls.ScanModels) -> ScanReport:
        return await self._discovery.scan(call.directories)

    def _model_row(self, model: Model) -> ModelRow:
        known = model.known
        return ModelRow(
            name=model.name,
            path=model.path,
            size=model.size,
            aliases=model.aliases,
            variants=model.variants,
            state=state(self._supervisor.instance(model.name).phase),
            missing=self._catalogue.is_missing(model),
            architecture=known.architecture,
            parameters=known.parameters,
            quantisation=known.quantisation,
            context_length=known.context_length,
            vocabulary=known.vocabulary,
            embedding_length=known.embedding_length,
            modalities=known.modalities,
        )
