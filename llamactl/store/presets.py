"""Named bundles of settings."""

from collections.abc import Mapping

import msgspec

from llamactl.core.model import Setting
from llamactl.store.access import Access
from llamactl.store.columns import readable


class Presets:
    """By name. They are kept as JSON: nothing is looked up by what is in them."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def all(self) -> dict[str, dict[str, Setting]]:
        """Sorted by name."""
        with self._access.reading() as connection:
            rows = connection.execute('SELECT "name", "settings" FROM "presets" ORDER BY "name"').fetchall()
            return {name: _settings(text) for name, text in rows}

    def get(self, name: str) -> dict[str, Setting] | None:
        with self._access.reading() as connection:
            row = connection.execute('SELECT "settings" FROM "presets" WHERE "name" = ?', (name,)).fetchone()
            return None if row is None else _settings(row[0])

    def put(self, name: str, settings: Mapping[str, Setting]) -> None:
        """Add it, or replace the one of that name."""
        self.put_all({name: settings})

    def put_all(self, presets: Mapping[str, Mapping[str, Setting]]) -> None:
        """The same with several, all or none."""
        now = self._access.milliseconds()
        for name, settings in presets.items():
            readable(settings, name)
        rows = [(name, msgspec.json.encode(settings).decode(), now, now) for name, settings in presets.items()]
        with self._access.writing(names=True) as connection:
            connection.executemany(
                'INSERT INTO "presets" ("name", "settings", "created_at", "updated_at") VALUES (?, ?, ?, ?) '
                'ON CONFLICT ("name") '
                'DO UPDATE SET "settings" = excluded."settings", "updated_at" = excluded."updated_at"',
                rows,
            )

    def remove(self, name: str) -> bool:
        """False if there is none of that name."""
        with self._access.writing(names=True) as connection:
            return bool(connection.execute('DELETE FROM "presets" WHERE "name" = ?', (name,)).rowcount)


def _settings(text: str) -> dict[str, Setting]:
    return msgspec.json.decode(text, type=dict[str, Setting])
