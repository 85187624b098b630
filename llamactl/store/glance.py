"""What is kept of models, for who is no daemon: nothing is locked, changed or brought to another schema."""

import time
from pathlib import Path

import msgspec
import peewee

from llamactl.core.errors import NotFound, Refused
from llamactl.core.model import Model, Setting
from llamactl.store.access import Access
from llamactl.store.failures import told_of
from llamactl.store.models import Models
from llamactl.store.presets import Presets
from llamactl.store.server import ServerSettings
from llamactl.store.upkeep import reading_mode, uri
from llamactl.store.versions import VERSION, identify, show

PATIENCE = 0.5
"""Seconds to wait for a lock of somebody else."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """All models, and what counts for them beside their own settings."""

    models: list[Model]
    defaults: dict[str, Setting]
    presets: dict[str, dict[str, Setting]]


def glance(path: Path) -> Kept:
    """Raises `NotFound`, `Refused` for a schema that is not today's, `StoreFailed`."""
    if not path.exists():
        raise NotFound(f"there is no database {path}", "llamactl daemon start makes it")
    only_read: dict[str, str | int] = {"query_only": 1}
    db = peewee.SqliteDatabase(uri(path, reading_mode(path)), pragmas=only_read, timeout=PATIENCE, uri=True)
    access = Access(db, path, time.time)
    models, defaults, presets = Models(access), ServerSettings(access), Presets(access)
    with told_of(path), db.connection_context():
        if identify(access.connection(), path) != VERSION:
            raise Refused(f"{path} has not the schema {show(VERSION)} yet", "llamactl daemon start")
        models.prepare()
        defaults.prepare()
        return Kept(models=models.all(), defaults=defaults.get(), presets=presets.all())
