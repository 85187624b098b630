"""Samples of what models took."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llamactl.core.parts import Parts
from llamactl.store import Database, footprints


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "llamactl.db") as db:
        yield db


def sample(size: int) -> dict[str, Parts]:
    return {"host": Parts(weights=size, kv=1 << 40), "CUDA0": Parts(overhead=size)}


def test_they_come_back_by_key_and_source(db: Database) -> None:
    kept = db.footprints
    kept.put("a", "measured", sample(1))
    kept.put("a", "measured", sample(2))
    kept.put("b", "measured", sample(3))
    kept.put("a", "fit-params", sample(4))
    assert kept.of("a", "measured") == [sample(1), sample(2)]
    assert kept.of("a", "fit-params", "measured") == [sample(4), sample(1), sample(2)]
    assert kept.of("c", "measured") == []


def test_the_oldest_of_a_key_go(db: Database) -> None:
    db.footprints.put("b", "measured", sample(99))
    for number in range(footprints.PER_KEY + 3):
        db.footprints.put("a", "measured", sample(number))
    assert db.footprints.of("a", "measured") == [sample(number + 3) for number in range(footprints.PER_KEY)]
    assert db.footprints.of("b", "measured") == [sample(99)]


def test_only_the_last_analysis_is_kept(db: Database) -> None:
    db.footprints.put("a", "fit-params", sample(1))
    db.footprints.put("a", "fit-params", sample(2))
    assert db.footprints.of("a", "fit-params") == [sample(2)]


def test_the_oldest_of_all_go(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprints, "KEPT", 3)
    for number in range(5):
        db.footprints.put(f"k{number}", "measured", sample(number))
    assert [bool(db.footprints.of(f"k{number}", "measured")) for number in range(5)] == [False, False, True, True, True]


def test_a_correction_stands_instead_of_all_that_was_known(db: Database) -> None:
    db.footprints.put("a", "measured", sample(1))
    db.footprints.put("a", "fit-params", sample(2))
    db.footprints.put("a", "corrected", sample(3))
    assert db.footprints.of("a", "corrected", "measured", "fit-params") == [sample(3)]


def test_they_outlive_the_daemon(tmp_path: Path) -> None:
    with Database(tmp_path / "x.db") as db:
        db.footprints.put("a", "measured", sample(1))
    with Database(tmp_path / "x.db") as db:
        assert db.footprints.of("a", "measured") == [sample(1)]
