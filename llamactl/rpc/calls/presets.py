"""Presets, named bundles of settings, and what the database sets for every model."""

import msgspec

from llamactl.core.model import Setting
from llamactl.rpc.calls.call import Call
from llamactl.rpc.calls.models import ModelRow, SettingRow


class PresetRow(msgspec.Struct, frozen=True, kw_only=True):
    """A preset; `models` are those that it is applied to. A value that is None is a secret."""

    name: str
    settings: dict[str, Setting | None]
    models: tuple[str, ...] = ()


class ListPresets(Call[list[PresetRow]], frozen=True):
    """All presets, by name."""

    method = "presets.list"
    scope = "observe"


class ShowPreset(Call[PresetRow], frozen=True):
    """One preset."""

    method = "presets.show"
    scope = "observe"
    name: str


class SavePreset(Call[PresetRow], frozen=True):
    """What is set for a model, by itself and by its preset, as a preset of its own name.

    Settings that say which model it is are left out. With `replace` a preset of that name becomes this.
    """

    method = "presets.save"
    name: str
    model: str
    replace: bool = False


class SetPreset(Call[PresetRow], frozen=True):
    """Change settings of a preset, all or none of them; one that is not there is made.

    They count for its models from their next start. Values may be texts, as they are typed. Refused is what the
    llama-server of one of its models does not have.
    """

    method = "presets.set"
    name: str
    set: dict[str, Setting] = {}
    unset: tuple[str, ...] = ()


class PutPresets(Call[list[PresetRow]], frozen=True):
    """Presets as they are here, all or none of them. Another one of such a name is replaced with `replace` only."""

    method = "presets.put"
    presets: dict[str, dict[str, Setting]]
    replace: bool = False


class ApplyPreset(Call[list[ModelRow]], frozen=True):
    """Let a preset stand behind the settings of these models, or none (None); all of them or none."""

    method = "presets.apply"
    models: tuple[str, ...]
    preset: str | None


class RemovePreset(Call[tuple[str, ...]], frozen=True):
    """Remove a preset; answers the models that it was applied to, which is refused without `force`."""

    method = "presets.remove"
    name: str
    force: bool = False


class ShowDefaults(Call[list[SettingRow]], frozen=True):
    """What counts for a model that sets nothing, and where it comes from."""

    method = "defaults.show"
    scope = "observe"


class SetDefaults(Call[list[SettingRow]], frozen=True):
    """Change what the database sets for every model, of the group `server` only; all of it or nothing."""

    method = "defaults.set"
    set: dict[str, Setting] = {}
    unset: tuple[str, ...] = ()
