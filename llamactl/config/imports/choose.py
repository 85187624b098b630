"""Which file is which."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from llamactl.config.given import read_text
from llamactl.config.imports import seed
from llamactl.config.imports.report import Imported
from llamactl.core.errors import BadRequest

LARGEST = 1 << 20
"""Bytes that are read of a file."""

KNOWN = "llama-server-config.json, app-config.json, model-templates.json, presets of llama.cpp, or a llama-swap YAML"


def read(path: Path, environment: Mapping[str, str] | None = None) -> Imported:
    """What a file of another system says; relative paths in it start at its directory.

    Raises `NotFound` where there is none, `BadRequest` where it is none of those that are known, with its name.
    """
    path, text = content(path)
    return interpret(path, text, os.environ if environment is None else environment)


def content(path: Path) -> tuple[Path, str]:
    """What stands in the file, or for `-` in the standard input, and how it is called. Raises as `read`."""
    if str(path) == "-":
        return Path.cwd() / "standard input", read_text(path, LARGEST, sys.stdin.buffer)
    path = path.expanduser().absolute()
    return path, read_text(path, LARGEST)


def interpret(path: Path, text: str, environment: Mapping[str, str], named: str = "") -> Imported:
    """The same of a text; what it is shows from the name, else from how it begins. Errors call it `named`, if that is
    another name."""
    try:
        return _interpret(path, text, environment)
    except BadRequest as error:
        raise BadRequest(f"{named or path}: {error.message}", error.hint) from None


def _interpret(path: Path, text: str, environment: Mapping[str, str]) -> Imported:
    base, begins = path.parent, re.sub(r"(?m)^\s*([;#].*)?$", "", text).lstrip()
    named = path.suffix
    if named == ".json" or (begins.startswith("{") and named not in (".yaml", ".yml")):
        return _json(text, base)
    if named == ".ini" or (re.match(r"\[|[\w.-]+\s*=", begins) and named not in (".yaml", ".yml")):
        from llamactl.config.imports.presets import presets

        return presets(text, base)
    if named in (".yaml", ".yml", ""):
        from llamactl.config.imports.llama_swap import llama_swap

        return llama_swap(text, base, environment)
    raise BadRequest("not a file that can be imported", f"known are {KNOWN}")


def _json(text: str, base: Path) -> Imported:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        said, _, at = str(error).partition(" (byte ")
        before = text.encode()[: int(at.rstrip(")"))] if at else b""
        line = f"line {before.count(10) + 1}: " if at else ""
        raise BadRequest(f"{line}{said}") from None
    if isinstance(document, dict):
        if document.keys() & set(seed.TEMPLATES):
            return seed.model_templates(document, base)
        if document.keys() & set(seed.APP):
            return seed.app_config(document, base)
        if document.keys() & set(seed.SERVER):
            return seed.server_config(document, base, lambda path: Path(path).expanduser().exists())
    raise BadRequest("not a file that can be imported", f"known are {KNOWN}")
