"""Databases of earlier releases."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from llamactl.core.model import Model
from llamactl.store import Database, StoreFailed, database, versions
from llamactl.store.models import Models

OLD = Path(__file__).parent / "old"

MODELS = [
    Model(name="plain", path="/m/plain.gguf", size=1234),
    Model(
        name="qwen3:8b",
        path="/m/qwen.gguf",
        size=5_000_000_000,
        aliases=("qwen", "big"),
        settings={
            "ctx_size": 4096,
            "mmap": False,
            "temperature": 0.5,
            "gpu_layers": "all",
            "chat_template": "chatml",
            "jinja": True,
            "custom_params": "--keep 5",
            "of_a_plugin": "kept",
        },
    ),
    Model(name="zürich", path="/m/zürich.gguf", size=7, settings={"threads": 2, "flash_attn": "on"}),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    shutil.copy(OLD / "1.0.db", tmp_path / "llamactl.db")
    return tmp_path / "llamactl.db"


def content(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_there_is_one_of_each() -> None:
    assert {f"{versions.show(version)}.db" for version in versions.MIGRATIONS} == {one.name for one in OLD.glob("*.db")}


def test_models_and_settings_of_1_0_are_all_there(path: Path) -> None:
    for _ in "once", "and opened again":
        with Database(path) as db:
            assert db.models.all() == MODELS
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT value FROM metadata").fetchall() == [("2.0",)]
        times = connection.execute("SELECT created_at FROM models ORDER BY name").fetchall()
        assert times == [(1_750_000_001_000,), (1_750_000_002_000,), (1_750_000_003_000,)]
        assert connection.execute("SELECT jinja FROM model_server_config").fetchall() == [(1,)]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_it_is_the_same_as_a_new_one(path: Path, tmp_path: Path) -> None:
    Database(path).close()
    Database(tmp_path / "new.db").close()

    def schema(file: Path) -> list[str]:
        return sorted(line for line in content(file) if line.startswith("CREATE"))

    assert schema(path) == schema(tmp_path / "new.db")


def test_a_copy_is_kept_of_how_it_was(path: Path) -> None:
    before = content(path)
    Database(path).close()
    assert content(path.with_name("llamactl.db.1.0.bak")) == before
    assert sorted(one.name for one in path.parent.iterdir()) == ["llamactl.db", "llamactl.db.1.0.bak"]


def test_what_is_still_in_the_log_is_in_the_copy_too(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:  # as a daemon that was killed leaves it
        connection.execute("UPDATE models SET size = 4321 WHERE name = 'plain'")
        connection.commit()
        for end in ("", "-wal", "-shm"):
            shutil.copy(f"{path}{end}", f"{path}.killed{end}")
    killed = Path(f"{path}.killed")
    with Database(killed) as db:
        assert db.models.all()[0].size == 4321
    assert any("4321" in line for line in content(Path(f"{killed}.1.0.bak")))


def test_a_migration_that_fails_leaves_everything_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate = versions.MIGRATIONS[1, 0]

    def fails(connection: sqlite3.Connection) -> Callable[[Models], None]:
        fill = migrate(connection)

        def half(models: Models) -> None:
            fill(models)
            raise sqlite3.OperationalError("the power is off")

        return half

    before = content(path)
    monkeypatch.setitem(versions.MIGRATIONS, (1, 0), fails)
    with pytest.raises(StoreFailed, match="the power is off"):
        Database(path)
    assert content(path) == before
    monkeypatch.undo()
    with Database(path) as db:
        assert db.models.all() == MODELS


def test_a_full_disk_leaves_everything_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(path)
    monkeypatch.setitem(database.PRAGMAS, "max_page_count", 10)
    with pytest.raises(StoreFailed, match="full") as caught:
        Database(path)
    assert str(path) in caught.value.message and "llamactl db check" in caught.value.hint
    assert content(path) == before


def test_without_room_for_a_copy_nothing_happens(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    before = content(path)
    monkeypatch.setattr(database, "copy", no_room)
    with pytest.raises(StoreFailed, match=r"cannot be copied to .*1\.0\.bak.*No space left"):
        Database(path)
    assert content(path) == before


def test_settings_under_the_name_of_a_flag_get_that_of_their_column(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        settings = '{"parallel":2,"prio":1,"priority":3,"no_such":1}'
        connection.execute("UPDATE models SET settings = ? WHERE name = 'plain'", (settings,))
        connection.commit()
    with Database(path) as db:
        assert db.models.all()[0].settings == {"n_parallel": 2, "priority": 3, "prio": 1, "no_such": 1}
