"""Keys in the database."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from llamactl.core.access import Key
from llamactl.store import Database

PLAIN = Key(id="aaaa", name="plain", digest="d", created=1.5)
FULL = Key(
    id="bbbb",
    name="full",
    digest="e",
    scopes=("infer", "admin"),
    models=("a*", "b"),
    expires=9.25,
    rate=1.5,
    parallel=3,
    priority=-2,
    wait="space",
    created=2.0,
    last_used=3.5,
    revoked=4.5,
)


def test_they_are_kept(tmp_path: Path) -> None:
    with Database(tmp_path / "db") as db:
        assert db.keys.all() == []
        db.keys.put(FULL)
        db.keys.put(PLAIN)
    with Database(tmp_path / "db") as db:
        assert db.keys.all() == [PLAIN, FULL]
        revoked = msgspec.structs.replace(PLAIN, revoked=10.0, models=())
        db.keys.put(revoked)
        assert db.keys.all() == [revoked, FULL]


def test_one_of_before_there_was_that_column(tmp_path: Path) -> None:
    with Database(tmp_path / "db") as db:
        db.keys.put(PLAIN)
    with closing(sqlite3.connect(tmp_path / "db")) as earlier:
        earlier.execute('ALTER TABLE "keys" DROP COLUMN "wait"')
    with Database(tmp_path / "db") as db:
        db.keys.put(FULL)
        assert db.keys.all() == [PLAIN, FULL]


def test_when_they_were_used(tmp_path: Path) -> None:
    with Database(tmp_path / "db") as db:
        db.keys.put(FULL)
        db.keys.put(PLAIN)
        asyncio.run(db.keys.used({"aaaa": 12.5, "bbbb": 1.0, "gone": 5.0}))
        assert [key.last_used for key in db.keys.all()] == [12.5, 3.5], "it never goes back"
