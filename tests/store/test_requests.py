"""Requests that have ended."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llamactl.core.requests import ModelRequest
from llamactl.store import Database, StoreFailed, requests

FULL = ModelRequest(
    id="r-1",
    at=1_750_000_000.125,
    model="qwen",
    endpoint="/v1/chat/completions",
    client="127.0.0.1",
    key="ab12",
    status=200,
    error="client_left",
    queued=0.5,
    loading=1.25,
    first=2.0,
    duration=4.5,
    prompt_tokens=100,
    cached_tokens=31,
    generated_tokens=50,
    draft_tokens=20,
    accepted_tokens=15,
    prompt_rate=123.5,
    generation_rate=40.25,
    finish="length",
)
PLAIN = ModelRequest(id="r-2", at=1_750_000_001.0, model="gemma", endpoint="/completion")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "llamactl.db", patience=0.0) as db:
        yield db


def put(db: Database, *all: ModelRequest) -> None:
    asyncio.run(db.requests.put(all))


def one(number: int, **more: Any) -> ModelRequest:
    return msgspec.structs.replace(PLAIN, id=f"r{number}", at=float(number), **more)


def ids(found: list[ModelRequest]) -> list[str]:
    return [request.id for request in found]


def test_they_come_back_as_they_were_the_newest_first(db: Database) -> None:
    put(db, FULL, PLAIN)
    assert db.requests.find() == [PLAIN, FULL]
    assert db.requests.get("r-1") == FULL
    assert db.requests.get("r-3") is None


def test_every_field_has_its_column(db: Database) -> None:
    fields = [field for field in msgspec.structs.fields(FULL) if field.name != "state"]
    assert all(getattr(FULL, field.name) != field.default for field in fields), "the example shows each of them"
    put(db, FULL)
    assert db.requests.find() == [FULL]


def test_an_id_that_a_client_has_chosen_twice_is_that_of_the_latest(db: Database) -> None:
    put(db, one(1, status=200), msgspec.structs.replace(one(2), id="r1", status=503))
    found = db.requests.get("r1")
    assert found is not None and found.status == 503


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["r4", "r3", "r2", "r1"]),
        ({"limit": 2}, ["r4", "r3"]),
        ({"since": 3.0}, ["r4", "r3"]),
        ({"model": "a"}, ["r3", "r1"]),
        ({"model": "a", "since": 2.0}, ["r3"]),
        ({"key": "k"}, ["r4", "r3"]),
        ({"status": 429}, ["r4"]),
        ({"model": "a", "status": 200, "key": "k", "since": 1.0}, ["r3"]),
        ({"model": "c"}, []),
    ],
)
def test_filters(db: Database, filters: dict[str, Any], found: list[str]) -> None:
    put(
        db,
        one(1, model="a", status=200),
        one(2, model="b", status=200),
        one(3, model="a", status=200, key="k"),
        one(4, model="b", status=429, key="k"),
    )
    assert ids(db.requests.find(**filters)) == found


def test_of_too_many_the_oldest_go(db: Database) -> None:
    async def main() -> None:
        await db.requests.trim(0.0, 2)
        await db.requests.put([one(number) for number in range(5)])
        await db.requests.trim(0.0, 2)
        assert ids(db.requests.find()) == ["r4", "r3"]
        await db.requests.put([one(9)])
        await db.requests.trim(4.0, 5)
        assert ids(db.requests.find()) == ["r9", "r4"]
        await db.requests.trim(100.0, 5)
        assert db.requests.find() == []

    asyncio.run(main())


def test_what_is_far_too_many_goes_in_steps(db: Database) -> None:
    many = requests.AT_ONCE + 100
    put(db, *map(one, range(many)))

    async def left(before: float, rows: int) -> int:
        await db.requests.trim(before, rows)
        return len(db.requests.find(limit=2 * many))

    assert asyncio.run(left(0.0, 10)) == 100
    assert asyncio.run(left(0.0, 10)) == 10
    put(db, *map(one, range(many)))
    assert asyncio.run(left(1e9, 2 * many)) == 110


def test_what_cannot_be_written_is_told(db: Database) -> None:
    with pytest.raises(StoreFailed, match="NOT NULL"):
        put(db, PLAIN, msgspec.structs.replace(PLAIN, model=None))
    assert db.requests.find() == []


def test_they_are_no_change_of_what_is_kept_of_models(db: Database) -> None:
    before = db.changes()
    put(db, FULL)
    assert db.changes() == before
