"""Keys to the front door."""

from collections.abc import Mapping
from typing import Any

import msgspec

from llamactl.core.access import Key
from llamactl.store.access import Access
from llamactl.store.writer import Writer

_NAMES = Key.__struct_fields__
_LISTED = ", ".join(f'"{name}"' for name in _NAMES)
_PUT = f'INSERT OR REPLACE INTO "keys" ({_LISTED}) VALUES ({", ".join("?" * len(_NAMES))})'
_TIMES = ("expires", "created", "last_used", "revoked")
_LISTS = ("scopes", "models")


class Keys:
    """By id. One that is revoked stays, to be looked up."""

    def __init__(self, access: Access, writer: Writer) -> None:
        self._access = access
        self._writer = writer

    def all(self) -> list[Key]:
        """The oldest first."""
        with self._access.reading() as connection:
            rows = connection.execute(f'SELECT {_LISTED} FROM "keys" ORDER BY "created", "id"').fetchall()
            return [_key(dict(zip(_NAMES, row, strict=True))) for row in rows]

    def put(self, key: Key) -> None:
        """Add it, or replace the one with its id."""
        with self._access.writing(names=True) as connection:
            connection.execute(_PUT, _row(key))

    async def used(self, times: Mapping[str, float]) -> None:
        """When each of these was used last, in seconds since the epoch."""
        await self._writer.write(
            'UPDATE "keys" SET "last_used" = max(coalesce("last_used", 0), ?) WHERE "id" = ?',
            list(times.items()),
            lambda item: (round(item[1] * 1000), item[0]),
        )


def _row(key: Key) -> list[Any]:
    row = msgspec.structs.asdict(key)
    for name in _TIMES:
        row[name] = None if row[name] is None else round(row[name] * 1000)
    for name in _LISTS:
        row[name] = None if row[name] is None else msgspec.json.encode(row[name]).decode()
    return list(row.values())


def _key(row: dict[str, Any]) -> Key:
    for name in _TIMES:
        row[name] = None if row[name] is None else row[name] / 1000
    for name in _LISTS:
        row[name] = None if row[name] is None else msgspec.json.decode(row[name])
    return msgspec.convert(row, Key)
