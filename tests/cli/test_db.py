"""`llamactl db`: with a database in this user's home, and with that of a daemon that answers."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from llamactl.core.model import Model
from llamactl.store import Database
from tests.cli.conftest import Llamactl
from tests.cli.stub import STATUS, Stub


@pytest.fixture
def path(home: Path) -> Path:
    path = home / "data_home" / "llamactl" / "llamactl.db"
    path.parent.mkdir(parents=True)
    with Database(path) as db:
        db.models.put(Model(name="a", path="/a", size=1))
    return path


@pytest.fixture
def elsewhere(path: Path, stub: Stub, home: Path) -> Iterator[Path]:
    """The database that a running daemon works with; it is not where this user's would be."""
    other = home / "elsewhere" / "llamactl.db"
    other.parent.mkdir()
    stub.answers["daemon.status"] = msgspec.structs.replace(STATUS, data=str(other.parent))
    with Database(other):
        yield other


def test_check(path: Path, llamactl: Llamactl) -> None:
    said = llamactl("db", "check")
    assert (said.code, said.err) == (0, "")
    first, _, last = said.out.splitlines()
    assert first == f"{path}: schema 2.0, 1 model"
    assert last == "it is sound"
    found = llamactl("db", "check", "--quick", "--json").json()
    assert found["schema"] == "llamactl.database/v1"
    assert (found["path"], found["version"], found["models"], found["problems"]) == (str(path), "2.0", 1, [])


def test_check_of_a_broken_one(path: Path, llamactl: Llamactl) -> None:
    path.write_bytes(b"garbage " * 1000)
    said = llamactl("db", "check")
    assert said.code == 1
    assert "problem: file is not a database" in said.out and "unknown schema" in said.out
    assert f"mv {path}" in said.err
    json = llamactl("db", "check", "--json")
    assert json.code == 1 and json.json()["problems"] == ["file is not a database"]


def test_check_of_an_old_one(path: Path, llamactl: Llamactl) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE metadata SET value = '1.0'")
        connection.commit()
    said = llamactl("db", "check")
    assert said.code == 0 and "the next daemon brings it to schema 2.0" in said.err


@pytest.mark.parametrize("command", [["check"], ["backup", "x.db"], ["vacuum"]])
def test_without_a_database(llamactl: Llamactl, command: list[str]) -> None:
    said = llamactl("db", *command)
    assert said.code == 4 and "llamactl daemon start" in said.err
    assert llamactl("db", *command, "--json").json()["error"]["exit"] == 4


def test_backup(path: Path, llamactl: Llamactl, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    said = llamactl("db", "backup", "copy.db")
    assert said.code == 0 and f"{home}/copy.db has all of {path}" in said.err
    again = llamactl("db", "backup", "~/copy.db")
    assert again.code == 5 and "--force" in again.err
    done = llamactl("db", "backup", "~/copy.db", "-y", "--json").json()
    assert done["schema"] == "llamactl.backup/v1"
    assert (done["file"], done["size"]) == (f"{home}/copy.db", (home / "copy.db").stat().st_size)
    with Database(home / "copy.db") as db:
        assert [model.name for model in db.models.all()] == ["a"]


def test_vacuum(path: Path, llamactl: Llamactl) -> None:
    said = llamactl("db", "vacuum")
    assert said.code == 0 and said.err.startswith(f"{path}: ")
    done = llamactl("db", "vacuum", "--json").json()
    assert done["schema"] == "llamactl.vacuum/v1" and done["complete"] is True
    assert done["after"] <= done["before"]


def test_it_is_the_database_of_the_daemon_that_runs(elsewhere: Path, llamactl: Llamactl, home: Path) -> None:
    found = llamactl("db", "check", "--json").json()
    assert (found["path"], found["models"]) == (str(elsewhere), 0)
    assert llamactl("db", "backup", f"{home}/copy.db").code == 0
    said = llamactl("db", "vacuum")
    assert said.code == 0 and "a daemon uses it" in said.err


def test_a_daemon_that_was_named_must_answer(path: Path, llamactl: Llamactl, home: Path) -> None:
    assert llamactl("db", "check", "-H", f"unix://{home}/none.sock").code == 7
