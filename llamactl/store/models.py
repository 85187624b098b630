"""The models, with the settings of each in the tables of the groups."""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from llamactl.core.model import Model, Setting
from llamactl.core.parameters import GROUPS
from llamactl.core.shape import Shape
from llamactl.store.access import Access
from llamactl.store.columns import Column, Columns, readable, share
from llamactl.store.tables import TABLE_OF

_KEPT = ("name", "path", "size", "aliases", "settings", "preset", "shapes")
"""The fields of a `Model` with a place of their own; all others are facts about its file."""

_TABLES = tuple(TABLE_OF.values())
_DESCRIBED = ", ".join(
    f'"models"."{name}"'
    for name in ("id", "name", "model_path", "file_size_bytes", "facts", "other_settings", "preset", "shapes")
)


class Models:
    """Models by name. Each call is one transaction: all of it, or `StoreFailed` and nothing."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def prepare(self) -> None:
        """Look at the columns, once they are there. All statements are made here, of their names alone."""
        self._groups = [Columns.of(self._access.connection(), group) for group in GROUPS]
        models = self._groups[0]
        columns = (
            '"name", "type", "model_path", "file_size_bytes", "facts", "other_settings", "preset", "shapes", '
            '"updated_at"'
        )
        kept = ", ".join(f"{name} = excluded.{name}" for name in columns.split(", ")[1:])
        self._insert = (
            f'INSERT INTO "models" ({columns}{models.listed}, "created_at") '
            f"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?{models.unknowns}, ?) "
            f'ON CONFLICT ("name") DO UPDATE SET {kept}{models.replaced}'
        )
        assigned = ", ".join(f"{name} = ?" for name in columns.split(", "))
        self._update = f'UPDATE "models" SET {assigned}{models.assigned} WHERE "name" = ?'

    def all(self) -> list[Model]:
        """Sorted by name."""
        with self._access.reading() as connection:
            filled: list[Column] = []
            for table, group in zip(_TABLES, self._groups, strict=True):
                filled += group.filled(connection, table)
            columns = Columns(filled)
            joined = "".join(
                f' LEFT JOIN "{table}" ON "{table}"."model_id" = "models"."id"'
                for table in dict.fromkeys(column.table for column in filled)
                if table != "models"
            )
            select = f'SELECT {_DESCRIBED}{columns.selected} FROM "models"{joined} ORDER BY "models"."name"'
            rows = connection.execute(select).fetchall()
            aliases: dict[int, list[str]] = {}
            for model_id, alias in connection.execute(
                'SELECT "model_id", "alias" FROM "model_aliases" ORDER BY "model_id", "position"'
            ):
                aliases.setdefault(model_id, []).append(alias)
            return [_model(row, aliases.get(row[0], ()), columns.settings(row[8:])) for row in rows]

    def put(self, *models: Model) -> None:
        """Add those whose name is new, replace the others; these keep the time at which they were added.

        An alias that another model had is taken from it.
        """
        with self._access.writing(names=True) as connection:
            self.write(connection, models, [self._access.milliseconds()] * len(models))

    def replace(self, name: str, model: Model) -> bool:
        """`model` instead of the one called `name`, whose name may change; False if there is none.

        Nobody else may have the new name.
        """
        now = self._access.milliseconds()
        shares, left = self._shares(model)
        values = (*_row(model, left), now, *self._groups[0].values(shares[0]), name)
        with self._access.writing(names=True) as connection:
            if not connection.execute(self._update, values).rowcount:
                return False
            self._write_groups(connection, [(model, shares)], now)
            return True

    def remove(self, name: str) -> bool:
        """False if there is none of that name. All that is kept about it goes too."""
        with self._access.writing(names=True) as connection:
            return bool(connection.execute('DELETE FROM "models" WHERE "name" = ?', (name,)).rowcount)

    # --- inside ----------------------------------------------------------------------------------

    def write(self, connection: sqlite3.Connection, models: Iterable[Model], added: Iterable[int]) -> None:
        """`put` inside a transaction; `added` are milliseconds since the epoch for those that are new."""
        now = self._access.milliseconds()
        rows, shared = [], []
        for model, when in zip(models, added, strict=True):
            shares, left = self._shares(model)
            rows.append((*_row(model, left), now, *self._groups[0].values(shares[0]), when))
            shared.append((model, shares))
        connection.executemany(self._insert, rows)
        self._write_groups(connection, shared, now)

    def _shares(self, model: Model) -> tuple[list[dict[str, Setting]], dict[str, Setting]]:
        readable(model.settings, model.name)
        return share(model.settings, self._groups)

    def _write_groups(
        self, connection: sqlite3.Connection, shared: list[tuple[Model, list[dict[str, Setting]]]], now: int
    ) -> None:
        """The rows of models that are there."""
        one = 'SELECT "id" FROM "models" WHERE "name" = ?'
        ids = [connection.execute(one, (model.name,)).fetchone()[0] for model, _ in shared]
        for number, (table, group) in enumerate(zip(_TABLES[1:], self._groups[1:], strict=True), 1):
            given = [(model_id, shares[number]) for model_id, (_, shares) in zip(ids, shared, strict=True)]
            delete = f'DELETE FROM "{table}" WHERE "model_id" = ?'
            connection.executemany(delete, [(model_id,) for model_id, share in given if not share])
            insert = (
                f'INSERT INTO "{table}" ("model_id", "created_at", "updated_at"{group.listed}) '
                f"VALUES (?, ?, ?{group.unknowns}) "
                f'ON CONFLICT ("model_id") DO UPDATE SET "updated_at" = excluded."updated_at"{group.replaced}'
            )
            rows = [(model_id, now, now, *group.values(share)) for model_id, share in given if share]
            connection.executemany(insert, rows)
        connection.executemany('DELETE FROM "model_aliases" WHERE "model_id" = ?', [(model_id,) for model_id in ids])
        aliases = [
            (alias, model_id, position)
            for model_id, (model, _) in zip(ids, shared, strict=True)
            for position, alias in enumerate(model.aliases)
        ]
        connection.executemany(
            'INSERT OR REPLACE INTO "model_aliases" ("alias", "model_id", "position") VALUES (?, ?, ?)', aliases
        )


def _row(model: Model, left: Mapping[str, Setting]) -> tuple[Any, ...]:
    facts = msgspec.to_builtins(model)
    for name in _KEPT:
        facts.pop(name, None)
    known = facts.get("facts")
    return (
        model.name,
        known.get("architecture") if isinstance(known, dict) else facts.get("architecture"),
        model.path,
        model.size,
        _json(facts) if facts else None,
        _json(left) if left else None,
        model.preset or None,
        _json(model.shapes) if model.shapes else None,
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _model(row: tuple[Any, ...], aliases: Iterable[str], settings: dict[str, Setting]) -> Model:
    """Checks every value: SQLite keeps any in any column."""
    _, name, path, size, facts, left, preset, shapes, *_ = row
    said = {"name": name, "path": path, "size": size, "aliases": tuple(aliases), "settings": settings}
    if preset is not None:
        said["preset"] = preset
    if shapes is not None:
        said["shapes"] = msgspec.json.decode(shapes, type=dict[str, Shape])
    if left is not None:
        said["settings"] = msgspec.json.decode(left, type=dict[str, Setting]) | settings
    if facts is not None:
        try:
            return msgspec.convert(msgspec.json.decode(facts, type=dict[str, Any]) | said, Model)
        except msgspec.ValidationError:
            pass  # they were told by another version; the file still has them, and the next scan finds them there
    return msgspec.convert(said, Model)
