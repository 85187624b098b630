"""Measurements of the machine."""

from collections.abc import Callable, Sequence

import msgspec

from llamactl.store.access import Access
from llamactl.store.writer import Writer


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The machine at one moment, `timestamp` in milliseconds since the epoch.

    Usages are percent, the temperature °C, GPU memory MiB, power W, `uptime` seconds. What is not known is None.
    """

    timestamp: int
    cpu_usage: float | None = None
    memory_usage: float | None = None
    disk_usage: float | None = None
    gpu_usage: float | None = None
    gpu_temperature: float | None = None
    gpu_memory_used: float | None = None
    gpu_memory_total: float | None = None
    gpu_power_usage: float | None = None
    active_models: int | None = None
    uptime: int | None = None
    requests_per_minute: float | None = None


_LISTED = ", ".join(f'"{name}"' for name in Sample.__struct_fields__)
_INSERT = f'INSERT INTO "metrics_history" ({_LISTED}, "created_at") VALUES (?{", ?" * len(Sample.__struct_fields__)})'
BETWEEN = f'SELECT {_LISTED} FROM "metrics_history" WHERE "timestamp" >= ? AND "timestamp" < ? ORDER BY "timestamp"'


class Samples:
    """In the order of time."""

    def __init__(self, access: Access, writer: Writer, now: Callable[[], int]) -> None:
        self._access = access
        self._writer = writer
        self._now = now

    async def put(self, samples: Sequence[Sample]) -> None:
        """All of them, or `StoreFailed` and none. They can be read when this returns."""
        now = self._now()
        await self._writer.write(_INSERT, samples, lambda sample: (*msgspec.structs.astuple(sample), now))

    def between(self, start: int, end: int) -> list[Sample]:
        """Those from `start` until before `end`, in milliseconds since the epoch."""
        with self._access.reading() as connection:
            rows = connection.execute(BETWEEN, (start, end)).fetchall()
            names = Sample.__struct_fields__
            return [msgspec.convert(dict(zip(names, row, strict=True)), Sample) for row in rows]
