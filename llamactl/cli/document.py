"""Models and presets as files: read from ours and from those of others, written as JSON and INI."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from llamactl.cli import render
from llamactl.config.given import read_text
from llamactl.core.errors import BadRequest
from llamactl.core.imported import Note, whole
from llamactl.core.model import Setting
from llamactl.rpc.calls import PortableModel

if TYPE_CHECKING:  # 16 ms that only an import costs
    from llamactl.config.imports.report import Imported, ImportedModel

Settings = Mapping[str, Setting]

LARGEST = 8 << 20
"""Bytes of a file; what the daemon is told at once has its limit too."""

CATALOGUE = render.schema("catalogue")


class Document(msgspec.Struct, kw_only=True):
    """What a file says; `notes` are about what became of a file that is not ours."""

    format: str
    models: list[PortableModel] = []
    presets: dict[str, dict[str, Setting]] = {}
    notes: list[Note] = []
    elsewhere: bool = False
    """It says something of llamactl itself too, which is for `config import`."""

    @property
    def whole(self) -> bool:
        return whole(self.notes)


class _Models(msgspec.Struct):
    items: list[PortableModel]
    presets: dict[str, dict[str, Setting]] = {}


def read(file: Path) -> Document:
    """Raises `NotFound`, and `BadRequest` with the place of what is wrong; `-` is the standard input."""
    path, text = _text(file)
    ours = _ours(path, text)
    if ours is None:
        return _of_others(path, text)
    found = _convert(path, ours)
    models = [
        msgspec.structs.replace(model, path=str(path.parent / Path(model.path).expanduser())) if model.path else model
        for model in found.items
    ]
    return Document(format=CATALOGUE, models=models, presets=found.presets)


def read_presets(file: Path) -> dict[str, dict[str, Setting]]:
    """Those of a file that `presets export` or `models export` has written. Raises the same."""
    path, text = _text(file)
    ours = _ours(path, text)
    if ours is None:
        raise BadRequest(f"{path} has no presets of llamactl in it", f"for models: llamactl models import {file}")
    return _convert(path, ours).presets


def write_ini(sections: Mapping[str, tuple[str, Mapping[str, Setting]]]) -> None:
    """As presets of llama.cpp, to the standard output."""
    from llamactl.config.ini import ini

    text, left = ini(sections)
    render.text(text, end="")
    for name, settings in left.items():
        render.note(f"{name}: {', '.join(settings)} cannot be said in this format")


def left_out(of: str, secrets: Iterable[str]) -> None:
    """A note, where there are any."""
    if names := ", ".join(secrets):
        render.note(f"{of}: {names} left out, which nobody else should see")


# --- inside --------------------------------------------------------------------------------------


def _text(file: Path) -> tuple[Path, str]:
    """With the path that names it and that relative ones start beside."""
    if str(file) == "-":
        path = Path.cwd() / "standard input"
        return path, read_text(path, LARGEST, sys.stdin.buffer)
    path = file.expanduser().absolute()
    return path, read_text(path, LARGEST)


def _ours(path: Path, text: str) -> dict[str, Any] | None:
    """A document of llamactl; None for anything else, which others look at. Raises `BadRequest` for what is no file."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    schema = found.get("schema") if isinstance(found, dict) else None
    if not isinstance(schema, str) or not schema.startswith("llamactl."):
        return None
    if schema != CATALOGUE:
        raise BadRequest(f"{path} is {schema}, which is not for import", "llamactl models export > FILE")
    return found  # type: ignore[no-any-return]  # a dictionary, or it had no schema


def _convert(path: Path, document: dict[str, Any]) -> _Models:
    try:
        return msgspec.convert(document, _Models)
    except msgspec.ValidationError as error:
        raise BadRequest(f"{path}: {error}", "llamactl models export writes such a file") from None


def _of_others(path: Path, text: str) -> Document:
    import os

    from llamactl.config.imports.choose import interpret

    try:
        found = interpret(path, text, os.environ)
    except BadRequest as error:
        raise BadRequest(f"{path}: {error.message}", error.hint) from None
    document = Document(format=found.format, elsewhere=bool(found.keys))
    document.notes = [_elsewhere(note, found) for note in found.notes]
    document.models = [_portable(model, document.notes) for model in found.models]
    document.models += [
        PortableModel(name=name, settings={"chat_template": template}) for name, template in found.templates.items()
    ]
    return document


def _elsewhere(note: "Note", found: "Imported") -> "Note":
    if note.became.partition(" = ")[0] in found.keys:
        return msgspec.structs.replace(note, outcome="left", became="", why="it is for: llamactl config import")
    return note


def _portable(model: "ImportedModel", notes: list[Note]) -> PortableModel:
    import shlex
    import shutil

    from llamactl.config.imports.flags import from_words
    from llamactl.config.imports.models import settings_of

    settings, rest = settings_of(model)
    words: list[str] = []
    for flag in from_words(rest):
        if flag.parameter is not None and flag.parameter.gone:
            notes.append(Note(f"{model.name}: {flag.word}", "left", why=flag.parameter.gone))
        else:
            words += flag.words
    if words:
        settings["custom_params"] = shlex.join(words)
    if model.engine:
        if engine := shutil.which(str(Path(model.engine).expanduser())):
            settings["server_path"] = str(Path(engine).absolute())
        else:
            notes.append(Note(f"{model.name}: {model.engine}", "left", why="there is no such program here"))
    for variable in model.env:
        why = "a model has no environment of its own here; GPUs are chosen by the setting device"
        notes.append(Note(f"{model.name}: {variable}", "left", why=why))
    if model.ttl is not None:
        settings["ttl"] = model.ttl
    return PortableModel(name=model.name, path=model.path, aliases=model.aliases, settings=settings)
