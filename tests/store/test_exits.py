"""How the llama-servers of each model ended."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from llamactl.core.model import Model
from llamactl.store import Database, Ended

CRASH = Ended(at=5, state="ready", kind="signal", reason="killed by signal 9", signal=9, pause=1.5, log="/log/a.log")
STOP = Ended(at=9, state="stopping", kind="asked", reason="stopped", code=0, why="idle")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "llamactl.db") as db:
        for name in "ab":
            db.models.put(Model(name=name, path=f"/{name}.gguf", size=1))
        yield db


def test_they_come_back_the_newest_first(db: Database) -> None:
    db.exits.put("a", CRASH)
    db.exits.put("a", STOP)
    assert db.exits.of("a") == [STOP, CRASH]
    assert db.exits.of("b") == db.exits.of("nobody") == []


def test_only_the_last_twenty_are_kept(db: Database) -> None:
    db.exits.put("b", STOP)
    for at in range(30):
        db.exits.put("a", msgspec.structs.replace(CRASH, at=at))
    assert [ended.at for ended in db.exits.of("a")] == list(range(29, 9, -1))
    assert db.exits.of("b") == [STOP]


def test_they_go_with_their_model(db: Database) -> None:
    db.exits.put("nobody", CRASH)
    db.exits.put("a", CRASH)
    db.models.remove("a")
    db.models.put(Model(name="a", path="/a.gguf", size=1))
    assert db.exits.of("a") == []
