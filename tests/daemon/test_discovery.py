"""When directories are looked through, with real files and a watch that the test moves."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType

import anyio
import pytest

from llamactl.catalogue import Catalogue
from llamactl.config.directories import Directories
from llamactl.config.sections import Config, Models
from llamactl.config.values import FilePath
from llamactl.core.events import CatalogueChanged
from llamactl.daemon import discovery
from llamactl.daemon.discovery import Discovery
from llamactl.hub import Hub
from llamactl.store import Database, StoreFailed
from tests.catalogue.files import gguf

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # it works in threads, for which time cannot be made to jump


class Bell:
    """A watch that notices what the test says."""

    limited = ""

    def __init__(self) -> None:
        self.rung = anyio.Event()
        self.added: list[Path] = []

    def __enter__(self) -> "Bell":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def add(self, directory: Path) -> None:
        self.added.append(directory)

    def await_missing(self, directories: object) -> None: ...

    async def changed(self) -> None:
        await self.rung.wait()
        self.rung = anyio.Event()


class House:
    def __init__(self, place: Path, db: Database, bell: Bell) -> None:
        self.models = place / "models"
        self.models.mkdir()
        directories = Directories(config_file=place / "c", data=place, log=place, runtime=place)
        self.config = Config(directories=directories, models=Models(directories=(FilePath(str(self.models)),)))
        self.hub = Hub()
        self.catalogue = Catalogue(db.models, self.hub.publish)
        self.discovery = Discovery(lambda: self.config, self.catalogue)
        self.bell = bell

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as group:
            await group.start(self.discovery.run)
            yield
            group.cancel_scope.cancel()

    async def until_known(self, *names: str) -> None:
        with self.hub.watch() as watcher, anyio.fail_after(30):
            while {model.name for model in self.catalogue.models()} != {*names}:
                await anext(watcher)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(discovery, "QUIET", 0.05)
    monkeypatch.setattr(discovery, "LONGEST", 0.5)
    bell = Bell()
    monkeypatch.setattr(discovery, "Watch", lambda: bell)
    with Database(tmp_path / "db") as db:
        yield House(tmp_path, db, bell)


async def test_at_the_start_and_whenever_something_changed(house: House) -> None:
    gguf(house.models / "sub" / "a.gguf")
    async with house.kept():
        await house.until_known("a")
        assert list(dict.fromkeys(house.bell.added)) == [house.models, house.models / "sub"]
        gguf(house.models / "b.gguf")
        house.bell.rung.set()
        await house.until_known("a", "b")


async def test_again_looks_without_a_change(house: House) -> None:
    async with house.kept():
        await anyio.wait_all_tasks_blocked()
        gguf(house.models / "a.gguf")
        house.discovery.again()
        await house.until_known("a")


async def test_nothing_is_quiet_for_ever(house: House) -> None:
    """Changes that never end are looked at all the same."""
    async with house.kept(), anyio.create_task_group() as group:
        await anyio.wait_all_tasks_blocked()

        async def ring() -> None:
            while True:
                house.bell.rung.set()
                await anyio.sleep(0.01)

        group.start_soon(ring)
        gguf(house.models / "a.gguf")
        await house.until_known("a")
        group.cancel_scope.cancel()


async def test_what_is_not_settled_is_looked_at_later_without_a_change(house: House) -> None:
    gguf(house.models / "a.gguf")
    with house.hub.watch():
        async with house.kept():
            await house.until_known("a")


async def test_where_changes_are_not_noticed_it_looks_from_time_to_time_and_says_so_once(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(discovery, "PERIOD", 0.05)
    house.bell.limited = "too many"
    async with house.kept():
        for name in "ab":
            gguf(house.models / f"{name}.gguf")
            await house.until_known(*"ab"[: "ab".index(name) + 1])
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "directories are looked through every 0.05 s: too many"
    ]


async def test_what_is_not_usable_is_logged_once(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async with house.kept():
        gguf(house.models / "bad.gguf", 0)
        for name in "ab":
            gguf(house.models / f"{name}.gguf")
            house.discovery.again()
            await house.until_known(*"ab"[: "ab".index(name) + 1])
    assert [record.getMessage() for record in caplog.records if "bad.gguf" in record.getMessage()] == [
        f"not usable: {house.models / 'bad.gguf'}: it is empty"
    ]


async def test_a_store_that_fails_is_tried_again(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gguf(house.models / "a.gguf")
    real, failures = house.catalogue.apply, [StoreFailed("the disk is full")]

    def apply(found: object) -> object:
        if failures:
            raise failures.pop()
        return real(found)  # type: ignore[arg-type]  # it is what was given

    monkeypatch.setattr(house.catalogue, "apply", apply)
    async with house.kept():
        await house.until_known("a")
    assert "the disk is full" in caplog.text


async def test_scans_of_several_go_one_by_one(house: House) -> None:
    gguf(house.models / "a.gguf")
    reports = []

    async def scan() -> None:
        reports.append(await house.discovery.scan())

    with house.hub.watch() as watcher:
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(scan)
        assert sorted(len(report.added) for report in reports) == [0, 0, 0, 0, 1]
        assert (await anext(watcher)).event == CatalogueChanged(added=("a",))
