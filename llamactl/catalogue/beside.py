"""What lies beside a model and belongs to it: projectors (`mmproj`) and draft models (pure).

A projector is for the models whose name it has in its own, or, if it has none, for the only family of models around.
"""

import re
from collections.abc import Sequence
from pathlib import PurePath

import msgspec

from llamactl.core.facts import Facts
from llamactl.core.model import Companion

_PROJECTOR = re.compile(r"(?:^|[-_.])mmproj(?:[-_.]|$)", re.IGNORECASE)
_DRAFT = re.compile(r"(?:^|[-_.])draft(?:er)?(?:[-_.]|$)", re.IGNORECASE)
_QUANTISATION = re.compile(
    r"(?:^|(?<=[-_.]))(?:ud[-_.])?(?:(?:iq|tq|q)\d(?:_[0-9a-z]+)*|bf16|fp?16|fp?32|fp8|mxfp4(?:_moe)?)(?=[-_.]|$)"
)
_SAYS_NOTHING = frozenset(("mmproj", "projector", "model", "ggml", "gguf", "draft", "drafter", "vision", "clip"))
_DRAFTERS = frozenset(("eagle3", "dflash"))
"""Architectures that only draft."""

_NO_MODELS = {
    "adapter": "it is an adapter for a model (set lora=FILE of that), not a model",
    "imatrix": "it is an importance matrix for quantising, not a model",
}
"""By kind."""

_PRECISIONS = ("f16", "bf16", "f32", "q8_0")
"""Of projectors, the best first: F16 is exact enough, and quick everywhere."""


class Neighbour(msgspec.Struct, frozen=True):
    """A usable file; `stem` is its name without suffix and number of part."""

    path: str
    stem: str
    size: int
    facts: Facts

    @property
    def is_projector(self) -> bool:
        return _PROJECTOR.search(self.stem) is not None or self.facts.kind == "mmproj"

    @property
    def only_drafts(self) -> bool:
        return self.facts.architecture in _DRAFTERS

    @property
    def drafts(self) -> bool:
        return self.only_drafts or _DRAFT.search(self.stem) is not None

    @property
    def no_model(self) -> str:
        """Why it is none, for those that can be linked to one; empty if it is one."""
        if self.is_projector:
            return "it is a projector (mmproj) that belongs to a model, not a model"
        if self.only_drafts:
            return "it is a draft model, which answers nothing by itself"
        return _NO_MODELS.get(self.facts.kind, "")

    @property
    def words(self) -> frozenset[str]:
        """Those that say which model it is, or is for."""
        return frozenset(re.split(r"[-_.\s]+", _QUANTISATION.sub("", self.stem.lower()))) - _SAYS_NOTHING - {""}

    @property
    def precision(self) -> int:
        said = self.stem.lower().replace("fp", "f") + "-" + self.facts.quantisation.lower()
        found = [rank for rank, precision in enumerate(_PRECISIONS) if re.search(rf"\b{precision}\b", said)]
        return min(found, default=len(_PRECISIONS))


class Links:
    """Which of `neighbours` belong to which."""

    def __init__(self, neighbours: Sequence[Neighbour]) -> None:
        self._models = [one for one in neighbours if not one.no_model and not one.drafts]
        self._projectors = [(one, self._for_all(one)) for one in neighbours if one.is_projector]
        self._drafts = [one for one in neighbours if one.drafts and not one.is_projector]

    def projector(self, model: Neighbour) -> Companion | None:
        """The best of those in the directory of the model, or else of those in the one above."""
        if model.drafts:
            return None
        fitting = [
            (_distance(one, model), -len(one.words & model.words), one.precision, one.path, one)
            for one, for_all in self._projectors
            if _distance(one, model) < 2 and (for_all if not one.words else _alike(one.words, model.words))
        ]
        if not fitting:
            return None
        best = min(fitting)[-1]
        adds = tuple(modality for modality in best.facts.modalities if modality != "text") or ("image",)
        return Companion(path=best.path, size=best.size, modalities=adds)

    def draft(self, model: Neighbour) -> Companion | None:
        """A draft model in the same directory with the vocabulary of the model.

        It is certain if it has the model's name, is the only such one, and is a model like any other.
        """
        if model.drafts or not model.facts.vocabulary:
            return None
        able = [
            one
            for one in self._drafts
            if not _distance(one, model) and (one.only_drafts or one.facts.vocabulary == model.facts.vocabulary)
        ]
        named = [one for one in able if one.words and one.words <= model.words]
        best = min(named or able, key=lambda one: (one.precision, one.path), default=None)
        if best is None:
            return None
        return Companion(path=best.path, size=best.size, certain=len(named) == 1 and not best.only_drafts)

    def _for_all(self, projector: Neighbour) -> bool:
        """Are all models around of one family, so that a projector without a name can only be theirs?"""
        return len({model.words for model in self._models if _distance(projector, model) < 2}) == 1


def _distance(companion: Neighbour, model: Neighbour) -> int:
    """0 in the same directory, 1 if the model is in one of those below, else 2."""
    of_companion, of_model = PurePath(companion.path).parent, PurePath(model.path).parent
    return 0 if of_companion == of_model else 1 if of_companion == of_model.parent else 2


def _alike(some: frozenset[str], others: frozenset[str]) -> bool:
    return bool(some and others) and (some <= others or others <= some)
