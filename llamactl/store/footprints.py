"""How much memory models took."""

from typing import Literal

import msgspec

from llamactl.core.footprint import Footprint, Parts
from llamactl.store.access import Access

Source = Literal["measured", "fit-params", "corrected"]

PER_KEY = 20
"""So many are kept of one key and source, and"""
KEPT = 10_000
"""so many altogether; the oldest go."""

_INSERT = 'INSERT INTO "footprints" ("key", "source", "memory", "created_at") VALUES (?, ?, ?, ?)'
_BOUND = (
    'DELETE FROM "footprints" WHERE "key" = ? AND "source" = ? AND "id" NOT IN '
    '(SELECT "id" FROM "footprints" WHERE "key" = ? AND "source" = ? ORDER BY "id" DESC LIMIT ?)'
)
_OLDEST = 'DELETE FROM "footprints" WHERE "id" <= (SELECT MAX("id") FROM "footprints") - ?'
_FORGET = 'DELETE FROM "footprints" WHERE "key" = ?'
_SELECT = 'SELECT "memory" FROM "footprints" WHERE "key" = ? AND "source" = ? ORDER BY "id"'


class Footprints:
    """Samples by key: whoever keeps them decides what belongs into one."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def put(self, key: str, source: Source, footprint: Footprint) -> None:
        """One more. A corrected one stands instead of all that was known: that was wrong."""
        memory = msgspec.json.encode(footprint).decode()
        with self._access.writing() as connection:
            if source == "corrected":
                connection.execute(_FORGET, (key,))
            connection.execute(_INSERT, (key, source, memory, self._access.milliseconds()))
            connection.execute(_BOUND, (key, source, key, source, 1 if source == "fit-params" else PER_KEY))
            connection.execute(_OLDEST, (KEPT,))

    def of(self, key: str, *sources: Source) -> list[dict[str, Parts]]:
        """Those from these sources, the oldest of each first."""
        with self._access.reading() as connection:
            rows = [row for source in sources for row in connection.execute(_SELECT, (key, source)).fetchall()]
        return [msgspec.json.decode(memory, type=dict[str, Parts]) for (memory,) in rows]
