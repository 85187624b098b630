"""The models and their settings: what is put comes back."""

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llamactl.core.errors import BadRequest
from llamactl.core.facts import Facts
from llamactl.core.model import Model, Setting
from llamactl.core.parameters import PARAMETERS, Parameter
from llamactl.core.shape import Shape
from llamactl.store import Database, StoreFailed
from llamactl.store import models as stored

A = Model(name="a", path="/m/a.gguf", size=1, aliases=("x", "y"), settings={"ctx_size": 4096, "jinja": True})
B = Model(name="b", path="/m/a.gguf", size=1)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    clock = itertools.count(1000)
    with Database(tmp_path / "llamactl.db", now=lambda: float(next(clock))) as db:
        yield db


def ask(db: Database, select: str) -> list[Any]:
    with closing(sqlite3.connect(db.path)) as connection:
        return connection.execute(select).fetchall()


def added(db: Database) -> dict[str, int]:
    return dict(ask(db, "SELECT name, created_at FROM models"))


def with_settings(**values: Setting) -> Model:
    return msgspec.structs.replace(A, settings=values)


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


def test_times_are_milliseconds(db: Database) -> None:
    db.models.put(A)
    assert 1_000_000 < added(db)["a"] < 2_000_000


def test_it_takes_many_at_once(db: Database) -> None:
    many = [Model(name=f"m{n:04}", path=f"/{n}", size=n, settings={"threads": n}) for n in range(1234)]
    db.models.put(*many)
    assert db.models.all() == many


def test_another_name_keeps_its_age_and_its_settings(db: Database) -> None:
    db.models.put(A, B)
    before = added(db)
    renamed = msgspec.structs.replace(A, name="c", aliases=("a", "y"))
    assert db.models.replace("a", renamed)
    assert db.models.all() == [B, renamed]
    assert added(db)["c"] == before["a"]
    assert not db.models.replace("a", renamed)


def test_a_name_that_another_has_is_not_taken(db: Database) -> None:
    db.models.put(A, B)
    with pytest.raises(StoreFailed, match="UNIQUE"):
        db.models.replace("a", B)
    assert db.models.all() == [A, B]


def test_removing(db: Database) -> None:
    db.models.put(A, B)
    assert db.models.remove("a")
    assert not db.models.remove("a")
    assert db.models.all() == [B]


def test_an_alias_belongs_to_the_last_who_claims_it(db: Database) -> None:
    db.models.put(A)
    db.models.put(msgspec.structs.replace(B, aliases=("y", "z")))
    assert [model.aliases for model in db.models.all()] == [("x",), ("y", "z")]


# --- settings ------------------------------------------------------------------------------------


def test_a_group_has_a_row_only_while_something_of_it_is_set(db: Database) -> None:
    def rows(table: str) -> int:
        (count,) = ask(db, f"SELECT count(*) FROM model_{table}_config")[0]
        assert isinstance(count, int)
        return count

    db.models.put(with_settings(temperature=0.5, ctx_size=4096))
    assert (rows("sampling"), rows("gpu"), rows("server")) == (1, 0, 0)
    db.models.put(with_settings(jinja=False, ctx_size=4096))
    assert (rows("sampling"), rows("gpu"), rows("server")) == (0, 0, 1)
    assert db.models.all() == [with_settings(jinja=False, ctx_size=4096)]


def test_what_is_not_set_is_null(db: Database) -> None:
    db.models.put(with_settings(temperature=0.0, escape=False))
    assert ask(db, 'SELECT temperature, "escape", top_k, ignore_eos FROM model_sampling_config') == [
        (0.0, 0, None, None)
    ]


def test_a_value_that_is_not_its_columns_is_kept_beside_it(db: Database) -> None:
    odd = with_settings(
        ctx_size="07", temperature="1", seed=2**70, mmap=1, cache_type_k=True, gpu_layers="-1", keep=1.5
    )
    db.models.put(odd)
    (found,) = db.models.all()
    assert found == odd
    assert [type(found.settings[name]) for name in odd.settings] == [type(value) for value in odd.settings.values()]
    db.models.put(with_settings(ctx_size=7))
    assert db.models.all() == [with_settings(ctx_size=7)]
    assert ask(db, "SELECT ctx_size, other_settings FROM models") == [(7, None)]


def test_a_word_may_be_in_a_column_of_numbers(db: Database) -> None:
    db.models.put(with_settings(gpu_layers="auto"))
    assert ask(db, "SELECT gpu_layers FROM model_gpu_config") == [("auto",)]
    assert db.models.all() == [with_settings(gpu_layers="auto")]


