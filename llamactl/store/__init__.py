"""SQLite: what outlives the daemon.

Owns the database file, its schema and its versions; it is the only place that knows of peewee or SQL. No row
leaves it: what it gives and takes are the values of `core`. It must not know who reads or writes what.

Everything here is synchronous and belongs to the thread that opened the `Database`, the one of the daemon's
event loop: calls are few and short (a model more or less), and a database locked by somebody else is waited for
five seconds. What writes all the time must not do it here and so.

Start reading at `database.Database`. Importing this takes 75 ms; only the daemon does.
"""

from llamactl.store.database import Database
from llamactl.store.failures import StoreFailed
from llamactl.store.models import Models

__all__ = ["Database", "Models", "StoreFailed"]
