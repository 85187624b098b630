"""The table of models."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import peewee

from llamactl.core.errors import BadRequest
from llamactl.core.model import Model
from llamactl.store.failures import told_of
from llamactl.store.tables import ModelRow

BATCH = 100
"""Rows per statement: 6 values each, and every SQLite takes 999."""

AS_JSON = ("aliases", "settings")
"""Columns that hold the JSON of what the field of that name holds."""


class Models:
    """Models by name. Each call is one transaction: all of it, or `StoreFailed` and nothing."""

    def __init__(self, db: peewee.SqliteDatabase, path: Path, now: Callable[[], float]) -> None:
        self._db = db
        self._path = path
        self._now = now

    def all(self) -> list[Model]:
        """Sorted by name."""
        with told_of(self._path):
            return [_model(row) for row in ModelRow.select().order_by(ModelRow.name).dicts().execute(self._db)]

    def put(self, *models: Model) -> None:
        """Add those whose name is new, replace the others; these keep the time at which they were added."""
        rows = [{**_row(model), "added": self._now()} for model in models]
        kept = [ModelRow.path, ModelRow.size, ModelRow.aliases, ModelRow.settings]
        with told_of(self._path), self._db.atomic("IMMEDIATE"):
            for start in range(0, len(rows), BATCH):
                insert = ModelRow.insert_many(rows[start : start + BATCH])
                insert.on_conflict(conflict_target=[ModelRow.name], preserve=kept).execute(self._db)

    def replace(self, name: str, model: Model) -> bool:
        """`model` instead of the one called `name`, whose name may change; False if there is none.

        Nobody else may have the new name.
        """
        with told_of(self._path), self._db.atomic("IMMEDIATE"):
            return bool(ModelRow.update(_row(model)).where(ModelRow.name == name).execute(self._db))

    def remove(self, name: str) -> bool:
        """False if there is none of that name."""
        with told_of(self._path), self._db.atomic("IMMEDIATE"):
            return bool(ModelRow.delete().where(ModelRow.name == name).execute(self._db))


def _row(model: Model) -> dict[str, Any]:
    """Raises `BadRequest` for a number that could not be read back."""
    for name, value in model.settings.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise BadRequest(f"{name} of {model.name} cannot be {value}")
    row = msgspec.structs.asdict(model)
    return row | {name: msgspec.json.encode(row[name]).decode() for name in AS_JSON}


def _model(row: dict[str, Any]) -> Model:
    """Checks every value: SQLite keeps any in any column."""
    return msgspec.convert(row | {name: msgspec.json.decode(row[name]) for name in AS_JSON}, Model)
