"""Presets of llama.cpp's router: an INI file with a section for each model, flags as keys.

As llama.cpp reads it: a section that comes twice counts as it is the second time, a comment begins anywhere in a
line, `[*]` holds for all.
"""

import re
from pathlib import Path

import msgspec

from llamactl.config.imports import models
from llamactl.config.imports.flags import from_setting
from llamactl.config.imports.ledger import Ledger
from llamactl.config.imports.report import Imported
from llamactl.core.errors import BadRequest
from llamactl.core.parameters import BY_FLAG, find

FORMAT = "llama.cpp presets"

_HEADER = re.compile(r"\[\s*([^\]]+?)\s*\]")
_SETTING = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*(.*)")

_VARIABLES = {"LLAMA_ARG_STATIC_PATH": "path", "LLAMA_API_KEY": "api-key", "HF_TOKEN": "hf-token"}
"""Of those that llama-server reads, the ones that are called otherwise than their flags."""

_ONLY_HERE = {
    "stop-timeout": "residency.drain says it for all models",
    "dedup-cache-models": "llamactl has no second list of models",
}


def presets(text: str, base: Path) -> Imported:
    """Raises `BadRequest` with the line that is no INI."""
    ledger = Ledger(FORMAT, base)
    sections = _sections(text)
    for_all = sections.pop("*", {})
    preloaded = []
    for name, own in sections.items():
        settings = {**for_all, **own}
        preload = settings.pop("load-on-startup", "").lower() in ("on", "enabled", "true", "1")
        for key, why in _ONLY_HERE.items():
            if settings.pop(key, None) is not None:
                ledger.left(f"{name}: {key}", why)
        keys = {key: _key(key) for key in settings}
        env = {key: value for key, value in settings.items() if not keys[key]}
        flags = [from_setting(keys[key], value) for key, value in settings.items() if keys[key]]
        model = models.model_from(ledger, name, [flag for flag in flags if flag is not None])
        models.note(ledger, msgspec.structs.replace(model, env=env, preload=preload))
        preloaded += [name] * preload
    if preloaded:
        ledger.key("load-on-startup", "models.preload", preloaded, "a list of ours rather than a key of each")
    return ledger.close()


def _key(key: str) -> str:
    """The flag, without dashes: keys may also be names of variables. Empty for one that is no flag to us."""
    if key in _VARIABLES or not key.startswith("LLAMA_ARG_"):
        return _VARIABLES.get(key, key)
    bare = key.removeprefix("LLAMA_ARG_").lower()
    try:
        flags = find(bare).flags
    except BadRequest:
        return ""
    return bare.replace("_", "-") if f"--{bare}".replace("_", "-") in BY_FLAG else flags[0].lstrip("-")


def _sections(text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    name = "default"
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        content = re.split(r"[ \t]*[;#]", line, maxsplit=1)[0].strip()
        if header := _HEADER.fullmatch(content):
            name = header[1]
            found[name] = {}
        elif setting := _SETTING.fullmatch(content):
            if setting[1] != "version":
                found.setdefault(name, {})[setting[1]] = setting[2]
        elif content:
            raise BadRequest(f"line {number}: expected [model] or flag = value")
    return found
