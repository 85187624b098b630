"""Noticing that something has changed."""

import errno
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from llamactl.catalogue import Watch
from tests.catalogue.files import gguf

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def watch() -> Iterator[Watch]:
    with Watch() as watch:
        if watch.limited:
            pytest.skip(watch.limited)
        yield watch


async def notices(watch: Watch, do: Callable[[], object]) -> bool:
    """Does it notice that? The end of it is marked by something that it notices for sure."""
    do()
    with anyio.move_on_after(0.05) as scope:
        await watch.changed()
    return not scope.cancelled_caught


async def test_what_may_change_which_models_there_are_is_noticed(watch: Watch, tmp_path: Path) -> None:
    watch.add(tmp_path)
    a, b, sub = tmp_path / "a.gguf", tmp_path / "b.GGUF", tmp_path / "sub"
    for do in (
        lambda: gguf(a),
        lambda: gguf(a, 200),
        lambda: a.rename(b),
        lambda: (tmp_path / "c.gguf").symlink_to(b),
        sub.mkdir,
        sub.rmdir,
        b.unlink,
        lambda: (tmp_path / "x.gguf.part").touch(),
        tmp_path.joinpath("x.gguf.part").unlink,
        lambda: shutil.rmtree(tmp_path),
    ):
        assert await notices(watch, do)


async def test_other_files_are_not_nor_what_is_read(watch: Watch, tmp_path: Path) -> None:
    path = gguf(tmp_path / "a.gguf")
    watch.add(tmp_path)
    for do in (
        lambda: (tmp_path / "notes.txt").write_text("x"),
        lambda: gguf(tmp_path / ".a.gguf"),
        (tmp_path / ".hidden").mkdir,
        path.read_bytes,
        lambda: list(tmp_path.iterdir()),
    ):
        assert not await notices(watch, do)


async def test_a_file_counts_when_its_writer_closes_it(watch: Watch, tmp_path: Path) -> None:
    path = gguf(tmp_path / "a.gguf")
    watch.add(tmp_path)
    with path.open("ab", buffering=0) as file:
        assert not await notices(watch, lambda: file.write(b"more"))
        assert await notices(watch, file.close)


async def test_directories_that_are_not_there_are_awaited(watch: Watch, tmp_path: Path) -> None:
    wanted = tmp_path / "a" / "b"
    watch.await_missing([wanted, tmp_path])
    assert not await notices(watch, (tmp_path / "c").mkdir)
    assert await notices(watch, (tmp_path / "a").mkdir)
    watch.await_missing([wanted])
    assert not await notices(watch, lambda: gguf(tmp_path / "a" / "x.gguf"))
    assert await notices(watch, wanted.mkdir)
    watch.add(tmp_path / "a")  # whole from now on
    watch.await_missing([tmp_path / "a" / "other"])
    gguf(tmp_path / "a" / "y.gguf")
    assert await notices(watch, lambda: None)
    assert await notices(watch, (tmp_path / "a" / "y.gguf").unlink)


async def test_one_that_is_gone_is_left_out(watch: Watch, tmp_path: Path) -> None:
    watch.add(tmp_path / "nowhere")
    assert watch.limited == ""


async def test_too_many_directories_are_told_of(watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: bytes, mask: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(watch._inotify, "add_watch", refuse)
    watch.add(tmp_path)
    assert "max_user_watches" in watch.limited
    assert not await notices(watch, lambda: gguf(tmp_path / "a.gguf"))


async def test_where_there_is_no_inotify_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(nonblocking: bool) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("inotify_simple.INotify", refuse)
    with Watch() as watch:
        assert "max_user_instances" in watch.limited
        watch.add(tmp_path)
        watch.await_missing([tmp_path / "x"])
        assert not await notices(watch, lambda: gguf(tmp_path / "a.gguf"))
