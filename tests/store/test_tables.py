"""The schema: what it has, what it finds by index, what goes with a model."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from llamactl.core import parameters
from llamactl.core.model import Model, Setting
from llamactl.core.parameters import GROUPS, PARAMETERS, columns
from llamactl.store import Database, FitParams, requests
from llamactl.store.samples import BETWEEN, DROP, FORGET, NEWEST, OF_ONE, SERIES
from llamactl.store.tables import TABLE_OF, TABLES

TUNABLE = 24 + 105 + 40
"""Columns of settings in the schema that we follow."""

ONE_OF_EACH: dict[str, Setting] = {
    "ctx_size": 4096,
    "temperature": 0.5,
    "mmap": False,
    "gpu_layers": 10,
    "fit": "on",
    "lora": "/l.gguf",
    "mmproj": "/p.gguf",
    "jinja": True,
}
A = Model(name="a", path="/m/a.gguf", size=1, aliases=("x", "y"), settings=ONE_OF_EACH)
B = msgspec.structs.replace(A, name="b", aliases=("z",))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "llamactl.db"


@pytest.fixture
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    Database(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def declared(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    return {row[1]: row[2] for row in connection.execute(f'PRAGMA table_info("{table}")')}


def test_every_table_is_there(raw: sqlite3.Connection) -> None:
    names = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    groups = {f"model_{group}_config" for group in GROUPS if group != "model"}
    more = {
        *("models", "model_fit_params", "metrics_history", "metadata", "presets", "model_aliases", "exits"),
        *("footprints", "events", "keys", "requests", "metrics_series"),
    }
    assert names == groups | more == {table._meta.table_name for table in TABLES}


def test_every_parameter_is_a_column_of_its_group(raw: sqlite3.Connection) -> None:
    kinds = {"switch": "INTEGER", "int": "INTEGER", "float": "REAL", "duration": "REAL"}
    for group in GROUPS:
        found = declared(raw, TABLE_OF[group])
        for parameter in columns(group):
            assert found[parameter.name] == kinds.get(parameter.kind, "TEXT"), parameter.name
    assert len(PARAMETERS) >= TUNABLE


def test_nothing_has_a_default_and_no_setting_is_required(raw: sqlite3.Connection) -> None:
    for group in GROUPS:
        for _, name, _, required, default, _ in raw.execute(f'PRAGMA table_info("{TABLE_OF[group]}")'):
            assert default is None
            assert not required or name not in PARAMETERS or name == "model_path", name


def test_nothing_says_what_runs(raw: sqlite3.Connection) -> None:
    assert "status" not in declared(raw, "models")


def test_timestamps_and_counts_of_the_measurements(raw: sqlite3.Connection) -> None:
    found = declared(raw, "metrics_history")
    assert len(found) == 14
    assert {"timestamp", "created_at", "gpu_power_usage", "requests_per_minute"} <= set(found)
    assert len(declared(raw, "model_fit_params")) == 18


# --- what belongs together -----------------------------------------------------------------------


def test_with_a_model_goes_all_that_is_kept_about_it(path: Path) -> None:
    with Database(path) as db:
        db.models.put(A, B)
        db.fits.put("a", FitParams(recommended_ctx_size=1))
        db.fits.put("b", FitParams(recommended_ctx_size=2))
        db.server.put({"timeout": 5})
        db.models.remove("a")
    with closing(sqlite3.connect(path)) as connection:
        of_model = [*(TABLE_OF[group] for group in GROUPS if group != "model"), "model_fit_params", "model_aliases"]
        (b,) = connection.execute("SELECT id FROM models").fetchone()
        for table in of_model:
            ids = [row[0] for row in connection.execute(f"SELECT model_id FROM {table} ORDER BY model_id")]
            assert ids == ([None, b] if table == "model_server_config" else [b]), table
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_there_is_no_row_without_its_model(raw: sqlite3.Connection) -> None:
    raw.execute("PRAGMA foreign_keys=ON")
    for group in GROUPS:
        if group != "model":
            with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
                raw.execute(f"INSERT INTO {TABLE_OF[group]} (model_id, created_at, updated_at) VALUES (7, 0, 0)")


def test_there_is_one_row_per_model_and_one_for_all(raw: sqlite3.Connection) -> None:
    raw.execute(
        "INSERT INTO models (name, model_path, file_size_bytes, created_at, updated_at) VALUES ('a', '', 0, 0, 0)"
    )
    for group in GROUPS:
        for owner in ("1", "NULL") if group == "server" else ("1",) if group != "model" else ():
            insert = f"INSERT INTO {TABLE_OF[group]} (model_id, created_at, updated_at) VALUES ({owner}, 0, 0)"
            raw.execute(insert)
            with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
                raw.execute(insert)


# --- indexes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("SELECT id FROM models WHERE name = 'a'", "idx_models_name"),
        ("DELETE FROM models WHERE name = 'a'", "idx_models_name"),
        ("SELECT name FROM models ORDER BY name", "idx_models_name"),
        ("SELECT name FROM models WHERE type = 'qwen3'", "idx_models_type"),
        ("SELECT name FROM models ORDER BY created_at DESC", "idx_models_created"),
        *(
            (f"SELECT id FROM {TABLE_OF[group]} WHERE model_id = 1", f"idx_{group}_model_id")
            for group in GROUPS
            if group != "model"
        ),
        ("SELECT id FROM model_fit_params WHERE model_id = 1", "idx_fit_params_model_id"),
        ("SELECT jinja FROM model_server_config WHERE model_id IS NULL", "idx_server"),
        ("SELECT alias FROM model_aliases WHERE model_id = 1", "idx_aliases_model_id"),
        ("SELECT model_id FROM model_aliases WHERE alias = 'a'", "sqlite_autoindex_model_aliases"),
        ("SELECT settings FROM presets WHERE name = 'a'", "sqlite_autoindex_presets"),
        (BETWEEN.replace("?", "1"), "idx_metrics_timestamp"),
        ("DELETE FROM metrics_history WHERE created_at < 5", "idx_metrics_created_at"),
        (FORGET.replace("?", "1"), "idx_metrics_timestamp"),
        (requests.BY_ID.replace("?", "1"), "idx_requests_id"),
        (requests.select().replace("?", "1"), "idx_requests_at"),
        (requests.select("at").replace("?", "1"), "idx_requests_at"),
        *(
            (requests.select(name, *more).replace("?", "1"), f"idx_requests_{name}_at")
            for name in ("model", "key", "status")
            for more in ((), ("at",))
        ),
    ],
)
def test_it_is_found_by_its_index(raw: sqlite3.Connection, statement: str, index: str) -> None:
    plan = " ".join(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}"))
    assert f"USING INDEX {index}" in plan or f"USING COVERING INDEX {index}" in plan, plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    ("statement", "way"),
    [
        (SERIES, "INDEX idx_metrics_series (step=? AND at"),
        (NEWEST, "INDEX idx_metrics_series (step=? AND at"),
        (DROP, "INDEX idx_metrics_series (step=? AND at"),
        (OF_ONE, "PRIMARY KEY (step=? AND kind=? AND name=? AND at"),
    ],
)
def test_series_are_found_by_time_or_by_subject(raw: sqlite3.Connection, statement: str, way: str) -> None:
    plan = " ".join(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement.replace('?', '1')}"))
    assert way in plan and "TEMP B-TREE" not in plan, plan


def test_settings_are_joined_by_index(path: Path) -> None:
    said: list[str] = []
    with Database(path) as db:
        db.models.put(A)
        connection = db._access.connection()
        connection.set_trace_callback(said.append)
        db.models.all()
        connection.set_trace_callback(None)
        (select,) = (statement for statement in said if "LEFT JOIN" in statement)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {select}")]
    assert len(plan) == len(GROUPS)
    assert plan[0].startswith("SCAN models USING INDEX idx_models_name")
    assert all("USING INDEX idx_" in step for step in plan[1:]), plan


# --- columns that come and go --------------------------------------------------------------------


def test_a_new_parameter_becomes_a_column(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Database(path) as db:
        db.models.put(msgspec.structs.replace(A, settings={"top_k": 1, "of_tomorrow": 0.5}))
    new = msgspec.structs.replace(PARAMETERS["temperature"], name="of_tomorrow")
    monkeypatch.setitem(parameters.PARAMETERS, "of_tomorrow", new)
    with Database(path) as db:
        (model,) = db.models.all()
        assert model.settings == {"top_k": 1, "of_tomorrow": 0.5}
        db.models.put(model)
        assert db.models.all() == [model]
    with closing(sqlite3.connect(path)) as connection:
        assert declared(connection, "model_sampling_config")["of_tomorrow"] == "REAL"
        assert connection.execute("SELECT top_k, of_tomorrow FROM model_sampling_config").fetchall() == [(1, 0.5)]
        assert connection.execute("SELECT other_settings FROM models").fetchall() == [(None,)]


def test_a_column_that_this_release_does_not_know_is_read_and_left(path: Path) -> None:
    with Database(path) as db:
        db.models.put(A)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE model_sampling_config ADD COLUMN of_tomorrow INTEGER")
        connection.execute("UPDATE model_sampling_config SET of_tomorrow = 7")
        connection.commit()
    with Database(path) as db:
        (model,) = db.models.all()
        assert model.settings == A.settings | {"of_tomorrow": 7}
        db.models.put(model)
        assert db.models.all() == [model]


def test_an_index_and_a_table_that_are_missing_are_made(path: Path, raw: sqlite3.Connection) -> None:
    raw.execute("DROP INDEX idx_models_name")
    raw.execute("DROP TABLE presets")
    with Database(path) as db:
        db.models.put(A)
        assert db.presets.all() == {}


def test_one_that_is_up_to_date_is_not_written_to_when_it_is_opened(path: Path) -> None:
    Database(path).close()
    before = path.read_bytes()
    Database(path).close()
    assert path.read_bytes() == before
