"""From the schema of an earlier release to that of today.

Each migration reads what its version kept, takes away those tables that have changed, and gives a function that
puts everything into the tables of today, which are made in between. Everything is one transaction; a copy of the
file as it was is made before.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec

from llamactl.core.errors import LlamactlError, Refused
from llamactl.core.model import Model, Setting
from llamactl.core.parameters import PARAMETERS, find
from llamactl.store.models import Models

Version = tuple[int, ...]

VERSION: Version = (2, 0)
"""Of the schema that this code reads and writes. Columns of settings may be added without a new one."""


def show(version: Version) -> str:
    return ".".join(map(str, version))


def identify(connection: sqlite3.Connection, path: Path) -> Version | None:
    """The version, None for an empty file; raises `Refused` for what is not ours or not known. Reads only."""
    elsewhere = "move it away, or set XDG_DATA_HOME"
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return None
    if "metadata" not in tables:
        raise Refused(f"{path} is the database of another program", elsewhere)
    try:
        row = connection.execute("SELECT value FROM metadata WHERE key = 'db_version'").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:  # it is not that there is no such column
            raise
        raise Refused(f"{path} is the database of another program", elsewhere) from None
    version = None if row is None else _read(str(row[0]))
    if version is None:
        raise Refused(f"{path} does not say which version it has", elsewhere)
    if version > VERSION:
        raise Refused(
            f"{path} was written by a newer llamactl (schema {show(version)}, this one knows {show(VERSION)}); "
            "it was not touched",
            "use that llamactl, or set XDG_DATA_HOME to start afresh",
        )
    if version != VERSION and version not in MIGRATIONS:
        raise Refused(f"{path} has schema {show(version)}, which no release had", elsewhere)
    return version


def _read(text: str) -> Version | None:
    parts = text.split(".")
    return tuple(map(int, parts)) if all(part.isascii() and part.isdigit() for part in parts) else None


def _from_1_0(connection: sqlite3.Connection) -> Callable[[Models], None]:
    """All settings of a model were one JSON object, under the names of columns or of flags; so were aliases."""
    select = "SELECT name, path, size, aliases, settings, added FROM models ORDER BY name"
    models, added = [], []
    for name, path, size, aliases, settings, when in connection.execute(select).fetchall():
        model = {"name": name, "path": path, "size": size, "aliases": msgspec.json.decode(aliases)}
        kept = msgspec.json.decode(settings, type=dict[str, Setting])
        models.append(msgspec.convert(model | {"settings": _named_as_today(kept)}, Model))
        added.append(round(when * 1000))
    connection.execute("DROP TABLE models")
    return lambda to: to.write(connection, models, added)


def _named_as_today(settings: dict[str, Setting]) -> dict[str, Setting]:
    named: dict[str, Setting] = {}
    for name, value in settings.items():
        try:
            today = name if name in PARAMETERS else find(name).name
        except LlamactlError:
            today = name
        named.setdefault(name if today in settings else today, value)
    return named


MIGRATIONS: dict[Version, Callable[[sqlite3.Connection], Callable[[Models], None]]] = {(1, 0): _from_1_0}
"""By the version that each starts from."""
