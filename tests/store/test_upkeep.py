"""Looking after the file, with and without a daemon."""

import asyncio
import os
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from llamactl.core.errors import BadRequest, LlamactlError, NotFound, Refused
from llamactl.core.model import Model
from llamactl.core.sample import Host, Sample
from llamactl.store import Database, StoreFailed, copying, upkeep
from llamactl.store.lock import Lock

A = Model(name="a", path="/m/a.gguf", size=1, settings={"ctx_size": 1, "temperature": 0.5})
MANY = [Model(name=f"m{n}", path="/m/" + "x" * 500, size=n) for n in range(500)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "llamactl.db"
    with Database(path) as db:
        db.models.put(A)
    return path


HOST = Host(memory_total=0, memory_available=0, swap_total=0, swap_used=0)


def run(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def models(path: Path) -> list[Model]:
    with Database(path) as db:
        return db.models.all()


# --- check ---------------------------------------------------------------------------------------


def test_a_sound_one(path: Path) -> None:
    for quick in (False, True):
        found = upkeep.check(path, quick)
        assert (found.version, found.current, found.models, found.problems) == ("2.0", "2.0", 1, ())
        assert (found.path, found.size, found.wal_size) == (str(path), path.stat().st_size, 0)
    assert list(path.parent.iterdir()) == [path]


def test_while_a_daemon_works_with_it(path: Path) -> None:
    with Database(path) as db:
        db.models.put(*MANY)
        found = upkeep.check(path)
        assert (found.models, found.problems) == (501, ())
        assert found.wal_size > 0
        db.models.put(A)


def test_one_of_an_earlier_release_is_left_as_it_is(tmp_path: Path) -> None:
    old = tmp_path / "x.db"
    old.write_bytes((Path(__file__).parent / "old" / "1.0.db").read_bytes())
    before = old.read_bytes()
    found = upkeep.check(old)
    assert (found.version, found.models, found.problems) == ("1.0", 3, ())
    assert old.read_bytes() == before


def test_rows_that_belong_to_nothing(path: Path) -> None:
    run(path, "DELETE FROM models")  # foreign keys are off here
    found = upkeep.check(path)
    assert "row 1 of model_sampling_config belongs to nothing in models" in found.problems


def test_an_index_that_lacks_something_is_found_unless_it_is_to_be_quick(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        sql = "CREATE INDEX idx_models_type ON models (type) WHERE 0"
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'idx_models_type'", (sql,))
    names = "name, type, model_path, file_size_bytes, created_at, updated_at"
    run(path, f"INSERT INTO models ({names}) VALUES ('b', 'x', '', 0, 0, 0)")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        sql = 'CREATE INDEX "idx_models_type" ON "models" ("type")'
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'idx_models_type'", (sql,))
    assert any("idx_models_type" in problem for problem in upkeep.check(path).problems)
    assert upkeep.check(path, quick=True).problems == ()


def test_a_broken_one(path: Path) -> None:
    with Database(path) as db:
        db.models.put(*MANY)
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + b"\xff" * (len(content) - half))
    assert upkeep.check(path).problems


def test_garbage_and_other_programs_and_newer_ones(path: Path) -> None:
    run(path, "UPDATE metadata SET value = '9.0'")
    found = upkeep.check(path)
    assert (found.version, found.models) == (None, None)
    assert "newer llamactl" in found.problems[0]
    run(path, "DROP TABLE metadata")
    assert "another program" in upkeep.check(path).problems[0]
    path.write_bytes(b"garbage " * 1000)
    assert "not a database" in upkeep.check(path).problems[0]


def test_none_at_all(tmp_path: Path) -> None:
    for act in (upkeep.check, upkeep.vacuum):
        with pytest.raises(NotFound, match=r"no database .*x\.db"):
            act(tmp_path / "x.db")
    with pytest.raises(NotFound):
        upkeep.backup(tmp_path / "x.db", tmp_path / "y.db")
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.chmod(0o400)
    path.parent.chmod(0o500)
    monkeypatch.setattr(os, "access", lambda *_: False)  # as it is for all but root
    try:
        assert upkeep.check(path).problems == ()
    finally:
        path.parent.chmod(0o700)


# --- backup --------------------------------------------------------------------------------------


def test_a_copy_is_complete_and_only_its_owners(path: Path, tmp_path: Path) -> None:
    to = tmp_path / "copy.db"
    assert upkeep.backup(path, to) == to.stat().st_size
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy.db", "llamactl.db"]
    assert upkeep.check(to).problems == ()
    assert models(to) == [A]


def test_a_copy_is_of_one_moment_while_the_daemon_writes(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "PAGES", 1)
    steps = []
    with Database(path) as db:
        db.models.put(*MANY)

        def write_more(left: int, total: int) -> None:
            steps.append(left)
            number = len(steps)
            db.models.put(Model(name=f"n{number}", path="/n", size=1, settings={"temperature": 0.5, "ctx_size": 1}))
            db.models.remove(f"m{number}")
            asyncio.run(db.samples.put([Sample(at=number, host=HOST)]))

        upkeep.backup(path, tmp_path / "copy.db", told=write_more)
    assert len(steps) > 20 and steps == sorted(steps, reverse=True)  # it never began anew
    assert upkeep.check(tmp_path / "copy.db").problems == ()
    assert models(tmp_path / "copy.db") == sorted([A, *MANY], key=lambda model: model.name)


def test_a_copy_taken_while_another_thread_writes_is_sound(path: Path, tmp_path: Path) -> None:
    over = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
            while not over.is_set():
                connection.execute("INSERT INTO metrics_history (timestamp, created_at) VALUES (1, 1)")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            upkeep.backup(path, tmp_path / "copy.db", replace=True)
            assert upkeep.check(tmp_path / "copy.db").problems == ()
    finally:
        over.set()
        writer.join()


def test_what_is_there_is_not_replaced_unasked(path: Path, tmp_path: Path) -> None:
    to = tmp_path / "copy.db"
    to.write_text("precious")
    with pytest.raises(Refused, match="is there already") as caught:
        upkeep.backup(path, to)
    assert f"--force {to}" in caught.value.hint
    assert to.read_text() == "precious"
    with pytest.raises(Refused, match="is no database"):
        upkeep.backup(path, to, replace=True)
    assert to.read_text() == "precious", "whoever may write there: a mistyped path, and an admin far away"
    to.write_bytes(b"")
    upkeep.backup(path, to, replace=True)
    assert models(to) == [A]
    upkeep.backup(path, to, replace=True)
    assert models(to) == [A]


def test_a_file_that_appears_meanwhile_is_not_replaced(path: Path, tmp_path: Path) -> None:
    to = tmp_path / "copy.db"
    with pytest.raises(Refused, match="is there already"):
        upkeep.backup(path, to, told=lambda *_: to.write_text("precious"))
    assert to.read_text() == "precious"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy.db", "llamactl.db"]


def test_the_database_is_not_its_own_backup(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link.db").hardlink_to(path)
    for to in (path, tmp_path / "link.db", Path(f"{tmp_path}/../{tmp_path.name}/llamactl.db")):
        with pytest.raises(Refused, match="the database itself"):
            upkeep.backup(path, to, replace=True)
    assert models(path) == [A]


def test_places_where_it_cannot_be(path: Path, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="is a directory"):
        upkeep.backup(path, tmp_path)
    with pytest.raises(LlamactlError, match="No such file"):
        upkeep.backup(path, tmp_path / "missing" / "copy.db")


def test_a_broken_one_does_not_replace_a_good_backup(path: Path, tmp_path: Path) -> None:
    to = tmp_path / "copy.db"
    with Database(path) as db:
        db.models.put(*MANY)
    upkeep.backup(path, to)
    before, content = to.read_bytes(), path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + b"\xff" * (len(content) - half))
    with pytest.raises(StoreFailed, match="corrupt"):
        upkeep.backup(path, to, replace=True)
    assert to.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy.db", "llamactl.db"]


# --- vacuum --------------------------------------------------------------------------------------


def test_it_gets_smaller(path: Path) -> None:
    with Database(path) as db:
        db.models.put(*MANY)
        for model in MANY:
            db.models.remove(model.name)
    assert upkeep.check(path).free > 100_000
    done = upkeep.vacuum(path)
    assert done.complete and done.after < done.before - 100_000
    assert done.after == path.stat().st_size
    found = upkeep.check(path)
    assert (found.free, found.problems) == (0, ())
    assert list(path.parent.iterdir()) == [path]
    assert models(path) == [A]


def test_beside_a_daemon_it_gives_back_what_is_free(path: Path) -> None:
    with Database(path) as db:
        db.models.put(*MANY)
        for model in MANY:
            db.models.remove(model.name)
        assert upkeep.check(path).free > 100_000
        assert not upkeep.vacuum(path).complete
        assert upkeep.check(path).free == 0
        db.models.put(A)
        assert db.models.all() == [A]
    assert upkeep.check(path).problems == ()


def test_no_daemon_starts_meanwhile(path: Path) -> None:
    lock = Lock(path)
    try:
        assert not upkeep.vacuum(path).complete
    finally:
        lock.release()
    assert upkeep.vacuum(path).complete


def test_what_is_not_ours_is_left_alone(path: Path) -> None:
    run(path, "UPDATE metadata SET value = '9.0'")
    before = path.read_bytes()
    with pytest.raises(Refused, match="newer"):
        upkeep.vacuum(path)
    assert path.read_bytes() == before


def test_one_that_is_locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "PATIENCE", 0.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreFailed, match="locked"):
            upkeep.vacuum(path)
