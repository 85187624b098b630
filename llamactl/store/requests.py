"""The requests for models that have ended."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec

from llamactl.core.requests import ModelRequest
from llamactl.store.access import Access
from llamactl.store.writer import Writer

AT_ONCE = 5000
"""Rows that are taken away at once: some 50 ms, in which the event loop may be waiting to write, too."""

COLUMNS = tuple(name for name in ModelRequest.__struct_fields__ if name != "state")

_LISTED = ", ".join(f'"{name}"' for name in COLUMNS)
_INSERT = f'INSERT INTO "requests" ({_LISTED}) VALUES (?{", ?" * (len(COLUMNS) - 1)})'
_TRIM_ROWS = (
    'DELETE FROM "requests" WHERE "number" <= (SELECT max("number") FROM "requests") - ? '
    f'AND "number" < (SELECT min("number") FROM "requests") + {AT_ONCE}'
)
_TRIM_AGE = (
    'DELETE FROM "requests" WHERE "number" IN '
    f'(SELECT "number" FROM "requests" WHERE "at" < ? ORDER BY "at" LIMIT {AT_ONCE})'
)
BY_ID = f'SELECT {_LISTED} FROM "requests" WHERE "id" = ? ORDER BY "number" DESC LIMIT 1'


def select(*filters: str) -> str:
    """The newest first, so many at most. A filter is the name of a column, `at` a time not to go back beyond."""
    conditions = " AND ".join(f'"{name}" {">=" if name == "at" else "="} ?' for name in filters)
    where = f"WHERE {conditions} " if conditions else ""
    return f'SELECT {_LISTED} FROM "requests" {where}ORDER BY "at" DESC LIMIT ?'


class Requests:
    """Written in batches, in a thread of its own; `COLUMNS` are the names of what a row has, besides its number."""

    def __init__(self, access: Access, writer: Writer) -> None:
        self._access = access
        self._writer = writer

    async def put(self, requests: Sequence[ModelRequest]) -> None:
        """All of them, or `StoreFailed` and none. They can be found when this returns."""
        await self._writer.write(_INSERT, requests, _row)

    async def trim(self, before: float, rows: int) -> None:
        """Keep none from before that time (seconds since the epoch), and the newest `rows`. What is too many goes in
        steps: one with each call.
        """
        await self._writer.write(_TRIM_ROWS, [(rows,)], tuple)
        await self._writer.write(_TRIM_AGE, [(round(before * 1000),)], tuple)

    def find(
        self,
        *,
        model: str | None = None,
        key: str | None = None,
        status: int | None = None,
        since: float | None = None,
        limit: int = 50,
    ) -> list[ModelRequest]:
        """The newest first; those from `since` on, in seconds since the epoch."""
        wanted = {"model": model, "key": key, "status": status, "at": None if since is None else round(since * 1000)}
        filters = {name: value for name, value in wanted.items() if value is not None}
        return self._read(select(*filters), (*filters.values(), limit))

    def get(self, id: str) -> ModelRequest | None:
        """The latest with that id: clients choose them, and may choose one twice."""
        return next(iter(self._read(BY_ID, (id,))), None)

    def _read(self, statement: str, values: tuple[Any, ...]) -> list[ModelRequest]:
        with self._access.reading() as connection:
            rows = connection.execute(statement, values).fetchall()
            return [_request(row) for row in rows]


_AT = COLUMNS.index("at")
_values = attrgetter(*COLUMNS)


def _row(request: ModelRequest) -> tuple[Any, ...]:
    values: tuple[Any, ...] = _values(request)
    return (*values[:_AT], round(request.at * 1000), *values[_AT + 1 :])


def _request(row: tuple[Any, ...]) -> ModelRequest:
    values = dict(zip(COLUMNS, row, strict=True))
    values["at"] /= 1000
    return msgspec.convert(values, ModelRequest)
