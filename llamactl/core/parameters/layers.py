"""The settings of a model and of all that stands behind it, and what they come to."""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from llamactl.core.errors import BadRequest, Refused
from llamactl.core.model import Setting
from llamactl.core.parameters import PARAMETERS, find, parse

BESIDE: Literal["found beside it"] = "found beside it"
"""The origin of settings that use a file that lies beside the model's."""

_ELSEWHERE = ("model_url", "docker_repo", "hf_repo", "one_shot_preset")
"""With one of these the model is another than that of the file."""

LOADING = ("mmap", "mlock", "direct_io")
"""What load_mode says in one word."""


class Layer(msgspec.Struct, frozen=True):
    """Settings from one place; `name` is that of the model or of the preset. None is as good as absent.

    Those of the origin `llamactl` nobody made: they were chosen so that the model fits into memory, and is measured.
    """

    origin: Literal["llamactl", "found beside it", "configuration", "server defaults", "preset", "model"]
    settings: Mapping[str, Setting | None]
    name: str = ""

    def way_out(self, setting: str) -> str:
        """How to be rid of one of its settings."""
        if self.origin == "model":
            return f"remove it with: llamactl models unset {self.name} {setting}"
        if self.origin == "configuration":
            return f"remove it with: llamactl config unset llama_server.{setting}"
        if self.origin == "preset":
            return f"remove it with: llamactl presets unset {self.name} {setting}"
        if self.origin == BESIDE:
            without = "spec_type=none" if setting == "model_draft" else "mmproj_auto=off"
            return f"do without it: llamactl models set {self.name} {without}"
        return f"remove it with: llamactl models defaults unset {setting}"

    @property
    def title(self) -> str:
        """The origin as it is shown: a model is known, a preset has a name."""
        return f"preset {self.name}" if self.origin == "preset" else self.origin


class Effective(msgspec.Struct, frozen=True):
    """A value that counts, and where it stands."""

    value: Setting
    layer: Layer


def effective(layers: Iterable[Layer]) -> dict[str, Effective]:
    """What counts of several layers, the strongest last, by parameter and in the order of the table.

    Raises `BadRequest` for a setting that there is not or that cannot have its value, `Refused` for one
    that llamactl never passes; both with the way out.
    """
    counting: dict[str, Effective] = {}
    for layer in layers:
        own = _own(layer)
        for name, value in own.items():
            for weaker in _outdone(name, value):
                counting.pop(weaker, None)
        counting |= {name: Effective(value, layer) for name, value in own.items()}
    return {name: counting[name] for name in PARAMETERS if name in counting}


def _own(layer: Layer) -> dict[str, Setting]:
    own: dict[str, Setting] = {}
    for given, value in layer.settings.items():
        if value is not None:
            try:
                own[find(given).name] = parse(given, value)
            except (BadRequest, Refused) as error:
                raise type(error)(error.message, layer.way_out(given)) from None
    for name in [name for name in own if PARAMETERS[name].inverts]:
        own.setdefault(PARAMETERS[name].inverts, not own.pop(name))
    if "load_mode" in own:
        own = {name: value for name, value in own.items() if name not in LOADING}
    return own


def _outdone(name: str, value: Setting) -> list[str]:
    """What of weaker layers counts no more where this is set to that."""
    if name in _ELSEWHERE:
        return ["mmproj", "model_draft"]
    if (name == "mmproj_auto" and not value) or name == "mmproj_url":
        return ["mmproj"]
    if (name == "spec_type" and value == "none") or name == "hf_repo_draft":
        return ["model_draft"]
    if name == "load_mode":
        return list(LOADING)
    if name in LOADING:
        return ["load_mode"]
    family = PARAMETERS[name].family
    return [other.name for other in PARAMETERS.values() if family and other.family == family]
