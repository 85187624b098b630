"""Settings as they are typed and as they are shown."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from llamactl.cli.session import session
from llamactl.core.errors import BadRequest
from llamactl.core.model import Setting
from llamactl.rpc.calls import SettingRow

Assignments = Annotated[list[str], typer.Argument(metavar="KEY=VALUE…", help="All of them, or none if one is bad.")]
Keys = Annotated[list[str], typer.Argument(metavar="KEY…")]


def assigned(words: Iterable[str], command: str) -> dict[str, Setting]:
    """`KEY=VALUE` each; raises `BadRequest` with an example of the command. The daemon looks at the values."""
    values: dict[str, Setting] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise BadRequest(f"not KEY=VALUE: {word!r}", f"{command} jinja=on")
        values[key] = _absolute(key, value)
    return values


def _absolute(key: str, value: str) -> str:
    """Paths are meant as seen from here; the daemon sees them from elsewhere."""
    from llamactl.core.parameters import find  # 9 ms that only this command needs

    parameter = find(key)
    if parameter.kind != "path" or not value:
        return value
    return session.path(Path(value))


def shown(value: Setting | None, unit: str = "") -> str:
    """None is a secret."""
    if value is None:
        return "***"
    text = {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value).removesuffix(".0")
    return f"{text} {unit}".rstrip()


def columns(rows: Iterable[SettingRow]) -> dict[str, list[str]]:
    """A table of settings."""
    rows = list(rows)
    return {
        "SETTING": [row.name for row in rows],
        "VALUE": [shown(row.value, row.unit) for row in rows],
        "FROM": [row.origin for row in rows],
    }
