"""Measurements, and what becomes of them with age.

`metrics_history` has the machine as it was measured, in its eleven numbers; `metrics_series` has what there is beside
them, of each GPU and each model too, and all of it thinned out. A step of 0 is as it was measured. What is thinned
is taken from the tier below as soon as its time has passed, also when that was before the daemon began.
"""

import itertools
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import msgspec

from llamactl.core.sample import HOST_SUBJECT, SUMMARISED, Sample, Subject, Summary, beside, summary
from llamactl.core.series import Point, Range, Tier, single, suited, thin, tiers
from llamactl.store.failures import told_of
from llamactl.store.writer import Writer

_LISTED = ", ".join(f'"{name}"' for name in Summary.__struct_fields__)
_HOLES = ", ?" * len(Summary.__struct_fields__)
_INSERT = f'INSERT INTO "metrics_history" ({_LISTED}, "created_at") VALUES (?{_HOLES})'
BETWEEN = f'SELECT {_LISTED} FROM "metrics_history" WHERE "timestamp" >= ? AND "timestamp" < ? ORDER BY "timestamp"'
FORGET = 'DELETE FROM "metrics_history" WHERE "timestamp" < ?'

_PUT = 'INSERT OR REPLACE INTO "metrics_series" ("step", "at", "kind", "name", "data") VALUES (?, ?, ?, ?, ?)'
SERIES = (
    'SELECT "at", "kind", "name", "data" FROM "metrics_series" WHERE "step" = ? AND "at" >= ? AND "at" < ? '
    'ORDER BY "at"'
)
OF_ONE = SERIES.replace(" ORDER", ' AND "kind" = ? AND "name" = ? ORDER')
_OF_KIND = SERIES.replace(" ORDER", ' AND "kind" = ? ORDER')
NEWEST = 'SELECT max("at") FROM "metrics_series" WHERE "step" = ? AND "at" < ?'
DROP = 'DELETE FROM "metrics_series" WHERE "step" = ? AND "at" < ?'
_NEXT_STEP = 'SELECT min("step") FROM "metrics_series" WHERE "step" > ?'

DIGITS = 3
"""Behind the point, of what is kept thinned."""

_encode = msgspec.json.Encoder().encode
_measured = msgspec.json.Decoder(dict[str, float]).decode
_thinned = msgspec.json.Decoder(dict[str, Range]).decode

Series = dict[Subject, list[Point]]


