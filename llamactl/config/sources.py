"""What files and environment say: from text to values, with the place of everything that is wrong.

Problems are collected rather than raised, so that all of them can be shown at once.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from llamactl.config import values as kinds
from llamactl.config.lines import line_of, lines, twice
from llamactl.config.origin import Origin
from llamactl.config.sections import SECTIONS
from llamactl.core import parameters
from llamactl.core.errors import BadRequest

Key = tuple[str, str]
"""Section and key."""

Problems = list[BadRequest]


class Given(msgspec.Struct, frozen=True):
    """A value as somebody wrote it, and where. Relative paths in it start at `base`."""

    raw: object
    origin: Origin
    base: Path
    text: bool = False


@cache
def types(section: str) -> Mapping[str, Any]:
    """The type of each key of a section."""
    return {field.name: field.type for field in msgspec.structs.fields(SECTIONS[section])}


def find(name: str) -> tuple[Key, Any]:
    """The key that `section.key` stands for, with its type. Raises `BadRequest`, which knows similar ones."""
    section, _, key = name.partition(".")
    if section in SECTIONS and (kind := types(section).get(key)) is not None:
        return (section, key), kind
    known = [f"{section}.{key}" for section in SECTIONS for key in types(section)]
    if section in SECTIONS:
        hint = _hint(key, section)
    else:
        near = difflib.get_close_matches(name, known, 2, 0.7)
        hint = f"did you mean {' or '.join(near)}?" if near else ""
    same = [each for each in known if each.rpartition(".")[2] == name.rpartition(".")[2]]
    if not hint and same:
        hint = f"did you mean {' or '.join(same)}?"
    raise BadRequest(f"unknown key {name}", hint or "llamactl config show -v has them all")


def _hint(key: str, section: str) -> str:
    """Which key of a section may be meant, or why there is none."""
    if section == "llama_server":
        with suppress(BadRequest):
            parameter = parameters.find(key)
            why = parameter.never or parameter.gone or ("it is set for one model: models set" if parameter.ours else "")
            return why if why or parameter.name not in types(section) else f"it is {section}.{parameter.name} here"
    near = difflib.get_close_matches(key, types(section), 2)
    return f"did you mean {' or '.join(f'{section}.{each}' for each in near)}?" if near else ""


def values(given: Mapping[Key, Given], problems: Problems) -> dict[Key, Any]:
    """What was given, each as its key has it."""
    found = {}
    for section in SECTIONS:
        for key, kind in types(section).items():
            if (one := given.get((section, key))) is not None:
                try:
                    found[section, key] = kinds.read(kind, one.raw, one.base, one.text)
                except BadRequest as error:
                    hint = error.hint or one.origin.remedy
                    problems.append(BadRequest(f"{one.origin}: {section}.{key}: {error.message}", hint))
    return found


# --- the environment -----------------------------------------------------------------------------


def hiding(keys: Iterable[str], environment: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that win over what a file says of these keys (`section.key`)."""
    found = variables(environment, [])
    names = (tuple(key.split(".", 1)) for key in keys)
    return tuple(f"LLAMACTL_{section}_{key}".upper() for section, key in names if (section, key) in found)


def variables(environment: Mapping[str, str], problems: Problems, here: Path | None = None) -> dict[Key, Given]:
    """`LLAMACTL_<SECTION>_<KEY>`; other variables that begin with LLAMACTL_ are none of ours.

    Relative paths start `here`, else in the working directory.
    """
    found = {}
    for variable, said in sorted(environment.items()):
        for section in SECTIONS:
            prefix = f"LLAMACTL_{section.upper()}_"
            if not variable.startswith(prefix):
                continue
            origin = Origin("environment", variable=variable)
            key = variable.removeprefix(prefix).lower()
            if not _known(key, types(section), origin, section, problems):
                continue
            try:
                raw = kinds.untext(types(section)[key], said)
            except BadRequest as error:
                problems.append(BadRequest(f"{origin}: {section}.{key}: {error.message}", origin.remedy))
                continue
            if raw is not None:
                found[section, key] = Given(raw, origin, here or Path.cwd(), text=True)
    return found


