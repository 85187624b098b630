"""The file that completions read."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from llamactl.catalogue import Catalogue
from llamactl.core.access import Key
from llamactl.core.model import Model
from llamactl.core.shape import Shape
from llamactl.daemon import names
from llamactl.daemon.names import Names, lines
from llamactl.store import Database

pytestmark = pytest.mark.anyio


def key(id: str, revoked: float | None = None) -> Key:
    return Key(id=id, digest="s3cret", created=1.0, name="for a friend", revoked=revoked)


def test_one_line_for_each_name_and_no_secret() -> None:
    qwen = Model(name="qwen:8b", path="/q", size=1, aliases=("gpt/4", "q"), shapes={"": Shape(), "fast": Shape()})
    gemma = Model(name="gemma", path="/g", size=1)
    assert list(lines([qwen, gemma], ["long"], [key("a1"), key("b2", revoked=2.0)])) == [
        "model\tqwen:8b",
        "alias\tgpt/4",
        "alias\tq",
        "variant\tqwen:8b:fast",
        "model\tgemma",
        "preset\tlong",
        "key\ta1",
    ]


class Desk:
    """A database with a catalogue, and the file that tells of them."""

    def __init__(self, place: Path) -> None:
        self.db = Database(place / "db")
        self.catalogue = Catalogue(self.db.models, lambda event: None)
        self.path = place / "names"
        self.writes = 0
        self._names = Names(self.path, self._named)
        self.db.on_renamed(self._names.changed)

    def _named(self) -> names.Named:
        self.writes += 1
        return self.catalogue.models(), self.db.presets.all(), self.db.keys.all()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as group:
            await group.start(self._names.run)
            yield
            group.cancel_scope.cancel()

    async def says(self, *wanted: str) -> None:
        with anyio.fail_after(10):
            text = "".join(f"{line}\n" for line in wanted)
            while not self.path.exists() or self.path.read_text() != text:  # noqa: ASYNC110  # a thread writes it
                await anyio.sleep(0.005)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # real time: a thread writes


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(names, "PAUSE", 0.02)
    desk = Desk(tmp_path)
    async with desk.open():
        yield desk
    desk.db.close()


async def test_the_file_follows_what_changes(desk: Desk, tmp_path: Path) -> None:
    await desk.says()
    changes: list[tuple[Callable[[], object], list[str]]] = [
        (lambda: desk.catalogue.take([Model(name="a", path="/a", size=1)]), ["model\ta"]),
        (lambda: desk.catalogue.alias("a", ["other"], []), ["model\ta", "alias\tother"]),
        (lambda: desk.catalogue.rename("a", "b"), ["model\tb", "alias\tother"]),
        (lambda: desk.db.presets.put("long", {}), ["model\tb", "alias\tother", "preset\tlong"]),
        (lambda: desk.catalogue.remove("b"), ["preset\tlong"]),
        (lambda: desk.db.keys.put(key("a1")), ["preset\tlong", "key\ta1"]),
        (lambda: desk.db.presets.remove("long"), ["key\ta1"]),
        (lambda: desk.db.keys.put(key("a1", revoked=2.0)), []),
    ]
    for change, wanted in changes:
        change()
        await desk.says(*wanted)
    assert not (tmp_path / "names.new").exists()


async def test_many_changes_are_one(desk: Desk) -> None:
    await desk.says()
    before = desk.writes
    for number in range(50):
        desk.db.presets.put(f"p{number:02}", {})
    await desk.says(*(f"preset\tp{number:02}" for number in range(50)))
    assert desk.writes - before <= 2


async def test_a_place_that_cannot_be_written_is_tried_again(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.says()
    (tmp_path / "names.new").mkdir()
    desk.db.presets.put("a", {})
    with anyio.fail_after(10):
        while not caplog.records:  # noqa: ASYNC110  # it is told of at the end of a thread
            await anyio.sleep(0.005)
    assert "names" in caplog.text and desk.path.read_text() == ""
    (tmp_path / "names.new").rmdir()
    desk.db.presets.put("b", {})
    await desk.says("preset\ta", "preset\tb")
