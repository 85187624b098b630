"""What happened, as it is kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llamactl.core.events import CatalogueChanged, Event, Numbered, ServiceChanged
from llamactl.store import Database, events
from tests.rpc.test_calls import EVENTS

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "llamactl.db") as db:
        yield db


def some(first: int, last: int, event: Event | None = None) -> list[Numbered]:
    return [Numbered(number, number + 0.125, event or CatalogueChanged()) for number in range(first, last + 1)]


async def test_every_event_comes_back_as_it_was(db: Database) -> None:
    assert db.events.last() == 0
    put = [Numbered(number, 1_700_000_000.123, event) for number, event in enumerate(EVENTS, 1)]
    await db.events.put(put)
    assert db.events.after(0, 100) == put
    assert db.events.last() == len(EVENTS)


async def test_they_are_asked_for_by_number_and_type(db: Database) -> None:
    await db.events.put([*some(1, 3), *some(4, 5, ServiceChanged("web", "up")), *some(6, 6)])
    assert [each.id for each in db.events.after(2, 3)] == [3, 4, 5]
    assert [each.id for each in db.events.after(0, 9, ("service", "alert"))] == [4, 5]
    assert [each.id for each in db.events.newest(2)] == [5, 6]
    assert [each.id for each in db.events.newest(3, ("catalogue",))] == [2, 3, 6]
    assert db.events.after(6, 9) == db.events.newest(9, ("alert",)) == []


async def test_what_is_put_again_changes_nothing(db: Database) -> None:
    await db.events.put(some(1, 3))
    db.events.put_now([*some(2, 3, ServiceChanged("web", "up")), *some(4, 4)])
    assert db.events.after(0, 9) == some(1, 4)


async def test_only_the_newest_are_kept(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEPT", 100)
    for first in range(1, 2001, 50):
        await db.events.put(some(first, first + 49))
        assert len(db.events.after(0, 9999)) <= 100 + events.TRIMMED + 50
    assert db.events.last() == 2000
    assert db.events.after(0, 1)[0].id >= 2000 - 100 - events.TRIMMED
