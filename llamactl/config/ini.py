"""Settings as llama.cpp's presets have them: an INI file with a section for each model, flags as keys.

Pure. `imports.presets` reads it.
"""

import re
from collections.abc import Iterator, Mapping

from llamactl.config.imports.flags import from_words
from llamactl.core.model import Setting
from llamactl.core.parameters import PARAMETERS, Parameter, pieces

Section = tuple[str, Mapping[str, Setting]]
"""The path of a model, or nothing, and its settings."""

_UNSPEAKABLE = re.compile(r"[;#\r\n]|^\s|\s$|^$|^--?[A-Za-z]")
"""What begins a remark there, what gets lost, and what would be read as a flag."""


def ini(sections: Mapping[str, Section]) -> tuple[str, dict[str, list[str]]]:
    """The text, and by section what could not be said in it."""
    parts = ["version = 1\n"]
    left: dict[str, list[str]] = {}
    for name, (path, settings) in sections.items():
        keys: dict[str, str] = {}
        said: dict[str, dict[str, str] | None] = {"model": {"model": path}} if path else {}
        said |= {setting: _lines(setting, value) for setting, value in settings.items()}
        for what, lines in said.items():
            if lines is None or lines.keys() & keys.keys() or any(map(_UNSPEAKABLE.search, lines.values())):
                left.setdefault(name, []).append(what)
            else:
                keys |= lines
        parts.append("\n".join([f"[{name}]", *(f"{key} = {value}" for key, value in keys.items())]) + "\n")
    return "\n".join(parts), left


def _lines(setting: str, value: Setting) -> dict[str, str] | None:
    """The keys and values for a setting; None if there are none for it."""
    parameter = PARAMETERS.get(setting)
    if parameter is None or parameter.secret or parameter.never or parameter.gone:
        return None
    if parameter.kind == "arguments":
        return _arguments(pieces(parameter, value))
    if parameter.inverts:
        parameter, value = PARAMETERS[parameter.inverts], not value
    if not parameter.flags:
        return None
    if parameter.name == "one_shot_preset":
        return {str(value): "on"}
    if parameter.kind == "switch" and parameter.words is None:
        return _switch(parameter, bool(value))
    items = pieces(parameter, value)
    if parameter.passing != "joined" and len(items) > 1:
        return None  # a key can be there once only
    return {parameter.flags[0].lstrip("-"): parameter.separator.join(items)}


def _switch(parameter: Parameter, on: bool) -> dict[str, str]:
    """Where there is no flag to switch it off, nothing is passed."""
    return {parameter.flags[0].lstrip("-"): "on" if on else "off"} if on or parameter.off else {}


def _arguments(words: list[str]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for key, value in _pairs(words):
        if value is None or key in found:
            return None
        found[key] = value
    return found


def _pairs(words: list[str]) -> Iterator[tuple[str, str | None]]:
    """None for a flag of which only its own build knows that it has no value."""
    for flag in from_words(words):
        known = flag.parameter is not None
        yield flag.word.lstrip("-"), "on" if flag.value is None and known else flag.value
