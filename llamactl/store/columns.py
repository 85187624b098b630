"""Settings and the columns they are kept in."""

import math
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from llamactl.core.errors import BadRequest
from llamactl.core.model import Setting
from llamactl.core.parameters import PARAMETERS, Group, Parameter
from llamactl.store.tables import MODEL_COLUMNS, TABLE_OF

STRUCTURE = frozenset(("id", "model_id", "created_at", "updated_at", *MODEL_COLUMNS))
"""Columns that are no settings."""

_EXACT = 2**53
"""The largest whole number that is itself as a REAL, and all below it."""


class Column(NamedTuple):
    table: str
    name: str
    declared: str

    @property
    def parameter(self) -> Parameter | None:
        """None for one that a newer or an older llamactl has made."""
        return PARAMETERS.get(self.name)

    @property
    def switch(self) -> bool:
        return self.parameter is not None and self.parameter.kind == "switch"

    def takes(self, value: Setting) -> bool:
        """Would it come back as it was put in? Of anything else SQLite makes what the column's type suggests."""
        if isinstance(value, bool):
            return self.switch
        if isinstance(value, int):
            return (self.declared == "INTEGER" and not self.switch and -(2**63) <= value < 2**63) or (
                self.declared == "REAL" and abs(value) <= _EXACT
            )
        if isinstance(value, float):
            return self.declared == "REAL"
        if self.declared == "TEXT":
            return True
        known = self.parameter
        return known is not None and value in known.choices and not value.lstrip("+-").isdigit()


class Columns:
    """Columns of settings that one database file has: those of a group, or of several for reading."""

    def __init__(self, columns: Iterable[Column]) -> None:
        # Switches last: reading a row then is twice the same for many values, not a question for each.
        self.by_name = {column.name: column for column in sorted(columns, key=lambda column: column.switch)}
        self._plain = [column.name for column in self.by_name.values() if not column.switch]
        self._switches = [column.name for column in self.by_name.values() if column.switch]
        self.selected = "".join(f', "{column.table}"."{column.name}"' for column in self.by_name.values())
        """The columns, each after a comma; and what else statements say of them all."""
        self.listed = "".join(f', "{name}"' for name in self.by_name)
        self.unknowns = ", ?" * len(self.by_name)
        self.replaced = "".join(f', "{name}" = excluded."{name}"' for name in self.by_name)
        self.assigned = "".join(f', "{name}" = ?' for name in self.by_name)
        self._counted = "".join(f', count("{name}")' for name in self.by_name)

    @classmethod
    def of(cls, connection: sqlite3.Connection, group: Group) -> "Columns":
        table = TABLE_OF[group]
        found = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
        return cls([Column(table, name, kind) for _, name, kind, *_ in found if name not in STRUCTURE])

    def filled(self, connection: sqlite3.Connection, table: str) -> list[Column]:
        """Those that some row has a value in: most settings are set nowhere, and SQLite counts faster than we skip."""
        counts = connection.execute(f'SELECT count(*){self._counted} FROM "{table}"').fetchone()[1:]
        return [column for column, count in zip(self.by_name.values(), counts, strict=True) if count]

    def settings(self, row: tuple[Any, ...]) -> dict[str, Setting]:
        """Of the values of these columns in their order; NULL is not set."""
        found = {name: value for name, value in zip(self._plain, row, strict=False) if value is not None}
        switches = row[len(self._plain) :]
        found |= {
            name: _ON_OFF.get(value, value)
            for name, value in zip(self._switches, switches, strict=True)
            if value is not None
        }
        return found

    def values(self, settings: Mapping[str, Setting]) -> tuple[Setting | None, ...]:
        return tuple(map(settings.get, self.by_name))


_ON_OFF = {0: False, 1: True}


def share(
    settings: Mapping[str, Setting], groups: Iterable[Columns]
) -> tuple[list[dict[str, Setting]], dict[str, Setting]]:
    """What of the settings goes into the columns of each group, and what is left over."""
    left = dict(settings)
    shares: list[dict[str, Setting]] = []
    for group in groups:
        mine = {
            name: value
            for name, value in left.items()
            if (column := group.by_name.get(name)) is not None and column.takes(value)
        }
        for name in mine:
            del left[name]
        shares.append(mine)
    return shares, left


def readable(settings: Mapping[str, Setting], of: str) -> None:
    """Raises `BadRequest` for a number that could not be read back."""
    for name, value in settings.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise BadRequest(f"{name} of {of} cannot be {value}")
