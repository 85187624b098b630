"""A file is written as a whole or not at all."""

import os
import stat
import tempfile
import threading
from pathlib import Path

import pytest

from llamactl.config.replace import rewrite
from llamactl.core.errors import Forbidden, LlamactlError, Refused


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("before\n")
    return path


def only(path: Path) -> None:
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_new_file_is_for_this_user_only_with_its_directory(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "config.toml"
    assert rewrite(path, lambda before: f"{before!r}")
    assert path.read_text() == "''"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    only(path)


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o640, 0o400])
def test_mode_and_owner_stay(file: Path, mode: int) -> None:
    if os.getuid() == 0:
        os.chown(file, 12345, 23456)
    file.chmod(mode)
    found = file.stat()
    assert rewrite(file, lambda before: before + "after\n")
    now = file.stat()
    assert (now.st_mode, now.st_uid, now.st_gid) == (found.st_mode, found.st_uid, found.st_gid)
    assert now.st_ino != found.st_ino
    assert file.read_text() == "before\nafter\n"


def test_nothing_is_written_where_nothing_changes(file: Path) -> None:
    found = file.stat()
    assert not rewrite(file, lambda before: before)
    assert file.stat().st_ino == found.st_ino and file.stat().st_mtime_ns == found.st_mtime_ns


def test_ends_of_lines_stay(file: Path) -> None:
    file.write_bytes(b"a\r\nb\n")
    rewrite(file, lambda before: before + "c\r\n")
    assert file.read_bytes() == b"a\r\nb\nc\r\n"


def test_a_link_stays_one(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "sub" / "link.toml"
    link.parent.mkdir()
    link.symlink_to("../config.toml")
    rewrite(link, lambda before: "after")
    assert link.is_symlink() and file.read_text() == "after"


@pytest.mark.parametrize("step", ["fsync", "fchmod", "replace"])
def test_a_failure_leaves_what_was_there(file: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((Path, step, full) if step == "replace" else (os, step, full)))
    with pytest.raises(LlamactlError, match="No space left"):
        rewrite(file, lambda before: "after")
    assert file.read_text() == "before\n"
    only(file)


def test_an_error_of_the_change_passes_through(file: Path) -> None:
    def change(_: str) -> str:
        raise Refused("no")

    with pytest.raises(Refused, match="no"):
        rewrite(file, change)
    assert file.read_text() == "before\n"
    only(file)


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path(os.devnull)):
        with pytest.raises(Refused, match="is not a file"):
            rewrite(path, lambda before: "x")


def test_what_may_not_be_written_is_forbidden(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkstemp", forbidden)
    with pytest.raises(Forbidden, match="may not write"):
        rewrite(file, lambda before: "x")
    assert file.read_text() == "before\n"


def test_two_at_once_lose_nothing(file: Path) -> None:
    def add(word: str) -> None:
        for _ in range(20):
            rewrite(file, lambda before: f"{before}{word}\n")

    threads = [threading.Thread(target=add, args=(word,)) for word in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(file.read_text().split()) == sorted(["before", *["a", "b", "c"] * 20])
    only(file)
