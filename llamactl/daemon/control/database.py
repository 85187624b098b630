"""The database file, looked after while it is used."""

from pathlib import Path

import anyio.to_thread

from llamactl.core.database import Copied, Health, Vacuumed
from llamactl.core.errors import BadRequest
from llamactl.daemon.control.noun import Handlers
from llamactl.rpc import calls
from llamactl.store import upkeep


class DatabaseCalls:
    """`db.…`"""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.handlers: Handlers = {
            calls.CheckDatabase: self._check,
            calls.BackupDatabase: self._backup,
            calls.VacuumDatabase: self._vacuum,
        }

    async def _check(self, call: calls.CheckDatabase) -> Health:
        return await anyio.to_thread.run_sync(upkeep.check, self._path, call.quick)

    async def _backup(self, call: calls.BackupDatabase) -> Copied:
        to = Path(call.file)
        if not to.is_absolute():
            raise BadRequest(f"not an absolute path: {call.file!r}", "params.file: write it from / on")
        size = await anyio.to_thread.run_sync(upkeep.backup, self._path, to, call.force)
        return Copied(path=str(self._path), file=str(to), size=size)

    async def _vacuum(self, _: calls.VacuumDatabase) -> Vacuumed:
        return await anyio.to_thread.run_sync(upkeep.vacuum, self._path)
