"""The table of models."""

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llamactl.core.errors import BadRequest
from llamactl.core.model import Model
from llamactl.store import Database

A = Model(name="a", path="/m/a.gguf", size=1, aliases=("x", "y"), settings={"ctx_size": 4096, "jinja": True})
B = Model(name="b", path="/m/a.gguf", size=1)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    clock = itertools.count(1000)
    with Database(tmp_path / "llamactl.db", now=lambda: float(next(clock))) as db:
        yield db


def added(db: Database) -> dict[str, float]:
    with closing(sqlite3.connect(db.path)) as connection:
        return dict(connection.execute("SELECT name, added FROM models").fetchall())


def test_they_come_back_as_they_were_sorted(db: Database) -> None:
    db.models.put(B, A)
    assert db.models.all() == [A, B]
    assert type(db.models.all()[0]) is Model


def test_putting_nothing_is_nothing(db: Database) -> None:
    db.models.put()
    assert db.models.all() == []


def test_one_of_the_same_name_is_replaced_and_keeps_its_age(db: Database) -> None:
    db.models.put(A)
    before = added(db)
    changed = Model(name="a", path="/n", size=2)
    db.models.put(changed, B)
    assert db.models.all() == [changed, B]
    assert added(db)["a"] == before["a"] < added(db)["b"]


def test_it_takes_many_at_once(db: Database) -> None:
    many = [Model(name=f"m{n:04}", path=f"/{n}", size=n) for n in range(1234)]
    db.models.put(*many)
    assert db.models.all() == many


def test_another_name_keeps_its_age(db: Database) -> None:
    db.models.put(A, B)
    before = added(db)
    renamed = Model(name="c", path=A.path, size=1)
    assert db.models.replace("a", renamed)
    assert db.models.all() == [B, renamed]
    assert added(db)["c"] == before["a"]
    assert not db.models.replace("a", renamed)


def test_removing(db: Database) -> None:
    db.models.put(A, B)
    assert db.models.remove("a")
    assert not db.models.remove("a")
    assert db.models.all() == [B]


def test_a_number_that_could_not_be_read_back_is_not_written(db: Database) -> None:
    for number in ("inf", "nan"):
        with pytest.raises(BadRequest, match="temperature of a cannot be"):
            db.models.put(B, Model(name="a", path="/a", size=1, settings={"temperature": float(number)}))
    assert db.models.all() == []


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(
    path=TEXT,
    size=st.integers(0, 2**62),
    aliases=st.lists(TEXT).map(tuple),
    values=st.dictionaries(
        TEXT, st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
    ),
)
def test_any_model_comes_back(
    db: Database, path: str, size: int, aliases: tuple[str, ...], values: dict[str, bool | int | float | str]
) -> None:
    model = Model(name="a", path=path, size=size, aliases=aliases, settings=values)
    db.models.put(model)
    assert db.models.all() == [model]
