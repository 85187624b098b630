"""What happened, in the order of its numbers; the newest events only."""

from collections.abc import Sequence

import msgspec

from llamactl.core.events import Event, Numbered, kind
from llamactl.store.access import Access
from llamactl.store.writer import Writer

KEPT = 20_000
"""Events."""
TRIMMED = 500
"""The older ones go once in so many."""

# A number is taken once: what is put again, since nobody knew whether it was written, changes nothing.
_INSERT = 'INSERT OR IGNORE INTO "events" ("id", "at", "type", "event") VALUES (?, ?, ?, ?)'
_TRIM = 'DELETE FROM "events" WHERE "id" <= ?'
_SELECT = 'SELECT "id", "at", "event" FROM "events" WHERE "id" > ?'
_LAST = 'SELECT coalesce(max("id"), 0) FROM "events"'


class Events:
    """Kept with the numbers and times that they have."""

    def __init__(self, access: Access, writer: Writer) -> None:
        self._access = access
        self._writer = writer

    def last(self) -> int:
        """The highest number; 0 before the first."""
        with self._access.reading() as connection:
            return int(connection.execute(_LAST).fetchone()[0])

    async def put(self, events: Sequence[Numbered]) -> None:
        """All of them are kept when this returns, over the death of the daemon too. Raises `StoreFailed`: none is."""
        await self._writer.write(_INSERT, events, _row)
        first, last = events[0].id, events[-1].id
        if first // TRIMMED != (last + 1) // TRIMMED:
            await self._writer.write(_TRIM, [last - KEPT], lambda number: (number,))

    def put_now(self, events: Sequence[Numbered]) -> None:
        """The same for the end of a daemon, when nobody else has anything to do."""
        with self._access.writing() as connection:
            connection.executemany(_INSERT, map(_row, events))

    def after(self, number: int, limit: int, types: Sequence[str] = ()) -> list[Numbered]:
        """The first ones of these types (all, if none is named) that have a higher number; the oldest first."""
        return self._select(number, limit, types, "ASC")

    def newest(self, limit: int, types: Sequence[str] = ()) -> list[Numbered]:
        """The last ones of these types; the oldest of them first."""
        return self._select(-1, limit, types, "DESC")[::-1]

    def _select(self, number: int, limit: int, types: Sequence[str], order: str) -> list[Numbered]:
        only = f' AND "type" IN (?{", ?" * (len(types) - 1)})' if types else ""
        with self._access.reading() as connection:
            found = connection.execute(f'{_SELECT}{only} ORDER BY "id" {order} LIMIT ?', (number, *types, limit))
            return [Numbered(id, at / 1000, _decode(event)) for id, at, event in found.fetchall()]


_decode = msgspec.json.Decoder(Event).decode


def _row(numbered: Numbered) -> tuple[int, int, str, str]:
    event = numbered.event
    return numbered.id, round(numbered.at * 1000), kind(event), msgspec.json.encode(event).decode()
