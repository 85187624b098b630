"""Named bundles of settings."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llamactl.core.errors import BadRequest
from llamactl.core.model import Setting
from llamactl.store import Database, StoreFailed

FAST: dict[str, Setting] = {"ctx_size": 2048, "temperature": 0.0, "flash_attn": "on", "jinja": False, "odd name": 1}


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "llamactl.db", now=lambda: 5.0) as db:
        yield db


def test_they_come_back_sorted(db: Database) -> None:
    db.presets.put("slow", {})
    db.presets.put("fast", FAST)
    assert list(db.presets.all().items()) == [("fast", FAST), ("slow", {})]
    assert db.presets.get("fast") == FAST
    assert db.presets.get("none") is None


def test_one_of_the_same_name_is_replaced(db: Database) -> None:
    db.presets.put("fast", FAST)
    db.presets.put("fast", {"threads": 1})
    assert db.presets.all() == {"fast": {"threads": 1}}


def test_removing(db: Database) -> None:
    db.presets.put("fast", FAST)
    assert db.presets.remove("fast")
    assert not db.presets.remove("fast")
    assert db.presets.all() == {}


def test_several_are_put_or_none(db: Database) -> None:
    db.presets.put_all({"a": {"threads": 1}, "b": FAST})
    with pytest.raises(BadRequest):
        db.presets.put_all({"a": {}, "c": {"top_p": float("nan")}})
    assert db.presets.all() == {"a": {"threads": 1}, "b": FAST}


def test_a_number_that_could_not_be_read_back_is_not_written(db: Database) -> None:
    with pytest.raises(BadRequest, match="top_p of fast cannot be nan"):
        db.presets.put("fast", {"top_p": float("nan")})
    assert db.presets.all() == {}


def test_one_that_makes_no_sense_is_told_of(db: Database) -> None:
    db.presets.put("fast", FAST)
    with closing(sqlite3.connect(db.path)) as connection:
        connection.execute("UPDATE presets SET settings = '[1'")
        connection.commit()
    with pytest.raises(StoreFailed, match="cannot be read"):
        db.presets.all()
    with pytest.raises(StoreFailed, match="cannot be read"):
        db.presets.get("fast")
