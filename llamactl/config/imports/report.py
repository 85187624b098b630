"""What comes out of an import: values, models, and what became of everything that was there."""

import msgspec

from llamactl.config.sources import find
from llamactl.config.values import is_secret
from llamactl.config.written import HIDDEN, Plain
from llamactl.core.imported import Note, whole


class ImportedModel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model as another system runs it.

    `path` is absolute; where it is empty these are settings for a model that has to be in the catalogue under that
    name. `arguments` are llama-server's, in its spelling, without those that say where it listens and who may ask.
    `ttl` is in seconds, -1 for never, None as configured. `engine` is the llama-server of its own, if any: a file or a
    name in `PATH`. `env` may hold secrets.
    """

    name: str
    path: str = ""
    aliases: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    env: dict[str, str] = {}
    ttl: float | None = None
    engine: str = ""
    preload: bool = False


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """`keys` are those of our configuration with checked values, `templates` chat templates by model."""

    format: str
    keys: dict[str, Plain] = {}
    models: tuple[ImportedModel, ...] = ()
    templates: dict[str, str] = {}
    notes: tuple[Note, ...] = ()

    @property
    def shown(self) -> dict[str, Plain]:
        """The keys without secrets."""
        return {key: HIDDEN if is_secret(find(key)[1]) else value for key, value in self.keys.items()}

    @property
    def whole(self) -> bool:
        """Could everything be understood?"""
        return whole(self.notes)
