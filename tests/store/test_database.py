"""The file: opened, made, refused."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from llamactl.core.errors import LlamactlError, Refused
from llamactl.core.model import Model
from llamactl.store import Database, StoreFailed

A = Model(name="a", path="/m/a.gguf", size=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "llamactl.db"


def pragma(db: Database, name: str) -> object:
    return db._db.pragma(name)


def run(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def put_fails(db: Database) -> StoreFailed:
    with pytest.raises(StoreFailed) as caught:
        db.models.put(A)
    assert str(db.path) in caught.value.message
    assert "llamactl db check" in caught.value.hint
    return caught.value


def opening_fails(path: Path) -> StoreFailed:
    with pytest.raises(StoreFailed) as caught:
        Database(path, patience=0.0)
    assert str(path) in caught.value.message
    assert "llamactl db check" in caught.value.hint
    assert not Path(f"{path}.lock").exists()
    return caught.value


def test_a_new_one_is_made(path: Path) -> None:
    with Database(path) as db:
        assert db.models.all() == []
    with Database(path) as db:
        assert [pragma(db, name) for name in ("journal_mode", "synchronous", "foreign_keys")] == ["wal", 1, 1]
        assert [pragma(db, name) for name in ("busy_timeout", "auto_vacuum")] == [500, 2]


def test_what_was_put_is_there_after_opening_it_again(path: Path) -> None:
    with Database(path) as db:
        db.models.put(A)
    with Database(path) as db:
        assert db.models.all() == [A]


def test_closing_twice_is_once(path: Path) -> None:
    db = Database(path)
    db.close()
    db.close()


def test_two_are_two(path: Path, tmp_path: Path) -> None:
    with Database(path) as one, Database(tmp_path / "other.db") as other:
        one.models.put(A)
        assert (one.models.all(), other.models.all()) == ([A], [])


def test_an_empty_file_becomes_one(path: Path) -> None:
    path.touch()
    with Database(path) as db:
        db.models.put(A)


@pytest.mark.parametrize("version", ["2.1", "3.0", "10.0"])
def test_a_newer_one_is_refused_and_not_touched(path: Path, version: str) -> None:
    Database(path).close()
    run(path, f"UPDATE metadata SET value = '{version}' WHERE key = 'db_version'", "DROP TABLE models")
    before = path.read_bytes()
    with pytest.raises(Refused, match=f"newer llamactl .schema {version}"):
        Database(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_one_of_a_version_that_never_was_is_refused(path: Path) -> None:
    run(path, "CREATE TABLE metadata (key, value)", "INSERT INTO metadata VALUES ('db_version', '1.1')")
    with pytest.raises(Refused, match="no release had"):
        Database(path)


def test_a_newer_one_in_another_journal_mode_keeps_it(path: Path) -> None:
    run(path, "CREATE TABLE metadata (key, value)", "INSERT INTO metadata VALUES ('db_version', '9.0')")
    before = path.read_bytes()
    with pytest.raises(Refused, match="newer"):
        Database(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", ["", "new", "1.", "１.0"])
def test_one_without_a_readable_version_is_refused(path: Path, version: str) -> None:
    run(path, "CREATE TABLE metadata (key, value)", f"INSERT INTO metadata VALUES ('db_version', '{version}')")
    with pytest.raises(Refused, match="which version"):
        Database(path)
    run(path, "DELETE FROM metadata")
    with pytest.raises(Refused, match="which version"):
        Database(path)


def test_one_of_another_program_is_refused_and_not_touched(path: Path) -> None:
    for table in ("cookies (name)", "metadata (name)"):
        path.unlink(missing_ok=True)
        run(path, f"CREATE TABLE {table}")
        before = path.read_bytes()
        with pytest.raises(Refused, match="another program"):
            Database(path)
        assert path.read_bytes() == before


def test_garbage_is_not_a_database(path: Path) -> None:
    path.write_bytes(b"garbage " * 1000)
    assert "not a database" in opening_fails(path).message


def test_a_corrupt_one_is_told_of(path: Path) -> None:
    with Database(path) as db:
        db.models.put(*(Model(name=f"m{n}", path="/m/" + "x" * 500, size=n) for n in range(100)))
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + b"\xff" * (len(content) - half))
    with pytest.raises(StoreFailed) as caught, Database(path) as db:
        db.models.all()
    assert str(path) in caught.value.message and "corrupt" in caught.value.message
    assert "-wal" in caught.value.hint


def test_a_row_that_makes_no_sense_is_told_of(path: Path) -> None:
    with Database(path) as db:
        db.models.put(A)
    for column, value in (("other_settings", "'{'"), ("ctx_size", "x'00'"), ("file_size_bytes", "'big'")):
        run(path, f"UPDATE models SET other_settings = NULL, ctx_size = NULL, file_size_bytes = 1, {column} = {value}")
        with Database(path) as db, pytest.raises(StoreFailed, match="cannot be read"):
            db.models.all()


def test_one_locked_by_somebody_else(path: Path) -> None:
    Database(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        with Database(path, patience=0.0) as db:
            other.execute("BEGIN IMMEDIATE")
            assert "locked" in put_fails(db).message
            assert db.models.all() == []
            other.execute("ROLLBACK")
            db.models.put(A)
        other.execute("BEGIN EXCLUSIVE")
        assert "locked" in opening_fails(path).message


def test_one_that_cannot_be_written(path: Path) -> None:
    with Database(path) as db:
        db._db.pragma("query_only", 1)  # says what a read-only file says, to root as well
        error = put_fails(db)
    assert "read-only" in error.message and "writable" in error.hint


@pytest.mark.skipif(os.getuid() == 0, reason="root may write any file")
def test_a_file_without_write_permission(path: Path) -> None:
    Database(path).close()
    path.chmod(0o400)
    assert "read-only" in opening_fails(path).message


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_directory_without_write_permission(path: Path) -> None:
    Database(path).close()
    path.parent.chmod(0o500)
    try:
        failed = opening_fails(path)
    finally:
        path.parent.chmod(0o700)
    assert "cannot be opened" in failed.message and str(path.parent) in failed.hint


def test_a_full_disk_leaves_it_as_it_was(path: Path) -> None:
    with Database(path) as db:
        db.models.put(A)
        db._db.pragma("max_page_count", db._db.pragma("page_count"))
        with pytest.raises(StoreFailed, match="full"):
            db.models.put(*(Model(name=f"m{n}", path="/m/" + "x" * 500, size=n) for n in range(500)))
        assert db.models.all() == [A]
        db._db.pragma("max_page_count", 1 << 30)
        db.models.put(Model(name="b", path="/b", size=1))
        assert len(db.models.all()) == 2


def test_a_path_that_cannot_be_one(tmp_path: Path) -> None:
    assert "cannot be opened" in opening_fails(tmp_path).message
    assert "cannot be opened" in opening_fails(tmp_path / "missing" / "x.db").message


def test_a_failure_crosses_boundaries_as_an_ordinary_error(path: Path) -> None:
    problem = StoreFailed("m", "h").problem()
    assert (problem.code, problem.exit) == ("store_failed", 1)
    assert issubclass(StoreFailed, LlamactlError)


# --- one daemon at a time ------------------------------------------------------------------------


def test_a_second_daemon_is_refused(path: Path) -> None:
    with Database(path) as db:
        with pytest.raises(Refused, match=f"another daemon .pid {os.getpid()}. uses the database {path}"):
            Database(path)
        db.models.put(A)
    with Database(path) as db:
        assert db.models.all() == [A]


def test_a_second_daemon_in_another_process_is_refused(path: Path) -> None:
    code = f"""
from pathlib import Path
from llamactl.core.errors import Refused
from llamactl.store import Database
try:
    Database(Path({str(path)!r}))
except Refused as error:
    print(error.message)
"""
    with Database(path):
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"pid {os.getpid()}" in said.stdout


def test_it_is_the_same_database_by_another_name(path: Path) -> None:
    other = path.with_name("other.db")
    other.symlink_to(path)
    with Database(path), pytest.raises(Refused, match="another daemon"):
        Database(other)


def test_who_only_reads_is_not_hindered(path: Path) -> None:
    with Database(path) as db:
        db.models.put(A)
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
            assert reader.execute("SELECT count(*) FROM models").fetchone() == (1,)


def test_a_lock_that_was_left_behind_is_taken_over(path: Path) -> None:
    lock = Path(f"{path}.lock")
    lock.write_text("1\n")
    with Database(path):
        assert lock.read_text() == f"{os.getpid()}\n"
    assert list(path.parent.iterdir()) == [path]
