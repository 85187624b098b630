"""Analyses of models."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from llamactl.core.model import Model
from llamactl.store import Database, FitParams
from llamactl.store.tables import FIT_COLUMNS

FIT = FitParams(
    recommended_ctx_size=8192,
    recommended_gpu_layers=-1,
    recommended_tensor_split="3,1",
    file_size_bytes=5_000_000_000,
    quantization_type="Q4_K_M",
    parameter_count=8_000_000_000,
    architecture="qwen3",
    context_window=40960,
    fit_params_analyzed_at=1_750_000_000_000,
    fit_params_success=True,
    fit_params_raw_output="-c 8192",
    projected_cpu_memory_mb=12.5,
    projected_gpu_memory_mb=0.0,
)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "llamactl.db", now=lambda: 5.0) as db:
        db.models.put(Model(name="a", path="/a", size=1))
        yield db


def checked(db: Database) -> object:
    with closing(sqlite3.connect(db.path)) as connection:
        return connection.execute("SELECT fit_params_available, last_fit_params_check FROM models").fetchone()


def test_the_fields_are_the_columns() -> None:
    assert list(FitParams.__struct_fields__) == list(FIT_COLUMNS)


def test_one_comes_back(db: Database) -> None:
    assert db.fits.get("a") is None
    assert checked(db) == (None, None)
    assert db.fits.put("a", FIT)
    assert db.fits.get("a") == FIT
    assert checked(db) == (1, 1_750_000_000_000)


def test_the_next_replaces_it(db: Database) -> None:
    db.fits.put("a", FIT)
    failed = FitParams(fit_params_error="no such file")
    assert db.fits.put("a", failed)
    assert db.fits.get("a") == failed
    assert checked(db) == (0, 5000)


def test_it_outlives_changes_of_its_model(db: Database) -> None:
    db.fits.put("a", FIT)
    db.models.put(Model(name="a", path="/a", size=1, settings={"ctx_size": 1}))
    db.models.replace("a", Model(name="b", path="/a", size=1))
    assert db.fits.get("b") == FIT
    assert db.fits.get("a") is None


def test_a_model_that_is_not_there_has_none(db: Database) -> None:
    assert not db.fits.put("b", FIT)
    assert db.fits.get("b") is None


def test_nothing_is_half_written(db: Database) -> None:
    with pytest.raises(OverflowError):
        db.fits.put("a", msgspec.structs.replace(FIT, parameter_count=2**70))
    assert (db.fits.get("a"), checked(db)) == (None, (None, None))
