"""SQLite: what outlives the daemon.

Owns the database file, its schema and its versions; it is the only place that knows of peewee or SQL. No row
leaves it: what it gives and takes are the values of `core`. It must not know who reads or writes what.

What is reached through a `Database` is synchronous and belongs to the thread that opened it, the one of the daemon's
event loop: calls are few and short (a model more or less), and a database locked by somebody else is waited for
half a second. What writes all the time goes through `writer`, a thread with a connection of its own. `upkeep` is
for the command line: it works beside a daemon, and without one.

Start reading at `database.Database`, then `tables`. Importing this takes 75 ms; only the daemon and `llamactl db` do.
"""

from llamactl.core.errors import StoreFailed
from llamactl.store.database import Database
from llamactl.store.events import Events
from llamactl.store.exits import Ended, Exits
from llamactl.store.fits import FitParams, Fits
from llamactl.store.footprints import Footprints
from llamactl.store.keys import Keys
from llamactl.store.models import Models
from llamactl.store.presets import Presets
from llamactl.store.requests import Requests
from llamactl.store.samples import Samples
from llamactl.store.server import ServerSettings

__all__ = [
    "Database",
    "Ended",
    "Events",
    "Exits",
    "FitParams",
    "Fits",
    "Footprints",
    "Keys",
    "Models",
    "Presets",
    "Requests",
    "Samples",
    "ServerSettings",
    "StoreFailed",
]
