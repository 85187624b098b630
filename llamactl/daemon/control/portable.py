"""Models on their way from one catalogue to another."""

from collections.abc import Iterator, Mapping

import anyio.to_thread
import msgspec
from anyio.lowlevel import checkpoint

from llamactl.catalogue import Catalogue, File, examine
from llamactl.catalogue.gguf import NotUsable
from llamactl.catalogue.news import as_in
from llamactl.core.errors import BadRequest, LlamactlError, NotFound, Refused
from llamactl.core.model import Model, Setting, Unusable, valid_name
from llamactl.core.parameters import OF_ONE_MODEL, SECRET_SETTINGS
from llamactl.daemon.control.noun import Handlers
from llamactl.daemon.control.presets import Bundle, checked_presets
from llamactl.daemon.control.settings import merged, settled
from llamactl.daemon.launch import Assumed, Launch
from llamactl.rpc import calls
from llamactl.rpc.calls import ImportReport, Portable, PortableModel
from llamactl.store import Presets

_TOLD = 20
"""Problems that one answer tells of."""


class PortableCalls:
    """`models.export` and `models.import`"""

    def __init__(self, catalogue: Catalogue, launch: Launch, presets: Presets) -> None:
        self._catalogue = catalogue
        self._launch = launch
        self._presets = presets
        self.handlers: Handlers = {calls.ExportModels: self._export, calls.ImportModels: self._import}

    async def _export(self, call: calls.ExportModels) -> Portable:
        chosen = {model.name: model for model in map(self._catalogue.resolve, call.names)}
        models = list(chosen.values()) if call.names else self._catalogue.models()
        used = {model.preset for model in models}
        presets = {name: settings for name, settings in self._presets.all().items() if name in used}
        secrets = {model.name: _secrets(model.settings) for model in models} | {
            f"preset {name}": _secrets(settings) for name, settings in presets.items()
        }
        return Portable(
            models=[
                PortableModel(
                    name=model.name,
                    path=model.path,
                    size=model.size,
                    aliases=model.aliases,
                    settings=_without_secrets(model.settings),
                    preset=model.preset,
                    shapes=model.shapes,
                )
                for model in models
            ],
            presets={name: _without_secrets(settings) for name, settings in presets.items()},
            secrets={of: names for of, names in secrets.items() if names},
        )

    async def _import(self, call: calls.ImportModels) -> ImportReport:
        files = await anyio.to_thread.run_sync(_look_at, call.models)
        plan = await settled(lambda: self._plan(call, files), self._check)
        if not call.dry_run:
            self._presets.put_all(plan.presets)
            self._catalogue.take(plan.changed)
        names = [model.name for model in plan.changed]
        return ImportReport(
            added=tuple(name for name in names if name not in plan.before),
            changed=tuple(name for name in names if name in plan.before),
            unchanged=plan.unchanged,
            presets=tuple(plan.presets),
            unusable=tuple(file for file in files.values() if isinstance(file, Unusable)),
            absent=plan.absent,
        )

    # --- inside ----------------------------------------------------------------------------------

    def _plan(self, call: calls.ImportModels, files: Mapping[str, File | Unusable]) -> "_Plan":
        """What would be changed. Raises all that contradicts it at once."""
        problems: list[LlamactlError] = []
        presets: dict[str, Bundle] = {}
        changed: dict[str, Model] = {}
        unchanged: list[str] = []
        for name, settings in call.presets.items():
            try:
                if preset := self._preset(valid_name(name), settings, call.replace):
                    presets |= preset
            except LlamactlError as error:
                problems.append(error)
        absent = [model.name for model in call.models if not model.path and self._catalogue.get(model.name) is None]
        for portable in call.models:
            if portable.name in absent:
                continue
            try:
                if portable.name in changed or portable.name in unchanged:
                    raise BadRequest(f"{portable.name} is there twice")
                if portable.preset and portable.preset not in call.presets:
                    self._known(portable)
                model = self._model(portable, files.get(portable.path), call.replace)
                there = self._catalogue.get(portable.name)
                if model == there:
                    unchanged.append(model.name)
                else:
                    changed[model.name] = model
            except LlamactlError as error:
                problems.append(error)
        try:
            self._catalogue.free(changed.values())
        except LlamactlError as error:
            problems.append(error)
        _raise(problems)
        before = frozenset(model.name for model in self._catalogue.models())
        return _Plan(presets, tuple(changed.values()), tuple(unchanged), tuple(absent), before)

    def _preset(self, name: str, settings: Bundle, replace: bool) -> dict[str, Bundle]:
        """The preset, or nothing if it is there as it is."""
        presets = checked_presets({name: settings})
        if own := sorted(OF_ONE_MODEL & presets[name].keys()):
            raise BadRequest(f"preset {name}: {', '.join(own)} says which model it is")
        there = self._presets.get(name)
        if there == presets[name]:
            return {}
        if there is not None and not replace:
            raise Refused(f"preset {name}: there is another one of that name", "add --replace")
        return presets

    def _known(self, portable: PortableModel) -> None:
        if self._presets.get(portable.preset) is None:
            raise NotFound(f"{portable.name}: there is no preset {portable.preset}", "llamactl presets ls")

    def _model(self, portable: PortableModel, file: File | Unusable | None, replace: bool) -> Model:
        there = self._catalogue.get(valid_name(portable.name))
        try:
            settings = merged({}, portable.settings, ())
        except (BadRequest, Refused) as error:
            raise type(error)(f"{portable.name}: {error.message}", error.hint) from None
        if isinstance(file, File):
            path, size = file.path, file.size
        else:
            path, size = portable.path, portable.size
        aliases = tuple(dict.fromkeys(alias for alias in portable.aliases if alias != portable.name))
        if there is None:
            new = Model(
                name=portable.name,
                path=path,
                size=size,
                aliases=aliases,
                settings=settings,
                preset=portable.preset,
                shapes=portable.shapes,
            )
            return as_in(file, new) if isinstance(file, File) else new
        if not replace and (differing := list(_differences(there, portable, path, settings))):
            raise Refused(f"{portable.name}: it is here already, with another {', '.join(differing)}", "add --replace")
        if path and path != there.path:
            there = Model(name=there.name, path=path, size=size, aliases=there.aliases, shapes=there.shapes)
            there = as_in(file, there) if isinstance(file, File) else there
        if path and replace:
            return msgspec.structs.replace(
                there, aliases=aliases, settings=settings, preset=portable.preset, shapes=portable.shapes
            )
        return msgspec.structs.replace(
            there,
            aliases=tuple(dict.fromkeys((*there.aliases, *aliases))),
            settings={**there.settings, **settings},
            preset=portable.preset or there.preset,
            shapes={**there.shapes, **portable.shapes},
        )

    async def _check(self, plan: "_Plan") -> None:
        assumed = Assumed(presets=plan.presets)
        problems: list[LlamactlError] = []
        names = {model.name for model in plan.changed}
        users = [
            model for model in self._catalogue.models() if model.preset in plan.presets and model.name not in names
        ]
        for model in (*plan.changed, *users):
            await checkpoint()  # of a thousand models others need not wait for all
            try:
                await self._launch.check(model, assumed)
            except LlamactlError as error:
                problems.append(type(error)(f"{model.name}: {error.message}", error.hint))
        _raise(problems)


