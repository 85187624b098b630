"""One key of a file changed, and nothing else: comments, order and all that is unusual stay as they are.

Pure: text in, text out. What comes out has been parsed again, and says what was wanted.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from llamactl.config.lines import Line, lines
from llamactl.config.sources import Key, parse
from llamactl.config.written import Plain
from llamactl.core.errors import LlamactlError, Refused


def assign(path: Path, text: str, key: Key, value: Plain) -> str:
    """`text` with that value for the key. `path` is for the errors.

    A key that is not there yet goes below its own line that is commented out, else below the last key of its
    section; a section that is not there, to the end. Raises `BadRequest` for a text that is no TOML, `Refused`
    where the key cannot be set without rewriting the file.
    """
    section, name = key
    wanted = parse(path, text)
    there = wanted.get(section)
    if not isinstance(there, dict | None):
        raise _hopeless(path, key)
    if there is None or name not in there:
        ways = [_insert, _insert_dotted, _append, _replace]
    else:
        is_table = any(line.name[:2] == key and (line.header or line.name[2:]) for line in lines(text))
        ways = [_renew, _replace] if is_table else [_replace, _renew]
    wanted[section] = {**(there or {}), name: value}
    return _first(path, text, key, wanted, [_with(way, key, value) for way in ways])


def remove(path: Path, text: str, key: Key) -> str:
    """`text` without the key, or `text` itself. Raises the same."""
    section, name = key
    wanted = parse(path, text)
    there = wanted.get(section)
    if not isinstance(there, dict) or name not in there:
        return text
    wanted[section] = {other: value for other, value in there.items() if other != name}
    return _first(path, text, key, wanted, [lambda text: _drop(text, key), lambda text: _take_out(text, key)])


def merge(path: Path, text: str, values: Mapping[str, Plain]) -> str:
    """`text` with all of these, by `section.key`; lists get longer rather than lost. Raises the same as `assign`."""
    for name, value in values.items():
        section, _, key = name.partition(".")
        if isinstance(value, list):
            there = parse(path, text).get(section, {})
            before = there.get(key, []) if isinstance(there, dict) else []
            value = [*before, *(each for each in value if each not in before)] if isinstance(before, list) else value
        text = assign(path, text, (section, key), value)
    return text


def _first(path: Path, text: str, key: Key, wanted: dict[str, Any], ways: list[Callable[[str], str]]) -> str:
    """What the first of several ways makes of the text that comes out as wanted."""
    for way in ways:
        try:
            changed = way(text)
            if _without_empty(parse(path, changed)) == _without_empty(wanted):
                return changed
        except (LlamactlError, ValueError, LookupError, TypeError):
            continue  # tomlkit cannot do everything with everything; the next way is another
    raise _hopeless(path, key)


def _with(way: Callable[[str, Key, Plain], str], key: Key, value: Plain) -> Callable[[str], str]:
    return lambda text: way(text, key, value)


def _without_empty(tables: dict[str, Any]) -> dict[str, Any]:
    return {name: table for name, table in tables.items() if table != {}}


def _hopeless(path: Path, key: Key) -> Refused:
    return Refused(f"{'.'.join(key)} cannot be changed in {path} as that is written", "llamactl config edit")


# --- ways to do it -------------------------------------------------------------------------------


def _insert(text: str, key: Key, value: Plain) -> str:
    """A line of its own in a section that has a header."""
    section, name = key
    here = [line for line in lines(text) if line.table == (section,)]
    below = next((line for line in here if line.comment and re.match(rf"\s*{name}\s*=", line.comment)), None)
    last_key = next((line for line in reversed(here) if line.key), None)
    header = next(line for line in here if line.header) if here else None
    after = below or last_key or header
    if after is None:
        raise LookupError(section)
    return _put(text, after.last, f"{_indent(text, last_key)}{name} = {_item(value).as_string()}")


def _insert_dotted(text: str, key: Key, value: Plain) -> str:
    """A line below others that name the section themselves: `http.port = 1`."""
    section, name = key
    others = [line for line in lines(text) if not line.table and line.key[:1] == (section,) and line.key[1:]]
    if not others:
        raise LookupError(section)
    return _put(text, others[-1].last, f"{_indent(text, others[-1])}{section}.{name} = {_item(value).as_string()}")


def _append(text: str, key: Key, value: Plain) -> str:
    """A section of its own at the end."""
    section, name = key
    rows = [f"[{section}]", f"{name} = {_item(value).as_string()}"]
    return _put(text, text.count("\n") + 1, *([""] if text.strip() else []), *rows)


def _replace(text: str, key: Key, value: Plain) -> str:
    """Another value in the same place."""
    import tomlkit  # 60 ms that only this needs

    document: Any = tomlkit.parse(text)
    document[key[0]][key[1]] = _item(value)
    return tomlkit.dumps(document)


def _renew(text: str, key: Key, value: Plain) -> str:
    """A line instead of a table."""
    dropped = _drop(text, key)
    for way in (_insert, _insert_dotted):
        with suppress(LookupError):
            return way(dropped, key, value)
    return _append(dropped, key, value)


def _drop(text: str, key: Key) -> str:
    """Without the lines of the key, whether it is a value, some dotted keys or a table."""
    rows = text.split("\n")
    belongs: Callable[[Line], bool] = lambda line: line.name[:2] == key and bool(line.key or line.header)  # noqa: E731
    gone = {number for line in lines(text) if belongs(line) for number in range(line.first, line.last + 1)}
    return "\n".join(row for number, row in enumerate(rows, 1) if number not in gone)


def _take_out(text: str, key: Key) -> str:
    """Without the key of an inline table."""
    import tomlkit

    document: Any = tomlkit.parse(text)
    del document[key[0]][key[1]]
    return tomlkit.dumps(document)


def _put(text: str, after: int, *rows: str) -> str:
    """With these rows below the line of that number."""
    return_ = "\r" if "\r\n" in text else ""
    if text and not text.endswith("\n"):
        text += f"{return_}\n"
    before = text.split("\n")
    at = min(after, len(before) - 1)
    return "\n".join([*before[:at], *(row + return_ for row in rows), *before[at:]])


def _indent(text: str, line: Line | None) -> str:
    if line is None:
        return ""
    found = re.match(r"[ \t]*", text.split("\n")[line.first - 1])
    return found[0] if found else ""


def _item(value: Plain) -> Any:
    import tomlkit

    if isinstance(value, dict):
        table = tomlkit.inline_table()
        table.update(value)
        return table
    return tomlkit.item(value)
