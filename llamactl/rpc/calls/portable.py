"""Models on their way from one catalogue to another."""

import msgspec

from llamactl.core.model import Setting, Unusable
from llamactl.core.shape import Shape
from llamactl.rpc.calls.call import Call


class PortableModel(msgspec.Struct, frozen=True, kw_only=True):
    """What is set for a model by itself, and where its file is; no path: settings for a model that is there."""

    name: str
    path: str = ""
    size: int = 0
    aliases: tuple[str, ...] = ()
    settings: dict[str, Setting] = {}
    preset: str = ""
    shapes: dict[str, Shape] = {}


class Portable(msgspec.Struct, frozen=True, kw_only=True):
    """`presets` are those that the models have; `secrets` the names of settings left out, by model or preset."""

    models: list[PortableModel]
    presets: dict[str, dict[str, Setting]] = {}
    secrets: dict[str, tuple[str, ...]] = {}


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """Names of models, and of presets that are new or changed.

    `unusable` models are there without their files. `absent` are those without a path that are not in the
    catalogue; nothing is kept of them.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()
    unusable: tuple[Unusable, ...] = ()
    absent: tuple[str, ...] = ()


class ExportModels(Call[Portable], frozen=True):
    """Models with their settings and presets, without secrets; no names: all."""

    method = "models.export"
    scope = "observe"
    names: tuple[str, ...] = ()


class ImportModels(Call[ImportReport], frozen=True):
    """Take in what was exported, all of it or nothing.

    What contradicts what is set here is refused, unless `replace`: then models and presets become as they are in
    the call. `dry_run` only reports.
    """

    method = "models.import"
    models: list[PortableModel]
    presets: dict[str, dict[str, Setting]] = {}
    replace: bool = False
    dry_run: bool = False