class Samples:
    """What is put can be read when `put` returns. Reading may be done in any thread."""

    def __init__(self, path: Path, writer: Writer, now: Callable[[], int]) -> None:
        self._path = path
        self._writer = writer
        self._now = now
        self._tiers = tiers(600.0, ())
        self._thin_at = 0  # when a time of the finest tier has passed; known to the thread that writes

    def configure(self, history: float, thinner: Sequence[tuple[float, float]]) -> None:
        """How many seconds measurements are kept as they are, and in which steps how long thereafter."""
        self._tiers = tiers(history, thinner)

    async def put(self, samples: Sequence[Sample]) -> None:
        """All of them, in one transaction, or `StoreFailed` and none. They can be read when this returns."""
        await self._writer.run(lambda connection: self._put(connection, samples), len(samples))

    def between(self, start: int, end: int) -> list[Summary]:
        """Those from `start` until before `end`, in milliseconds since the epoch, as they were measured."""
        with told_of(self._path), closing(self._reader()) as connection:
            rows = connection.execute(BETWEEN, (start, end)).fetchall()
        names = Summary.__struct_fields__
        return [msgspec.convert(dict(zip(names, row, strict=True)), Summary) for row in rows]

    def history(
        self, start: int, end: int, step: int | None = None, of: Subject | str | None = None
    ) -> tuple[int, Series]:
        """What was from `start` until before `end`, in milliseconds since the epoch, in the order of time.

        In `step`s of milliseconds, or finer or coarser ones where those are all there is; which ones it says, 0 being
        as it was measured. `of` one subject, or all of one kind.
        """
        used = self._tiers
        first = suited(used, max(0, self._now() - start), step)
        found: list[tuple[Subject, Point]] = []
        with told_of(self._path), closing(self._reader()) as connection:
            connection.execute("BEGIN")
            begin = start - start % max(step or 1, used[first].step)
            for number in range(first, -1, -1):  # what the coarse one has not taken up yet, the finer ones have
                tier = used[number]
                found += _read(connection, tier, begin, end, of)
                if tier.step:
                    (newest,) = connection.execute(NEWEST, (tier.step, end)).fetchone()
                    begin = max(begin, (newest or 0) + tier.step)
        step = max(step or 0, used[first].step)
        series: Series = {}
        for subject, point in found:
            series.setdefault(subject, []).append(point)
        if step:
            series = {subject: thin(points, step) for subject, points in series.items()}
        return step, series

    # --- in the thread that writes ---------------------------------------------------------------

    def _put(self, connection: sqlite3.Connection, samples: Sequence[Sample]) -> None:
        now = self._now()
        connection.executemany(_INSERT, [(*msgspec.structs.astuple(summary(sample)), now) for sample in samples])
        rows = [
            (0, sample.at, *subject, _encode(values).decode())
            for sample in samples
            for subject, values in beside(sample).items()
        ]
        connection.executemany(_PUT, rows)
        if now >= self._thin_at:
            self._age(connection, now)

    def _age(self, connection: sqlite3.Connection, now: int) -> None:
        used = self._tiers
        for below, tier in itertools.pairwise(used):
            until = now - now % tier.step
            (newest,) = connection.execute(NEWEST, (tier.step, until)).fetchone()
            start = 0 if newest is None else newest + tier.step
            if start < until:
                series: Series = {}
                for subject, point in _read(connection, below, start, until, None):
                    series.setdefault(subject, []).append(point)
                rows = [
                    (tier.step, point.at, *subject, _rounded(point.values))
                    for subject, points in series.items()
                    for point in thin(points, tier.step)
                ]
                connection.executemany(_PUT, rows)
        keep = {tier.step: tier.keep for tier in used}
        step = -1
        while (step := connection.execute(_NEXT_STEP, (step,)).fetchone()[0]) is not None:
            connection.execute(DROP, (step, now - keep[step] if step in keep else now))
        connection.execute(FORGET, (now - keep[0],))
        finest = used[1].step if len(used) > 1 else 60_000
        self._thin_at = now - now % finest + finest

    def _reader(self) -> sqlite3.Connection:
        """Of its own, so that nobody waits for it: reading a day takes milliseconds."""
        return sqlite3.connect(f"file:{quote(str(self._path))}?mode=rw", uri=True, timeout=0.5, isolation_level=None)


def _read(
    connection: sqlite3.Connection, tier: Tier, start: int, end: int, of: Subject | str | None
) -> Iterator[tuple[Subject, Point]]:
    if of is None:
        rows = connection.execute(SERIES, (tier.step, start, end))
    elif isinstance(of, str):
        rows = connection.execute(_OF_KIND, (tier.step, start, end, of))
    else:
        rows = connection.execute(OF_ONE, (tier.step, start, end, *of))
    if tier.step:
        for at, kind, name, data in rows:
            yield (kind, name), Point(at, _thinned(data))
        return
    measured: dict[int, dict[str, float]] = {}
    for at, kind, name, data in rows:
        if (kind, name) == HOST_SUBJECT:
            measured[at] = _measured(data)
        else:
            yield (kind, name), Point(at, {key: single(value) for key, value in _measured(data).items()})
    if of in (None, HOST_SUBJECT, HOST_SUBJECT[0]):
        for at, *numbers in connection.execute(BETWEEN, (start, end)):
            known = {key: value for key, value in zip(SUMMARISED, numbers, strict=True) if value is not None}
            values = {**known, **measured.get(at, {})}
            yield HOST_SUBJECT, Point(at, {key: single(value) for key, value in values.items()})


def _rounded(values: dict[str, Range]) -> str:
    short = {
        name: Range(round(one.min, DIGITS), round(one.mean, DIGITS), round(one.max, DIGITS), one.count)
        for name, one in values.items()
    }
    return _encode(short).decode()