# --- a file --------------------------------------------------------------------------------------


def text(path: Path, *, missing_ok: bool = True, forbidden_ok: bool = False) -> str | None:
    """What stands in the file, ends of lines as they are; None if it is not there, or closed to us, and may be."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        if missing_ok:
            return None
        raise BadRequest(f"no configuration file {path}", f"ls {path.parent}") from None
    except PermissionError:
        if forbidden_ok:
            return None
        raise BadRequest(f"may not read the configuration file {path}", f"ls -ld {path.parent} {path}") from None
    except UnicodeDecodeError:
        raise BadRequest(f"{path} is not a text in UTF-8", f"file {path}") from None
    except OSError as error:
        raise BadRequest(f"cannot read the configuration file {path}: {error.strerror}", f"ls -l {path}") from None


def check(path: Path, content: str, base: Path | None = None) -> Problems:
    """All that is wrong with a file of that content; relative paths in it start at `base`."""
    problems: Problems = []
    values(tables(path, content, problems, base), problems)
    return problems


def tables(path: Path, content: str, problems: Problems, base: Path | None = None) -> dict[Key, Given]:
    """What a file of that content sets; no value has been looked at yet."""
    found: dict[Key, Given] = {}
    try:
        parsed = parse(path, content)
    except BadRequest as error:
        problems.append(error)
        return found
    places = _places(content)
    for section, table in parsed.items():
        origin = Origin("file", str(path), line_of(content, section))
        if not _known(section, SECTIONS, origin, "", problems):
            continue
        if not isinstance(table, dict):
            hint = f"write [{section}] above its keys"
            problems.append(BadRequest(f"{origin}: {section} is a section", hint))
            continue
        for key, raw in table.items():
            line = places.get((section, key)) or line_of(content, section, key)
            origin = Origin("file", str(path), line)
            if _known(key, types(section), origin, section, problems):
                found[section, key] = Given(raw, origin, base or path.parent)
    return found


def differing(path: Path, before: str, after: str) -> list[str]:
    """The keys that two texts of the file say different things of."""
    old, new = ({key: given.raw for key, given in tables(path, text, []).items()} for text in (before, after))
    return [".".join(key) for key in {**old, **new} if old.get(key) != new.get(key)]


def refuse(problems: Problems, hint: str = "") -> None:
    """Raises all that is wrong at once, if anything is."""
    if problems:
        raise BadRequest("\n".join(problem.message for problem in problems), hint or problems[0].hint)


def _places(content: str) -> dict[tuple[str, ...], int]:
    """The line of every section and key that has one of its own; the first, where there are several."""
    return {line.name[:2]: line.first for line in reversed(list(lines(content))) if line.key or line.header}


_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def parse(path: Path, content: str) -> dict[str, Any]:
    """What stands in a TOML text; raises `BadRequest` with the line."""
    import tomllib  # 10 ms that only a file costs

    try:
        return tomllib.loads(content)
    except RecursionError:
        raise BadRequest(f"{path}: nested too deeply") from None
    except ValueError as error:
        said, again = str(error), twice(content)
        if "overwrite" in said and again is not None:  # the line of the second is not told
            raise BadRequest(f"{path}, line {again.first}: {'.'.join(again.name)} is there twice") from None
        said = re.sub(r"Cannot declare \((.*?),?\) twice", r"the table \1 is there twice", said)
        at = _AT.search(said)
        number = at and (at[1] or len(content.rstrip().splitlines()) or 1)
        where = f"{path}, line {number}" if number else f"{path}"
        raise BadRequest(f"{where}: {_AT.sub('', said)}") from None


def _known(name: str, names: Mapping[str, object], origin: Origin, section: str, problems: Problems) -> bool:
    if name in names:
        return True
    if section:
        problems.append(BadRequest(f"{origin}: unknown key {section}.{name}", _hint(name, section) or _all(names)))
    else:
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}?" if near else _all(names)
        problems.append(BadRequest(f"{origin}: unknown section {name}", hint))
    return False


def _all(names: Iterable[str]) -> str:
    known = list(names)
    return f"known are {', '.join(known)}" if len(known) < 20 else "llamactl config show -v has them all"
