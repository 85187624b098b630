"""What becomes of measurements with age: thinned out once, by whichever daemon, and never made up."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from llamactl.core.sample import Gpu, Host, Sample, Served
from llamactl.core.series import Range
from llamactl.store import Database

MINUTE = 60_000
TIERS = [(60.0, 86400.0), (900.0, 30 * 86400.0)]
BEGUN = 1_750_000_500_000 // 900_000 * 900_000


class Clock:
    now = BEGUN / 1000

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def db(tmp_path: Path, clock: Clock) -> Iterator[Database]:
    with Database(tmp_path / "llamactl.db", now=clock) as db:
        db.samples.configure(600, TIERS)
        yield db


def sample(at: int, cpu: float, **more: object) -> Sample:
    host = Host(cpu=cpu, memory_total=4, memory_available=3, swap_total=0, swap_used=0, received=1.0)
    return Sample(at=at, host=host, **more)  # type: ignore[arg-type]


def measure(db: Database, clock: Clock, seconds: int, step: int = 10, cpu: float = 50.0) -> None:
    """One each `step` seconds, for so long; half of them one more, half of them one less."""

    async def main() -> None:
        for number in range(seconds // step):
            at = round(clock.now * 1000)
            await db.samples.put([sample(at, cpu + (1 if number % 2 else -1))])
            clock.now += step

    asyncio.run(main())


def host(db: Database, start: int, end: int, step: int | None = None) -> list[tuple[int, Range]]:
    _, series = db.samples.history(start, end, step, ("host", ""))
    return [(point.at, point.values["cpu_usage"]) for point in series.get(("host", ""), [])]


def test_a_day_later_there_is_a_minute_of_each_minute(db: Database, clock: Clock) -> None:
    measure(db, clock, 1800)
    now = round(clock.now * 1000)
    assert len(db.samples.between(0, now)) <= 66, "ten minutes of six, and what comes before the next look"
    assert min(one.timestamp for one in db.samples.between(0, now)) >= now - 11 * MINUTE
    each = Range(49, 50, 51, 6)
    assert host(db, BEGUN, now, MINUTE) == [(BEGUN + minute * MINUTE, each) for minute in range(30)]
    assert host(db, BEGUN, now, 15 * MINUTE) == [
        (BEGUN, Range(49, 50, 51, 90)),
        (BEGUN + 15 * MINUTE, Range(49, 50, 51, 90)),
    ]


def test_the_last_minutes_are_as_they_were_measured(db: Database, clock: Clock) -> None:
    measure(db, clock, 120)
    found = host(db, BEGUN, BEGUN + 10**9)
    assert [at for at, _ in found] == [BEGUN + 10_000 * number for number in range(12)]
    assert {one.count for _, one in found} == {1}
    assert db.samples.history(BEGUN, BEGUN + 10**9)[0] == 0


def test_a_gap_is_a_gap_and_a_new_daemon_goes_on(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "llamactl.db"
    with Database(path, now=clock) as db:
        db.samples.configure(600, TIERS)
        measure(db, clock, 90)  # it ends in the middle of a minute
    clock.now += 3600
    with Database(path, now=clock) as db:
        db.samples.configure(600, TIERS)
        measure(db, clock, 90, cpu=20.0)
        now = round(clock.now * 1000)
        later = (BEGUN + (3600 + 90) * 1000) // MINUTE * MINUTE
        found = host(db, BEGUN, now)
        assert [at for at, _ in found] == [BEGUN, BEGUN + MINUTE, later, later + MINUTE]
        assert [(one.min, round(one.mean, 3), one.max, one.count) for _, one in found] == [
            (49, 50, 51, 6),
            (49, 49.667, 51, 3),
            (19, 19.667, 21, 3),
            (19, 20, 21, 6),
        ]


def test_gpus_and_models_are_kept_beside(db: Database, clock: Clock) -> None:
    gpu = Gpu(id="GPU-1", name="RTX", vendor="nvidia", device="CUDA0", usage=80)
    models = (Served(model="qwen", pid=1, memory=5), Served(model="a/b c", pid=2, live=1.5))
    asyncio.run(db.samples.put([sample(BEGUN, 1.0, gpus=(gpu,), models=models), sample(BEGUN + 1, 2.0)]))
    _, series = db.samples.history(BEGUN, BEGUN + 2)
    assert {subject: len(points) for subject, points in series.items()} == {
        ("host", ""): 2,
        ("gpu", "CUDA0"): 1,
        ("model", "qwen"): 1,
        ("model", "a/b c"): 1,
    }
    assert series["host", ""][0].values["received"] == Range(1, 1, 1)
    assert series["gpu", "CUDA0"][0].values == {"usage": Range(80, 80, 80)}
    assert db.samples.history(0, BEGUN + 2, of="model")[1].keys() == {("model", "qwen"), ("model", "a/b c")}
    assert db.samples.history(0, BEGUN + 2, of=("model", "qwen"))[1].keys() == {("model", "qwen")}


def test_what_is_too_old_goes(db: Database, clock: Clock) -> None:
    measure(db, clock, 120)
    clock.now += 31 * 86400
    measure(db, clock, 70)
    connection = db._access.connection()
    (oldest,) = connection.execute('SELECT min("at") FROM "metrics_series"').fetchone()
    assert oldest >= (clock.now - 120) * 1000
    (oldest,) = connection.execute('SELECT min("timestamp") FROM "metrics_history"').fetchone()
    assert oldest >= (clock.now - 120) * 1000


def test_tiers_that_are_no_longer_wanted_go(db: Database, clock: Clock) -> None:
    measure(db, clock, 180)
    db.samples.configure(600, [(120.0, 86400.0)])
    measure(db, clock, 180)
    steps = [step for (step,) in db._access.connection().execute('SELECT DISTINCT "step" FROM "metrics_series"')]
    assert steps == [0, 120_000]


def test_one_transaction_for_all_of_it(db: Database, clock: Clock) -> None:
    """Measurements, what is thinned and what goes: whoever reads sees all of it or nothing."""
    said: list[str] = []
    connect = db._writer._connect

    def traced() -> object:
        connection = connect()
        connection.set_trace_callback(said.append)
        return connection

    db._writer._connect = traced  # type: ignore[method-assign, assignment]
    asyncio.run(db.samples.put([sample(BEGUN, 1.0)]))
    clock.now += 60
    said.clear()
    asyncio.run(db.samples.put([sample(BEGUN + MINUTE, 1.0)]))
    assert [one for one in said if one.startswith(("BEGIN", "COMMIT"))] == ["BEGIN IMMEDIATE", "COMMIT"]
    assert any('INTO "metrics_series"' in one and str(MINUTE) in one for one in said)
