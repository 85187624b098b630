"""The database of the daemon that runs, for who cannot open its file."""

from llamactl.core.database import Copied, Health, Vacuumed
from llamactl.rpc.calls.call import Call


class CheckDatabase(Call[Health], frozen=True):
    """Read all of it; `quick` leaves out whether each index has what its table has."""

    method = "db.check"
    scope = "admin"
    quick: bool = False


class BackupDatabase(Call[Copied], frozen=True):
    """A copy of one moment. `file` is an absolute path on the daemon's machine; what is there is refused, but for
    `force`."""

    method = "db.backup"
    scope = "admin"
    file: str
    force: bool = False


class VacuumDatabase(Call[Vacuumed], frozen=True):
    """Give back the free pages; the others stay as they lie, since the daemon uses it."""

    method = "db.vacuum"
    scope = "admin"
