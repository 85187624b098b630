"""What comes out of an import: values, models, and what became of everything that was there."""

from typing import Literal

import msgspec

from llamactl.config.written import Plain

Outcome = Literal["taken", "translated", "left", "invalid"]


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one thing: `what` is its name there, `became` what it is called and is here.

    `left` has no counterpart, `why` says so; `invalid` could not be understood even there. Never has a secret in it.
    """

    what: str
    outcome: Outcome
    became: str = ""
    why: str = ""


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
    def whole(self) -> bool:
        """Could everything be understood?"""
        return all(note.outcome != "invalid" for note in self.notes)
