"""Kept first, then told: over kills, full disks and restarts."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio
import pytest

from llamactl.core.errors import StoreFailed
from llamactl.core.events import CatalogueChanged, Numbered
from llamactl.daemon.journal import BURST, Journal
from llamactl.hub import Hub
from llamactl.store import Database, Events

pytestmark = pytest.mark.anyio

KILLS = 50


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "llamactl.db") as db:
        yield db


class Played(Events):
    """A table that is not there: `broken` says that it cannot be written to."""

    def __init__(self) -> None:
        """Without the tables of `Events`, whose methods these take the place of."""
        self.broken = False
        self.puts: list[list[int]] = []

    async def put(self, events: Sequence[Numbered]) -> None:
        if self.broken:
            raise StoreFailed("the disk is full")
        self.puts.append([numbered.id for numbered in events])

    def put_now(self, events: Sequence[Numbered]) -> None:
        self.puts.append([numbered.id for numbered in events])


async def test_it_is_told_when_it_is_kept(db: Database) -> None:
    journal = Journal(db.events)
    hub = Hub(keep=journal.take)
    async with anyio.create_task_group() as group:
        with hub.follow() as follower, hub.watch() as watcher, anyio.fail_after(5):
            hub.publish(CatalogueChanged(("a",)))
            assert (await anext(watcher)).id == 1
            assert (hub.last, hub.kept) == (1, 0)
            await group.start(journal.run, hub.tell)
            told = await anext(follower)
            assert db.events.after(0, 9) == [told]
            assert hub.kept == 1
        group.cancel_scope.cancel()


async def test_many_at_once_are_one_write_and_it_is_one_a_second() -> None:
    """With a clock that stands still there is only the burst; then it waits."""
    events, now = Played(), 0.0
    journal = Journal(events, lambda: now)
    hub = Hub(keep=journal.take)
    async with anyio.create_task_group() as group:
        await group.start(journal.run, hub.tell)
        for number in range(BURST):
            for _ in range(3):
                hub.publish(CatalogueChanged())
            await hub.until_kept(3 * number + 3)
        assert events.puts == [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12], [13, 14, 15]]
        hub.publish(CatalogueChanged())
        with anyio.move_on_after(0.1):
            await hub.until_kept(16)
            pytest.fail("it did not wait")
        group.cancel_scope.cancel()


async def test_a_full_disk_silences_nobody_and_is_made_up_for(caplog: pytest.LogCaptureFixture) -> None:
    events = Played()
    journal = Journal(events, iter(range(1000)).__next__)
    hub = Hub(keep=journal.take)
    async with anyio.create_task_group() as group:
        await group.start(journal.run, hub.tell)
        events.broken = True
        for number in (1, 2):
            hub.publish(CatalogueChanged())
            with anyio.fail_after(5):
                await hub.until_kept(number)
        assert caplog.text.count("the disk is full") == 1
        events.broken = False
        hub.publish(CatalogueChanged())
        with anyio.fail_after(5):
            await hub.until_kept(3)
        assert events.puts == [[1, 2, 3]]
        group.cancel_scope.cancel()


async def test_what_is_left_at_the_end_is_kept(db: Database) -> None:
    journal = Journal(db.events)
    hub = Hub(keep=journal.take)
    published = [hub.publish(CatalogueChanged((name,))) for name in "abc"]
    journal.close()
    assert db.events.after(0, 9) == published
    journal.close()
    assert db.events.last() == 3


def test_killed_in_the_middle_of_writing(tmp_path: Path) -> None:
    """Whatever was told is kept, no number has two events, and none is left out."""
    path = tmp_path / "llamactl.db"
    command = [sys.executable, "-m", "tests.daemon.dying", str(path)]
    told: dict[int, str] = {}
    dice = random.Random(4711)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin and process.stdout
        for _ in range(KILLS):
            process.stdin.write("once more\n")
            pid, wanted = int(process.stdout.readline()), dice.randrange(1, 60)
            for line in process.stdout:
                if line.startswith("killed"):
                    assert line.startswith("killed True")
                    break
                number, _, what = line.partition(" ")
                assert told.setdefault(int(number), what) == what, "a number has two events"
                wanted -= 1
                if not wanted:
                    os.kill(pid, signal.SIGKILL)
        process.stdin.close()
    with Database(path) as db:  # it checks the tables
        kept = db.events.after(0, 100_000)
    assert [numbered.id for numbered in kept] == list(range(1, len(kept) + 1))
    assert told.keys() <= {numbered.id for numbered in kept}
    for numbered in kept:
        assert isinstance(numbered.event, CatalogueChanged)
        assert told.get(numbered.id, f"{numbered.event.added[0]}\n") == f"{numbered.event.added[0]}\n"
    assert len({what.split()[-1] for what in told.values()}) == KILLS
