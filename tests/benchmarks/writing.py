"""How long the event loop is kept waiting while measurements are written."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from llamactl.core.sample import Host, Sample
from llamactl.store import Database

from .place import Place
from .processes import first
from .report import Rounds, show, verdict

ROUNDS, TASKS = 30, 20
IDLE, WRITING = "idle", "writing"


def writing(place: Place, names: Sequence[str]) -> None:
    """10,000 samples in batches of 50 from 20 tasks: how late the event loop is, beside one that is idle."""
    host = Host(cpu=12.5, memory_total=4, memory_available=2, swap_total=0, swap_used=0)
    sample = Sample(at=1, host=host, active_models=2)
    batches = [[sample] * 50] * 200
    with first() as alone, Database(place.directory / "writing.db") as db:
        gc.freeze()  # as the daemon does
        rounds: Rounds[float] = Rounds()
        work = {IDLE: partial(asyncio.sleep, 0.1), WRITING: partial(_write, db, batches)}
        rounds.take(ROUNDS, {name: partial(lateness, what) for name, what in work.items()})
    company = "" if alone else "; not before others on this machine"
    show(
        f"writing, {ROUNDS} rounds{company}",
        ["", "ms late, median", "worst"],
        [(name, _median(rounds, name), 1e3 * max(rounds.of[name])) for name in work],
    )
    verdict(
        "ms late beyond idle, median of the worst of each round", _median(rounds, WRITING) - _median(rounds, IDLE), 5
    )


def lateness(work: Callable[[], Awaitable[object]]) -> float:
    """Seconds that the latest of many naps of 1 ms ended too late while the work was done."""
    return asyncio.run(_lateness(work))


async def _lateness(work: Callable[[], Awaitable[object]]) -> float:
    late = [0.0]

    async def nap() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - begun - 0.001)

    napping = asyncio.create_task(nap())
    await asyncio.sleep(0.005)
    await work()
    napping.cancel()
    return max(late)


async def _write(db: Database, batches: Sequence[Sequence[Sample]]) -> None:
    async def some(number: int) -> None:
        for batch in batches[number::TASKS]:
            await db.samples.put(batch)

    async with asyncio.TaskGroup() as group:
        for number in range(TASKS):
            group.create_task(some(number))


def _median(rounds: Rounds[float], name: str) -> float:
    return rounds.median(name, lambda seconds: 1e3 * seconds)
