"""How the llama-servers of each model ended, the last ones."""

import msgspec

from llamactl.core.exits import Kind
from llamactl.store.access import Access

KEPT = 20
"""Of each model."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """One end, `at` milliseconds since the epoch, of an instance that was in this `state`.

    `why` is what it was stopped for, `pause` the seconds until it is started again, `log` the file with its output.
    """

    at: int
    state: str
    kind: Kind
    reason: str
    code: int | None = None
    signal: int | None = None
    why: str = ""
    pause: float | None = None
    log: str = ""


_NAMES = Ended.__struct_fields__
_LISTED = ", ".join(f'"{name}"' for name in _NAMES)
_OF_MODEL = '"model_id" = (SELECT "id" FROM "models" WHERE "name" = ?)'
_SELECT = f'SELECT {_LISTED} FROM "exits" WHERE {_OF_MODEL} ORDER BY "id" DESC'
_INSERT = f'INSERT INTO "exits" ("model_id", {_LISTED}) SELECT "id"{", ?" * len(_NAMES)} FROM "models" WHERE "name" = ?'
_TRIM = (
    f'DELETE FROM "exits" WHERE {_OF_MODEL} AND "id" NOT IN '
    f'(SELECT "id" FROM "exits" WHERE {_OF_MODEL} ORDER BY "id" DESC LIMIT {KEPT})'
)


class Exits:
    """The newest first."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def of(self, model: str) -> list[Ended]:
        with self._access.reading() as connection:
            rows = connection.execute(_SELECT, (model,)).fetchall()
            return [msgspec.convert(dict(zip(_NAMES, row, strict=True)), Ended) for row in rows]

    def put(self, model: str, ended: Ended) -> None:
        """Nothing happens if there is no such model."""
        with self._access.writing() as connection:
            connection.execute(_INSERT, (*msgspec.structs.astuple(ended), model))
            connection.execute(_TRIM, (model, model))
