"""The thread that writes, and the measurements that go through it."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llamactl.core.sample import Host, Sample, Summary, summary
from llamactl.store import Database, StoreFailed, writer
from llamactl.store.writer import Writer

HOST = Host(cpu=12.5, memory_total=4, memory_available=3, swap_total=0, swap_used=0)
SAMPLE = Sample(at=1_750_000_000_000, host=HOST, active_models=2, uptime=60)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "llamactl.db", patience=0.0, now=lambda: 5.0) as db:
        yield db


def at(*times: int) -> list[Sample]:
    return [Sample(at=time, host=HOST) for time in times]


def threads() -> int:
    return sum(thread.name == "store" for thread in threading.enumerate())


def test_they_can_be_read_once_they_are_put(db: Database) -> None:
    async def main() -> None:
        await db.samples.put([SAMPLE])
        assert db.samples.between(0, 2**50) == [*map(summary, [SAMPLE])]

    asyncio.run(main())


def test_between_is_from_and_before(db: Database) -> None:
    asyncio.run(db.samples.put(at(3, 1, 2, 4)))
    assert db.samples.between(2, 4) == [*map(summary, at(2, 3))]


def test_many_tasks_put_and_nothing_is_lost(db: Database) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for start in range(0, 10_000, 50):
                group.create_task(db.samples.put(at(*range(start, start + 50))))

    asyncio.run(main())
    assert db.samples.between(0, 2**50) == [*map(summary, at(*range(10_000)))]
    assert threads() == 1


def test_closing_writes_what_waits_and_ends_the_thread(tmp_path: Path) -> None:
    path = tmp_path / "llamactl.db"

    async def main() -> None:
        with Database(path, now=lambda: 5.0) as db:
            putting = [asyncio.ensure_future(db.samples.put(at(number))) for number in range(100)]
            await asyncio.sleep(0)  # so that all of them have begun
        await asyncio.gather(*putting)

    asyncio.run(main())
    assert threads() == 0
    assert [file.name for file in tmp_path.iterdir()] == ["llamactl.db"]
    with Database(path) as db:
        assert len(db.samples.between(0, 100)) == 100
        assert threads() == 0


def test_it_can_be_closed_twice_and_used_again(db: Database) -> None:
    for _ in range(2):
        asyncio.run(db.samples.put(at(1)))
        db._writer.close()
        db._writer.close()
    assert len(db.samples.between(0, 2)) == 2


def test_a_failure_reaches_whoever_put_it_and_is_no_end(db: Database) -> None:
    async def main() -> None:
        with closing(sqlite3.connect(db.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreFailed, match="locked") as caught:
                await db.samples.put(at(1))
            assert str(db.path) in caught.value.message
            other.execute("ROLLBACK")
        await db.samples.put(at(2))

    asyncio.run(main())
    assert db.samples.between(0, 10) == [*map(summary, at(2))]


def test_rows_that_do_not_fit_fail_as_a_whole(db: Database) -> None:
    insert = "INSERT INTO metrics_history (timestamp, created_at) VALUES (?, ?)"
    with pytest.raises(StoreFailed, match="NOT NULL"):
        asyncio.run(db._writer.write(insert, [(1, 1), (None, 1)], tuple))
    with pytest.raises(OverflowError):
        asyncio.run(db._writer.write(insert, [(1, 1), (2**70, 1)], tuple))
    assert db.samples.between(0, 10) == []
    asyncio.run(db._writer.write(insert, [(1, 1)], tuple))
    assert db.samples.between(0, 10) == [Summary(timestamp=1)]


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    lost = Writer(tmp_path / "missing" / "x.db", 0.0)
    for _ in range(2):
        with pytest.raises(StoreFailed, match="cannot be opened"):
            asyncio.run(lost.write("SELECT 1", [], tuple))
    lost.close()


def test_who_asks_for_too_much_is_told(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "WAITING", 2)
    slow = Writer(db.path, 0.0)
    held, go_on = threading.Event(), threading.Event()

    def next_batch() -> list[object]:
        held.set()
        go_on.wait()
        return Writer._next(slow)  # type: ignore[return-value]

    monkeypatch.setattr(slow, "_next", next_batch)

    async def main() -> None:
        insert = "INSERT INTO metrics_history (timestamp, created_at) VALUES (?, 1)"
        waiting = [asyncio.ensure_future(slow.write(insert, [(number,)], tuple)) for number in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(StoreFailed, match="more slowly"):
            await slow.write(insert, [(3,)], tuple)
        held.wait()
        waiting[0].cancel()
        await asyncio.sleep(0)
        go_on.set()
        await waiting[1]
        assert waiting[0].cancelled()

    asyncio.run(main())
    slow.close()
    assert db.samples.between(0, 10) == [Summary(timestamp=1)]