def test_a_name_that_nobody_knows_is_kept(db: Database) -> None:
    model = with_settings(of_a_plugin="x", name="a setting called like a column", id=3, ctx_size=1)
    db.models.put(model)
    assert db.models.all() == [model]


def test_gone_settings_are_read(db: Database) -> None:
    gone: dict[str, Setting] = {"verbose_prompt": True, "hf_file_v": "v.gguf", "ctx_size_draft": 5, "defrag_thold": 0.5}
    db.models.put(with_settings(**gone))
    assert db.models.all()[0].settings == gone
    assert ask(db, "SELECT verbose_prompt FROM model_server_config") == [(1,)]


def test_a_number_that_could_not_be_read_back_is_not_written(db: Database) -> None:
    for number in ("inf", "nan"):
        with pytest.raises(BadRequest, match="temperature of a cannot be"):
            db.models.put(B, Model(name="a", path="/a", size=1, settings={"temperature": float(number)}))
    assert db.models.all() == []


def test_what_is_no_text_is_not_written(db: Database) -> None:
    with pytest.raises(BadRequest, match="not valid text"):
        db.models.put(B, Model(name="a", path="/\udc80", size=1))
    assert db.models.all() == []


def _possible(parameter: Parameter) -> st.SearchStrategy[Setting]:
    if parameter.kind == "switch":
        return st.booleans()
    if parameter.kind == "int":
        words: st.SearchStrategy[Setting] = st.sampled_from(parameter.choices) if parameter.choices else st.nothing()
        return st.integers(-(2**31), 2**31 - 1) | words
    if parameter.kind == "float":
        return st.floats(allow_nan=False, allow_infinity=False) | st.integers(-100, 100)
    return TEXT


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
SHAPES = st.builds(Shape, st.dictionaries(TEXT, TEXT | st.lists(TEXT), max_size=2), st.lists(TEXT).map(tuple))
ANY = (
    st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
)  # of any setting
KNOWN = st.fixed_dictionaries({}, optional={name: _possible(one) for name, one in PARAMETERS.items()})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(
    path=TEXT,
    size=st.integers(0, 2**62),
    aliases=st.lists(TEXT, unique=True).map(tuple),
    preset=TEXT,
    shapes=st.dictionaries(TEXT, SHAPES, max_size=2),
    values=st.dictionaries(TEXT | st.sampled_from(list(PARAMETERS)), ANY) | KNOWN,
)
def test_any_model_comes_back(
    db: Database,
    path: str,
    size: int,
    aliases: tuple[str, ...],
    preset: str,
    shapes: dict[str, Shape],
    values: dict[str, bool | int | float | str],
) -> None:
    model = Model(name="a", path=path, size=size, aliases=aliases, settings=values, preset=preset, shapes=shapes)
    db.models.put(model)
    (found,) = db.models.all()
    assert found == model
    for name, value in values.items():
        assert isinstance(found.settings[name], bool) == isinstance(value, bool)


# --- facts ---------------------------------------------------------------------------------------


class Other(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A model as another version has it."""

    facts: tuple[int, ...] = ()  # type: ignore[assignment]  # that is the point


def test_what_a_model_says_of_its_file_is_kept(db: Database) -> None:
    model = Model(name="a", path="/a", size=1, facts=Facts(architecture="qwen3", layers=36, kv_heads=(8,)))
    db.models.put(model, Model(name="b", path="/b", size=1))
    assert db.models.all() == [model, Model(name="b", path="/b", size=1)]
    assert ask(db, "SELECT type FROM models ORDER BY name") == [("qwen3",), (None,)]


def test_facts_that_another_version_told_are_forgotten(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Facts(architecture="qwen3", layers=36)
    db.models.put(Model(name="a", path="/a", size=1, settings={"threads": 2}, preset="fast", facts=told))
    monkeypatch.setattr(stored, "Model", Other)
    assert db.models.all() == [Other(name="a", path="/a", size=1, settings={"threads": 2}, preset="fast")]


def test_a_database_without_the_columns_of_presets_and_shapes_gets_them(tmp_path: Path) -> None:
    path = tmp_path / "llamactl.db"
    with Database(path) as db:
        db.models.put(A)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE models DROP COLUMN preset")
        connection.execute("ALTER TABLE models DROP COLUMN shapes")
    applied = msgspec.structs.replace(A, preset="fast", shapes={"fast": Shape({"temperature": 0})})
    with Database(path) as db:
        assert db.models.all() == [A]
        db.models.put(applied)
        assert db.models.all() == [applied]
        assert ask(db, "SELECT preset FROM models") == [("fast",)]
