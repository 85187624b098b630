"""What is written down when a llama-server ends."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from llamactl.core.errors import UpstreamDied
from llamactl.core.events import InstanceChanged
from llamactl.core.instance import Backoff, Exit, Failed, Instance, Loading, Phase, Ready, Starting, Stopped, Stopping
from llamactl.core.model import Model
from llamactl.daemon.exits import ExitBook
from llamactl.hub import Hub
from llamactl.store import Database, Ended

pytestmark = pytest.mark.anyio

PROBLEM = UpstreamDied("a ended: killed").problem()
KILLED = Exit("killed", signal=9, lines=("last",), kind="signal", log="/log/1")
STOPPED = Exit("stopped", code=0, kind="asked", log="/log/2")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "llamactl.db") as db:
        db.models.put(Model(name="a", path="/a.gguf", size=1))
        yield db


async def written(db: Database, *phases: Phase, before: tuple[Instance, ...] = ()) -> list[Ended]:
    hub = Hub(lambda: 7.0)
    async with anyio.create_task_group() as group:
        await group.start(ExitBook(hub, db.exits, lambda: before).run)
        for phase in phases:
            hub.publish(InstanceChanged("a", phase))
        await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    return db.exits.of("a")


async def test_a_crash_and_what_follows_from_it(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    [ended] = await written(
        db, Starting(1.0), Loading(1.0, 9), Ready(2.0, 9, 1.0), Backoff(5.0, 6.5, PROBLEM, KILLED), Starting(6.5)
    )
    assert ended == Ended(at=7000, state="ready", kind="signal", reason="killed", signal=9, pause=1.5, log="/log/1")
    assert "a ended: killed; it is started again in 1.5 s" in caplog.text


async def test_the_last_one(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    [ended] = await written(db, Starting(1.0), Loading(1.0, 9), Failed(5.0, PROBLEM, KILLED))
    assert (ended.state, ended.pause) == ("loading", None)
    assert "a ended: killed" in caplog.text


async def test_one_that_was_there_before(db: Database) -> None:
    adopted = Instance(model="a", phase=Ready(2.0, 9, 1.0))
    [ended] = await written(db, Backoff(5.0, 6.5, PROBLEM, KILLED), before=(adopted,))
    assert (ended.state, ended.kind) == ("ready", "signal")


async def test_a_stop(db: Database) -> None:
    [ended] = await written(db, Ready(2.0, 9, 1.0), Stopping(3.0, 9, "idle"), Stopped(3.1, STOPPED, "idle"))
    assert (ended.state, ended.kind, ended.why) == ("stopping", "asked", "idle")


async def test_a_pause_that_is_broken_off_is_not_another_end(db: Database) -> None:
    ends = await written(db, Ready(2.0, 9, 1.0), Backoff(5.0, 6.5, PROBLEM, KILLED), Stopped(6.0, KILLED, "stopped"))
    assert len(ends) == 1


async def test_a_database_that_cannot_be_written_stops_nothing(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    with closing(sqlite3.connect(db.path)) as connection:
        connection.execute("DROP TABLE exits")
    hub = Hub()
    async with anyio.create_task_group() as group:
        await group.start(ExitBook(hub, db.exits, list).run)
        for _ in range(2):
            hub.publish(InstanceChanged("a", Ready(2.0, 9, 1.0)))
            hub.publish(InstanceChanged("a", Failed(5.0, PROBLEM, KILLED)))
        await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    assert caplog.text.count("how a ended is not kept") == 2
