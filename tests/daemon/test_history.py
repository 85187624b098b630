"""Requests that have ended, once a second: kept, told of, counted."""

import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from llamactl.config.directories import Directories
from llamactl.config.sections import Config, Requests
from llamactl.core.events import RequestsFinished
from llamactl.daemon import history
from llamactl.daemon.history import History, Live
from llamactl.hub import Hub
from llamactl.proxy import record as records
from llamactl.proxy.record import Journal, Record
from llamactl.store import Database
from tests.proxy.test_usage import ANSWERS

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "llamactl.db", patience=0.0) as db:
        yield db


class Scene:
    def __init__(self, db: Database) -> None:
        place = Path("/nowhere")
        self.config = Config(directories=Directories(config_file=place, data=place, log=place, runtime=place))
        self.journal = Journal()
        self.hub = Hub()
        self.db = db
        self.now = 0.0
        self.history = History(lambda: self.config, self.journal, db.requests, self.hub, lambda: self.now)

    def set(self, **requests: Any) -> None:
        self.config = msgspec.structs.replace(self.config, requests=Requests(**requests))

    def begun(self, name: str = "r-1", model: str = "qwen") -> Record:
        return self.journal.begin(name.encode(), "chat/completions", model, "::1")

    def ended(self, name: str = "r-1", model: str = "qwen") -> Record:
        record = self.begun(name, model)
        record.answered(200, events=False)
        record.take(ANSWERS["chat.json"])
        self.journal.end(record)
        return record

    def kept(self) -> list[str]:
        return [one.id for one in self.db.requests.find(limit=10_000)]


@pytest.fixture
def scene(db: Database) -> Scene:
    return Scene(db)


@asynccontextmanager
async def running(scene: Scene) -> AsyncIterator[None]:
    async with anyio.create_task_group() as group:
        await group.start(scene.history.run)
        yield
        group.cancel_scope.cancel()


async def test_they_are_kept_and_told_of(scene: Scene) -> None:
    with scene.hub.watch() as watcher:
        async with running(scene):
            scene.ended("r-1")
            scene.ended("r-2")
            with anyio.fail_after(10):
                event = (await anext(watcher)).event
            assert isinstance(event, RequestsFinished)
            assert [one.id for one in event.requests] == ["r-1", "r-2"]
            assert event.requests[0].generated_tokens == 8
            assert scene.db.requests.find() == [*reversed(event.requests)], "they are there before they are told of"


async def test_what_has_ended_last_is_kept_when_the_daemon_ends(scene: Scene) -> None:
    async with running(scene):
        scene.ended()
    assert scene.kept() == ["r-1"]


async def test_they_are_shown_before_they_are_kept(scene: Scene) -> None:
    scene.ended("r-1")
    scene.ended("r-2")
    scene.begun("r-3")
    assert [(one.id, one.state) for one in scene.history.recent()] == [
        ("r-3", "waiting"),
        ("r-2", "ended"),
        ("r-1", "ended"),
    ]
    await scene.history._turn()
    assert [one.id for one in scene.history.recent()] == ["r-3"]


async def test_no_more_than_was_asked_for_are_kept(scene: Scene) -> None:
    scene.set(rows=3)
    for number in range(5):
        scene.ended(f"r-{number}")
    await scene.history._turn()
    assert scene.kept() == ["r-4", "r-3", "r-2"]
    scene.set(rows=0)
    scene.ended("r-5")
    await scene.history._turn()
    assert "r-5" not in scene.kept()


async def test_old_ones_go_also_if_there_are_no_new_ones(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.ended()
    await scene.history._turn()
    scene.set(keep=0.0)
    await scene.history._turn()
    assert scene.kept() == ["r-1"], "it is looked for them now and then"
    monkeypatch.setattr(history, "TRIM", 0.0)
    await scene.history._turn()
    assert scene.kept() == []


async def test_what_cannot_be_written_is_tried_again(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.ended("r-1")
    with closing(sqlite3.connect(scene.db.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(3):
            await scene.history._turn()
        other.execute("ROLLBACK")
    assert len(caplog.records) == 1, "said once"
    scene.ended("r-2")
    await scene.history._turn()
    assert scene.kept() == ["r-2", "r-1"]


async def test_an_event_has_the_latest_of_many(scene: Scene) -> None:
    with scene.hub.watch() as watcher:
        for number in range(history.TOLD + 7):
            scene.ended(f"r-{number}")
        await scene.history._turn()
        event = (await anext(watcher)).event
        assert isinstance(event, RequestsFinished)
        assert (len(event.requests), event.more, event.requests[-1].id) == (history.TOLD, 7, f"r-{history.TOLD + 6}")


async def test_it_is_said_how_many_were_too_many(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for number in range(records.ROOM + 2):
        scene.ended(f"r-{number}")
    for _ in range(2):
        await scene.history._turn()
    assert [record.getMessage().split()[0] for record in caplog.records] == ["2"]
    assert len(scene.kept()) == records.ROOM


async def test_tokens_a_second_of_each_model(scene: Scene) -> None:
    streams = [scene.begun("r-1", "qwen"), scene.begun("r-2", "qwen"), scene.begun("r-3", "gemma")]
    for stream in streams:
        stream.answered(200, events=True)
    waiting = scene.begun("r-4", "phi")
    for stream in streams:
        for _ in range(10):
            stream.take(b'data: {"token":1}\n\n')
    scene.now += 2.0
    scene.journal.end(streams[1])
    await scene.history._turn()
    assert scene.history.live() == {"qwen": Live(1, 10.0), "gemma": Live(1, 5.0), "phi": Live(1, 0.0)}
    scene.now += 1.0
    scene.journal.end(waiting)
    await scene.history._turn()
    assert scene.history.live() == {"qwen": Live(1, 0.0), "gemma": Live(1, 0.0)}