class _Plan(msgspec.Struct, frozen=True):
    """`before` are the names that the catalogue has."""

    presets: dict[str, Bundle]
    changed: tuple[Model, ...]
    unchanged: tuple[str, ...]
    absent: tuple[str, ...]
    before: frozenset[str]


def _differences(there: Model, portable: PortableModel, path: str, settings: Mapping[str, Setting]) -> Iterator[str]:
    """What would be lost of a model that is there."""
    if path and path != there.path:
        yield "file"
    if portable.preset and there.preset and portable.preset != there.preset:
        yield "preset"
    if any(there.shapes.get(variant, shape) != shape for variant, shape in portable.shapes.items()):
        yield "shape of requests"
    yield from (name for name, value in settings.items() if there.settings.get(name, value) != value)


def _look_at(models: list[PortableModel]) -> dict[str, File | Unusable]:
    """The files, by the path that is given."""
    files: dict[str, File | Unusable] = {}
    for path in {model.path: None for model in models if model.path}:
        try:
            [files[path]] = examine(path).files
        except NotUsable as error:
            files[path] = Unusable(path, error.reason)
    return files


def _raise(problems: list[LlamactlError]) -> None:
    """All of them as one, of the kind of the first."""
    if problems:
        told = [problem.message for problem in problems[:_TOLD]]
        if len(problems) > _TOLD:
            told.append(f"and {len(problems) - _TOLD} more")
        raise type(problems[0])("\n".join(told), problems[0].hint)


def _secrets(settings: Mapping[str, Setting]) -> tuple[str, ...]:
    return tuple(sorted(SECRET_SETTINGS & settings.keys()))


def _without_secrets(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    return {name: value for name, value in settings.items() if name not in SECRET_SETTINGS}
