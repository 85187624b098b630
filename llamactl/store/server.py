"""The settings that all models have unless they have their own."""

from collections.abc import Mapping

from llamactl.core.errors import BadRequest
from llamactl.core.model import Setting
from llamactl.store.access import Access
from llamactl.store.columns import Columns, readable, share


class ServerSettings:
    """Those of the group `server`: the one row of `model_server_config` that belongs to no model."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def prepare(self) -> None:
        """Look at the columns, once they are there."""
        self._columns = Columns.of(self._access.connection(), "server")

    def get(self) -> dict[str, Setting]:
        """Empty where nothing is set."""
        select = f'SELECT NULL{self._columns.selected} FROM "model_server_config" WHERE "model_id" IS NULL'
        with self._access.reading() as connection:
            row = connection.execute(select).fetchone()
            return {} if row is None else self._columns.settings(row[1:])

    def put(self, settings: Mapping[str, Setting]) -> None:
        """These instead of those that are there. Raises `BadRequest` for one that is a model's."""
        readable(settings, "the server")
        (mine,), left = share(settings, [self._columns])
        if left:
            raise BadRequest(
                f"{', '.join(left)} cannot be set for all models in the database",
                "set it in the section llama_server of the configuration, or in a preset",
            )
        now = self._access.milliseconds()
        values = self._columns.values(mine)
        update = f'UPDATE "model_server_config" SET "updated_at" = ?{self._columns.assigned} WHERE "model_id" IS NULL'
        insert = (
            f'INSERT INTO "model_server_config" ("created_at", "updated_at"{self._columns.listed}) '
            f"VALUES (?, ?{self._columns.unknowns})"
        )
        with self._access.writing() as connection:
            if not mine:
                connection.execute('DELETE FROM "model_server_config" WHERE "model_id" IS NULL')
            elif not connection.execute(update, (now, *values)).rowcount:
                connection.execute(insert, (now, now, *values))
