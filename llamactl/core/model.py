"""A model on disk and the settings it is started with."""

import re

import msgspec

from llamactl.core.errors import BadRequest
from llamactl.core.facts import Facts

HOST = "host"
"""The device that is the machine's own memory."""

Setting = str | int | float | bool

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+@-]{0,254}")
_PUNCTUATION = re.compile(r"[^a-z0-9._:/+@-]+")


class Model(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A name, the file behind it, and what is set for it.

    `path` is absolute, `size` the bytes of the file (all parts of it). `settings` holds only what is
    set; an absent one is left to what stands behind: first the preset of the name `preset`, if there is one.
    `facts` is None until the file has been read.
    """

    name: str
    path: str
    size: int
    aliases: tuple[str, ...] = ()
    settings: dict[str, Setting] = {}
    preset: str = ""
    facts: Facts | None = None


class Unusable(msgspec.Struct, frozen=True):
    """A file or directory that a scan came upon and cannot use; `reason` goes on after "because"."""

    path: str
    reason: str


class ScanReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan for models came to: names, sorted, and `known`, the number of models found as they were.

    `changed` have another size than before, `missing` are in the catalogue while their file is gone.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unusable: tuple[Unusable, ...] = ()
    known: int = 0


def valid_name(name: str) -> str:
    """`name` itself; raises `BadRequest` when a client could not put it into `"model"` or a URL."""
    if _NAME.fullmatch(name) is None:
        raise BadRequest(
            f"not a model name: {name!r}",
            "letters, digits and . _ : / + @ - are allowed, the first a letter or digit, 255 at most",
        )
    return name


def name_from_file(stem: str) -> str:
    """A name from a file's name: `SmolLM2-135M-Instruct.Q4_1` → `smollm2-135m-instruct-q4_1`."""
    name = _PUNCTUATION.sub("-", stem.lower().replace(".q", "-q")).strip("-._:/+@")
    return name[:255] or "model"
