"""A model on disk and the settings it is started with."""

import re

import msgspec

from llamactl.core.errors import BadRequest
from llamactl.core.facts import Facts
from llamactl.core.shape import Shape

HOST = "host"
"""The device that is the machine's own memory."""

Setting = str | int | float | bool

MODALITIES = ("text", "image", "audio", "video")
"""What a model may take in, in the order in which they are told."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+@-]{0,254}")
_PUNCTUATION = re.compile(r"[^a-z0-9._:/+@-]+")


class Companion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file that lies beside a model and belongs to it: its projector, or a model that drafts for it.

    `modalities` are what a projector adds. `certain`: name and vocabulary say that it belongs to that model; any other
    is only worth a hint.
    """

    path: str
    size: int
    modalities: tuple[str, ...] = ()
    certain: bool = True


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a llama-server said of the model that it had loaded; what it did not say is as here."""

    parameters: int | None = None
    context_length: int | None = None
    vocabulary: int | None = None
    embedding_length: int | None = None
    chat_template: bool = False
    modalities: tuple[str, ...] = ()


class Model(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A name, the file behind it, and what is set for it.

    `path` is absolute, `size` the bytes of the file (all parts of it). `settings` holds only what is
    set; an absent one is left to what stands behind: first the preset of the name `preset`, if there is one.
    `shapes` are those of requests for it, by the variant they ask for; the empty name is for all that ask for none.
    `facts` is None until the file has been read. `fingerprint` tells files
    of different content apart wherever they are, `stamp` is what the file system said of the file when it was read.
    """

    name: str
    path: str
    size: int
    aliases: tuple[str, ...] = ()
    settings: dict[str, Setting] = {}
    preset: str = ""
    shapes: dict[str, Shape] = {}
    facts: Facts | None = None
    fingerprint: str = ""
    stamp: str = ""
    projector: Companion | None = None
    draft: Companion | None = None
    told: Told | None = None

    @property
    def known(self) -> Facts:
        """What the file says; what it does not say as its llama-server said it; and the modalities of its projector."""
        facts = self.facts or Facts()
        told = self.told or Told()
        gaps = {
            name: said
            for name in ("parameters", "context_length", "vocabulary", "embedding_length")
            if (said := getattr(told, name)) and not getattr(facts, name)
        }
        if self.facts is None:  # else it is known whether it has one; llama-server has one for those without
            gaps["chat_template"] = told.chat_template
        projector = self.projector if self.settings.get("mmproj_auto") is not False else None
        seen = {*facts.modalities, *told.modalities, *(projector.modalities if projector else ())}
        if len(seen) > len(facts.modalities):
            gaps["modalities"] = tuple(sorted(seen, key=MODALITIES.index))
        return msgspec.structs.replace(facts, **gaps) if gaps else facts

    def beside(self) -> dict[str, Setting]:
        """The settings that use what was found beside the model."""
        found: dict[str, Setting] = {}
        if self.projector is not None and self.projector.certain:
            found["mmproj"] = self.projector.path
        if self.draft is not None and self.draft.certain:
            found["model_draft"] = self.draft.path
        return found

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(sorted(filter(None, self.shapes)))

    def variant(self, name: str) -> "Model":
        """The model for requests that ask for this variant of it, whose shape then counts for all."""
        shape = self.shapes[name].over(self.shapes.get("", Shape()))
        return msgspec.structs.replace(self, shapes={"": shape})

    @property
    def ttl(self) -> float | None:
        """Seconds that it stays loaded when idle, -1 for ever; None: as all do."""
        ttl = self.settings.get("ttl")
        return float(ttl) if isinstance(ttl, int | float) else None

    @property
    def pinned(self) -> bool:
        """Once loaded, it is not evicted."""
        return self.settings.get("pinned") is True


class Unusable(msgspec.Struct, frozen=True):
    """A file or directory that a scan came upon and cannot use; `reason` goes on after "because"."""

    path: str
    reason: str


class ScanReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan for models came to: names, sorted, and `known`, the number of models found as they were.

    `changed` have other contents than before, or something else beside them. `moved` were found at another path and
    keep name and settings. `missing` are in the catalogue while their file is gone.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
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
