"""`/api/models…`: the catalogue, and what is found for it."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from llamactl.core.model import ScanReport, Setting
from llamactl.core.parameters import PARAMETERS
from llamactl.rpc.calls import (
    AddModels,
    Engine,
    EngineRow,
    ImportModels,
    ImportReport,
    ListModels,
    ModelDetail,
    ModelRow,
    NewFile,
    PortableModel,
    RemoveModel,
    ScanModels,
    SetModel,
    ShowModel,
)
from llamactl.web.api.route import Asked, Route
from llamactl.web.shapes import STATUS

PATH = "/api/models"
ONE = f"{PATH}/{{name}}"

_SETTINGS = [name for name, parameter in PARAMETERS.items() if not parameter.never]
"""Those that may be set for a model."""

Absolute = Annotated[str, Meta(pattern="^/")]


class ModelEntry(ModelRow, frozen=True, kw_only=True):
    """A model as in the catalogue, and with the names that the dashboard has for it.

    `status` is `idle`, `loading`, `running` or `error`; `available`: its file is there.
    """

    id: str
    type: str
    status: str
    available: bool


class ModelEntries(msgspec.Struct):
    models: list[ModelEntry]


class NewModel(msgspec.Struct, forbid_unknown_fields=True):
    """A GGUF file; without a name the model is called after it."""

    path: Absolute
    name: str | None = None


class NewModels(msgspec.Struct, forbid_unknown_fields=True):
    models: Annotated[list[NewModel], Meta(min_length=1, max_length=1000)]


class Registered(msgspec.Struct):
    """How many, and which."""

    registered: int
    models: list[ModelEntry]


class ModelSettings(msgspec.Struct, forbid_unknown_fields=True):
    """By name. One that is null is no longer set for the model; one that is not named stays as it is."""

    settings: Annotated[dict[str, Setting | None], Meta(extra_json_schema={"propertyNames": {"enum": _SETTINGS}})]


class Removed(msgspec.Struct, rename="camel"):
    model_id: str


class Directories(msgspec.Struct, forbid_unknown_fields=True):
    """None: those of the configuration."""

    paths: tuple[Absolute, ...] = ()


class Discovered(msgspec.Struct, rename="camel"):
    """`discovered` are the models that are new; `report` says what became of all that was found."""

    discovered: list[ModelEntry]
    total_found: int
    report: ScanReport


class Import(msgspec.Struct, forbid_unknown_fields=True):
    """Models with their settings, and the presets that they have; `replace`, even if something else is set here.

    A file of `llamactl models export --format json` does as it is: its models are `items`. `dry_run` only reports.
    """

    models: list[PortableModel] = []
    items: list[PortableModel] = []
    presets: dict[str, dict[str, Setting]] = {}
    replace: bool = False
    dry_run: bool = False
    schema: Literal["llamactl.models/v1"] = "llamactl.models/v1"


class Imported(msgspec.Struct):
    """How many models are new and changed, and which."""

    imported: int
    updated: int
    report: ImportReport


class Rescanned(msgspec.Struct, rename="camel"):
    """`engine` is the llama-server that models are run with from now on."""

    models_found: int
    new_models: tuple[str, ...]
    report: ScanReport
    engine: EngineRow


async def list_models(asked: Asked) -> ModelEntries:
    """The catalogue: those of its models that the key is for."""
    rows = await asked.whole(ListModels())
    return ModelEntries([_entry(row) for row in rows if asked.caller.uses(row.name)])


async def add_models(asked: Asked, body: NewModels) -> Registered:
    """Put GGUF files into the catalogue, all or none. The same file twice is the same model."""
    rows = await asked(AddModels(tuple(NewFile(model.path, model.name) for model in body.models)))
    return Registered(len(rows), [_entry(row) for row in rows])


async def show_model(asked: Asked) -> ModelDetail:
    """A model, with its settings and where each comes from."""
    return await asked(ShowModel(asked.name))


async def change_model(asked: Asked, body: ModelSettings) -> ModelEntry:
    """Change settings of a model, all or none of them. They count from its next start."""
    given = {name: value for name, value in body.settings.items() if value is not None}
    gone = tuple(name for name, value in body.settings.items() if value is None)
    return _entry(await asked(SetModel(asked.name, given, gone)))


async def remove_model(asked: Asked) -> Removed:
    """Take a stopped model out of the catalogue. Its file stays."""
    await asked(RemoveModel(asked.name))
    return Removed(asked.name)


async def discover_models(asked: Asked, body: Directories) -> Discovered:
    """Look for GGUF files below these directories, or below the configured ones; what is found is in the catalogue."""
    report = await asked(ScanModels(body.paths))
    rows = await asked(ListModels()) if report.added else []
    return Discovered([_entry(row) for row in rows if row.name in report.added], _found(report), report)


async def import_models(asked: Asked, body: Import) -> Imported:
    """Take in models from another catalogue, all of them or none."""
    call = ImportModels([*body.models, *body.items], body.presets, body.replace, body.dry_run)
    report = await asked(call)
    return Imported(len(report.added), len(report.changed), report)


async def rescan(asked: Asked) -> Rescanned:
    """Look through the configured directories again, and for the llama-server that models are run with."""
    report = await asked(ScanModels())
    return Rescanned(_found(report), report.added, report, await asked(Engine()))


def _entry(row: ModelRow) -> ModelEntry:
    return ModelEntry(
        **msgspec.structs.asdict(row),
        id=row.name,
        type=row.architecture or "other",
        status=STATUS.get(row.state, "idle"),
        available=not row.missing,
    )


def _found(report: ScanReport) -> int:
    return report.known + len(report.added) + len(report.changed) + len(report.moved)


ROUTES = (
    Route("GET", PATH, list_models, ListModels),
    Route("POST", PATH, add_models, AddModels),
    Route("POST", f"{PATH}/discover", discover_models, ScanModels, ListModels),
    Route("POST", f"{PATH}/import", import_models, ImportModels),
    Route("GET", ONE, show_model, ShowModel),
    Route("PUT", ONE, change_model, SetModel),
    Route("DELETE", ONE, remove_model, RemoveModel),
    Route("POST", "/api/llama-server/rescan", rescan, ScanModels, Engine),
)
