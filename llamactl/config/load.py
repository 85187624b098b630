"""Where the values come from: environment, then the user's file, then the system's, then the defaults."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from llamactl.config.directories import find_directories
from llamactl.config.sections import SECTIONS, Config
from llamactl.config.values import read, untext
from llamactl.core.errors import BadRequest

SYSTEM_FILE = Path("/etc/llamactl/config.toml")


class Given(msgspec.Struct, frozen=True):
    """A value as somebody wrote it, and where, for people. Relative paths in it start at `base`."""

    raw: object
    where: str
    base: Path
    text: bool = False


Key = tuple[str, str]
"""Section and key."""


def load(
    path: Path | None = None, environment: Mapping[str, str] | None = None, system_file: Path = SYSTEM_FILE
) -> Config:
    """The configuration. `path` is what `--config` says; it, else `LLAMACTL_CONFIG`, replaces the user's file.

    Raises `BadRequest`, which names the file with line and key, or the variable, where a value cannot be used, a
    section or key is unknown, or a file named explicitly is not there. A system file that this user
    may not read is passed over.
    """
    environment = os.environ if environment is None else environment
    directories = find_directories(environment)
    named = str(path or "") or environment.get("LLAMACTL_CONFIG", "")
    if named:
        directories = msgspec.structs.replace(directories, config_file=Path(named).expanduser().absolute())
    given: dict[Key, Given] = {}
    if system_file != directories.config_file:
        given |= _file(system_file, optional=True)
    given |= _file(directories.config_file, missing_ok=not named)
    given |= dict(_environment(environment))
    sections = {}
    for section, kind in SECTIONS.items():
        set_here = [(key, type_) for key, type_ in _types(section).items() if (section, key) in given]
        sections[section] = kind(**{key: _read(type_, (section, key), given[section, key]) for key, type_ in set_here})
    return Config(directories=directories, **sections)  # type: ignore[arg-type]  # SECTIONS comes from Config


def _types(section: str) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(SECTIONS[section])}


def _read(kind: Any, key: Key, given: Given) -> Any:
    try:
        return read(kind, given.raw, given.base, given.text)
    except BadRequest as error:
        raise BadRequest(f"{given.where}: {'.'.join(key)}: {error.message}", error.hint) from None


# --- the environment -----------------------------------------------------------------------------


def _environment(environment: Mapping[str, str]) -> Iterator[tuple[Key, Given]]:
    """`LLAMACTL_<SECTION>_<KEY>`; other variables that begin with LLAMACTL_ are none of ours."""
    for variable, text in sorted(environment.items()):
        for section in SECTIONS:
            prefix = f"LLAMACTL_{section.upper()}_"
            if not variable.startswith(prefix):
                continue
            where = f"{variable} in the environment"
            types, key = _types(section), variable.removeprefix(prefix).lower()
            _known(key, types, where, f"{section}.")
            try:
                raw = untext(types[key], text)
            except BadRequest as error:
                raise BadRequest(f"{where}: {section}.{key}: {error.message}") from None
            if raw is not None:
                yield (section, key), Given(raw, where, Path.cwd(), text=True)


# --- a file --------------------------------------------------------------------------------------


def _file(path: Path, *, missing_ok: bool = True, optional: bool = False) -> dict[Key, Given]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if missing_ok:
            return {}
        raise BadRequest(f"no configuration file {path}") from None
    except PermissionError:
        if optional:
            return {}
        raise BadRequest(f"may not read the configuration file {path}") from None
    except UnicodeDecodeError:
        raise BadRequest(f"{path} is not a text in UTF-8") from None
    except OSError as error:
        raise BadRequest(f"cannot read the configuration file {path}: {error.strerror}") from None
    return dict(_tables(path, text))


def _tables(path: Path, text: str) -> Iterator[tuple[Key, Given]]:
    for section, table in _parse(path, text).items():
        where = f"{path}, line {line_of(text, section)}"
        _known(section, SECTIONS, where, "")
        if not isinstance(table, dict):
            raise BadRequest(f"{where}: {section} is a section", f"write [{section}] above its keys")
        types = _types(section)
        for key, raw in table.items():
            where = f"{path}, line {line_of(text, section, key)}"
            _known(key, types, where, f"{section}.")
            yield (section, key), Given(raw, where, path.parent)


def _parse(path: Path, text: str) -> dict[str, Any]:
    import tomlkit  # 40 ms that only a file costs
    from tomlkit.exceptions import ParseError, TOMLKitError

    try:
        return tomlkit.parse(text).unwrap()
    except ParseError as error:
        what = re.sub(r" at line \d+ col \d+$", "", str(error)).replace("Unexpected character: '\\x00'", "unfinished")
        raise BadRequest(f"{path}, line {error.line}: {what}") from None
    except TOMLKitError as error:  # a key that is there twice; tomlkit does not say where
        raise BadRequest(f"{path}: {error}") from None


def _known(name: str, names: Mapping[str, object], where: str, prefix: str) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {prefix}{near[0]}?" if near else f"known are {', '.join(names)}"
        raise BadRequest(f"{where}: unknown {'key' if prefix else 'section'} {prefix}{name}", hint)


_HEADER = re.compile(r"\s*\[+([^\]]+)\]")
_ASSIGNMENT = re.compile(r"([^=#]+)=")


def line_of(text: str, section: str, key: str = "") -> int:
    """The line, counted from 1, where a section begins or a key of it is set.

    The nearest there is where the file is written in an unusual way (a key of an inline table: the line
    of the table); tomlkit does not tell where it found what.
    """
    table, nearest = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            here = table = _plain(header[1])
        elif assignment := _ASSIGNMENT.match(line):
            here = ".".join(filter(None, (table, _plain(assignment[1]))))
        else:
            continue
        names = here.split(".")
        if names[0] == section:
            if not key or names[1:2] == [key]:
                return number
            nearest = nearest or number
    return nearest or 1


def _plain(name: str) -> str:
    return re.sub(r"[\s\"']", "", name)
