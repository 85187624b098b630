"""The settings that all models have."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llamactl.core.errors import BadRequest
from llamactl.core.model import Model, Setting
from llamactl.store import Database

SETTINGS: dict[str, Setting] = {"timeout": 60, "jinja": False, "chat_template": "chatml", "verbose_prompt": True}


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "llamactl.db", now=lambda: 5.0) as db:
        yield db


def test_at_first_nothing_is_set(db: Database) -> None:
    assert db.server.get() == {}


def test_they_come_back(db: Database) -> None:
    db.server.put(SETTINGS)
    assert db.server.get() == SETTINGS
    assert type(db.server.get()["jinja"]) is bool


def test_they_are_replaced_as_a_whole(db: Database) -> None:
    db.server.put(SETTINGS)
    db.server.put({"threads_http": 2})
    assert db.server.get() == {"threads_http": 2}
    db.server.put({})
    assert db.server.get() == {}
    with closing(sqlite3.connect(db.path)) as connection:
        assert connection.execute("SELECT count(*) FROM model_server_config").fetchone() == (0,)


def test_a_model_has_its_own_beside_them(db: Database) -> None:
    model = Model(name="a", path="/a", size=1, settings={"timeout": 5, "ctx_size": 1})
    db.models.put(model)
    db.server.put(SETTINGS)
    assert (db.models.all(), db.server.get()) == ([model], SETTINGS)
    db.server.put({})
    assert db.models.all() == [model]
    db.server.put(SETTINGS)
    db.models.remove("a")
    assert db.server.get() == SETTINGS


def test_a_setting_of_models_is_refused_with_a_way_out(db: Database) -> None:
    db.server.put(SETTINGS)
    with pytest.raises(BadRequest, match="ctx_size cannot be set for all models") as caught:
        db.server.put({"timeout": 5, "ctx_size": 1})
    assert "llama_server" in caught.value.hint
    assert db.server.get() == SETTINGS
