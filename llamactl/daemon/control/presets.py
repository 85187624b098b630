"""Presets, and what the database sets for every model."""

from collections.abc import Callable, Mapping

import msgspec

from llamactl.catalogue import Catalogue
from llamactl.core.errors import BadRequest, LlamactlError, NotFound, Refused
from llamactl.core.model import Model, Setting, valid_name
from llamactl.core.parameters import OF_ONE_MODEL, SECRET_SETTINGS, find
from llamactl.daemon.control.noun import Handlers
from llamactl.daemon.control.settings import merged, setting_rows, settled
from llamactl.daemon.launch import Assumed, Launch
from llamactl.rpc import calls
from llamactl.rpc.calls import ModelRow, PresetRow, SettingRow
from llamactl.store import Presets, ServerSettings

Bundle = dict[str, Setting]


class PresetCalls:
    """`presets.…` and `defaults.…`"""

    def __init__(
        self,
        catalogue: Catalogue,
        launch: Launch,
        presets: Presets,
        defaults: ServerSettings,
        row: Callable[[Model], ModelRow],
    ) -> None:
        self._catalogue = catalogue
        self._launch = launch
        self._presets = presets
        self._defaults = defaults
        self._row = row
        self.handlers: Handlers = {
            calls.ListPresets: self._list,
            calls.ShowPreset: self._show,
            calls.SavePreset: self._save,
            calls.SetPreset: self._set,
            calls.PutPresets: self._put,
            calls.ApplyPreset: self._apply,
            calls.RemovePreset: self._remove,
            calls.ShowDefaults: self._show_defaults,
            calls.SetDefaults: self._set_defaults,
        }

    async def _list(self, _: calls.ListPresets) -> list[PresetRow]:
        return [self._preset_row(name, settings) for name, settings in self._presets.all().items()]

    async def _show(self, call: calls.ShowPreset) -> PresetRow:
        return self._preset_row(call.name, self._known(call.name))

    async def _save(self, call: calls.SavePreset) -> PresetRow:
        def saved() -> dict[str, Bundle]:
            model = self._catalogue.resolve(call.model)
            behind = self._known(model.preset) if model.preset else {}
            own = {name: value for name, value in model.settings.items() if name not in OF_ONE_MODEL}
            return {call.name: {**behind, **own}}

        return (await self._write(saved, call.replace))[0]

    async def _set(self, call: calls.SetPreset) -> PresetRow:
        def changed() -> dict[str, Bundle]:
            there = self._presets.get(call.name)
            if there is None and call.unset:
                raise self._unknown(call.name)
            return {call.name: merged(there or {}, call.set, call.unset)}

        return (await self._write(changed, replace=True))[0]

    async def _put(self, call: calls.PutPresets) -> list[PresetRow]:
        return await self._write(lambda: checked_presets(call.presets), call.replace)

    async def _apply(self, call: calls.ApplyPreset) -> list[ModelRow]:
        def applied() -> list[Model]:
            if call.preset is not None:
                self._known(call.preset)
            models = {model.name: model for model in map(self._catalogue.resolve, call.models)}
            return [msgspec.structs.replace(model, preset=call.preset or "") for model in models.values()]

        async def check(models: list[Model]) -> None:
            for model in models:
                await self._launch.check(model)

        models = await settled(applied, check)
        self._catalogue.change(*models)
        return [self._row(model) for model in models]

    async def _remove(self, call: calls.RemovePreset) -> tuple[str, ...]:
        self._known(call.name)
        users = self._users(call.name)
        names = tuple(model.name for model in users)
        if users and not call.force:
            raise Refused(
                f"the preset {call.name} is applied to {', '.join(names[:10])}"
                + (f" and {len(names) - 10} more" if len(names) > 10 else ""),
                f"llamactl presets unapply {' '.join(names[:10])}, or llamactl presets rm {call.name} --force",
            )
        self._catalogue.change(*(msgspec.structs.replace(model, preset="") for model in users))
        self._presets.remove(call.name)
        return names

    # --- for every model -------------------------------------------------------------------------

    async def _show_defaults(self, _: calls.ShowDefaults) -> list[SettingRow]:
        return setting_rows(self._launch.settings(NOBODY))

    async def _set_defaults(self, call: calls.SetDefaults) -> list[SettingRow]:
        for name in call.set:
            if (parameter := find(name)).group != "server":
                raise BadRequest(
                    f"{parameter.name} is a setting of models, and cannot be set for all of them in the database",
                    f"llamactl config set llama_server.{parameter.name}, or llamactl presets set",
                )

        def changed() -> Bundle:
            return merged(self._defaults.get(), call.set, call.unset)

        async def check(defaults: Bundle) -> None:
            await self._launch.check(NOBODY, Assumed(defaults))

        defaults = await settled(changed, check)
        self._defaults.put(defaults)
        return setting_rows(self._launch.settings(NOBODY))

    # --- inside ----------------------------------------------------------------------------------

    def _known(self, name: str) -> Bundle:
        settings = self._presets.get(name)
        if settings is None:
            raise self._unknown(name)
        return settings

    def _unknown(self, name: str) -> NotFound:
        names = ", ".join(self._presets.all())
        there = f"there are {names}" if names else "there is none yet: llamactl presets save PRESET --from NAME"
        return NotFound(f"no preset is called {name!r}", there)

    def _users(self, preset: str) -> list[Model]:
        return [model for model in self._catalogue.models() if model.preset == preset]

    async def _write(self, look: Callable[[], dict[str, Bundle]], replace: bool) -> list[PresetRow]:
        """Presets, if the models that they are applied to can be started with them."""

        async def check(presets: dict[str, Bundle]) -> None:
            taken = [name for name in presets if self._presets.get(name) not in (None, presets[name])]
            if taken and not replace:
                raise Refused(f"there is another preset {', '.join(taken)} already", "add --replace")
            for name, settings in presets.items():
                valid_name(name)
                if own := sorted(OF_ONE_MODEL & settings.keys()):
                    raise BadRequest(f"{', '.join(own)} says which model it is, and is no matter of a preset")
                for model in self._users(name) or [msgspec.structs.replace(NOBODY, preset=name)]:
                    await self._check(model, Assumed(presets={name: settings}))

        presets = await settled(look, check)
        self._presets.put_all(presets)
        return [self._preset_row(name, settings) for name, settings in presets.items()]

    async def _check(self, model: Model, assumed: Assumed) -> None:
        """Raises what `Launch.check` does, unless the model cannot be started as it is either."""
        try:
            await self._launch.check(model, assumed)
        except LlamactlError:
            if model.name:
                try:
                    await self._launch.check(model)
                except LlamactlError:
                    return
            raise

    def _preset_row(self, name: str, settings: Bundle) -> PresetRow:
        shown = {key: None if key in SECRET_SETTINGS else value for key, value in settings.items()}
        return PresetRow(name=name, settings=shown, models=tuple(model.name for model in self._users(name)))


NOBODY = Model(name="", path="", size=0)
"""A model that sets nothing."""


def checked_presets(presets: Mapping[str, Bundle]) -> dict[str, Bundle]:
    """With names as we have them and values as they are kept; raises what `merged` does, with the preset's name."""
    found = {}
    for name, settings in presets.items():
        try:
            found[name] = merged({}, settings, ())
        except (BadRequest, Refused) as error:
            raise type(error)(f"preset {name}: {error.message}", error.hint) from None
    return found
