"""What one measurement costs, of 8 models and 2 GPUs, and reading a day of them."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import cast

import msgspec

from llamactl.config.directories import Directories
from llamactl.config.sections import Config
from llamactl.core.devices import Device
from llamactl.core.sample import Sample
from llamactl.daemon.control.metrics import MetricCalls
from llamactl.daemon.reload import Current
from llamactl.hub import Hub
from llamactl.llamaserver.api import Answer
from llamactl.metrics.gpus import Gpus
from llamactl.metrics.host import HostMeter
from llamactl.metrics.prometheus import Prometheus
from llamactl.metrics.sampler import Sampler
from llamactl.metrics.servers import Running, Servers
from llamactl.rpc.calls import History, ShowHistory
from llamactl.store import Database
from tests.metrics.nvml import SOURCE

from .place import Place
from .report import show, verdict

MODELS, TICKS = 8, 100
DAY = 86400
NAMES = ("prompt_tokens", "prompt_seconds", "tokens_predicted", "tokens_predicted_seconds", "n_decode", "n_tokens_max")
BODY = "".join(f"# TYPE llamacpp:{name}_total counter\nllamacpp:{name}_total 1234\n" for name in NAMES)


def measuring(place: Place, names: Sequence[str]) -> None:
    """CPU of one measurement (8 models, 2 GPUs), how late the event loop is meanwhile; reading a day of them.

    Before everybody else on the machine where that is allowed (to root): else it is their company that is measured.
    """
    with ExitStack() as stack:
        library = place.directory / "libnvidia-ml.so.1"
        subprocess.run(["gcc", "-shared", "-fPIC", f"-Wl,-soname,{library.name}", "-o", library, SOURCE], check=True)
        ctypes.CDLL(str(library))
        sleepers = [stack.enter_context(subprocess.Popen(["sleep", "600"])) for _ in range(MODELS)]
        for sleeper in sleepers:
            stack.callback(sleeper.kill)
        db = stack.enter_context(Database(place.directory / "measuring.db"))
        db.samples.configure(600, [(60, DAY), (900, 30 * DAY)])
        with suppress(PermissionError, AttributeError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
            stack.callback(os.sched_setscheduler, 0, os.SCHED_OTHER, os.sched_param(0))
        asyncio.run(_measure(db, [sleeper.pid for sleeper in sleepers]))


async def _measure(db: Database, pids: Sequence[int]) -> None:
    async def ask(endpoint: str, path: str) -> Answer:
        return Answer(200, BODY.encode(), 1)

    async def put(samples: Sequence[Sample]) -> None:
        if filled:
            await db.samples.put(samples)

    now, filled = 0.0, False
    running = [
        Running(model=f"m{number}", pid=pid, endpoint=f"/{number}", leases=1, requests=0)
        for number, pid in enumerate(pids)
    ]
    cards = [
        Device(name="CUDA0", description="NVIDIA GeForce RTX 4090", total=24 << 30),
        Device(name="CUDA1", description="NVIDIA GeForce GTX 1080", total=8 << 30),
    ]
    hub = Hub()
    sampler = Sampler(
        hub,
        put,
        lambda: running,
        lambda: 0,
        HostMeter(lambda: [str(Path.home())], time.monotonic),
        Gpus(lambda: cards, time.monotonic),
        Servers(lambda: now, ask),
    )
    await _fill(db, await sampler.take())
    filled = True
    gc.freeze()
    late: list[float] = []
    napping = asyncio.create_task(_nap(late))
    cpu = time.process_time()
    for _ in range(TICKS):
        now += 2.0
        await sampler.take()
        await asyncio.sleep(0.02)
    cpu = 1e3 * (time.process_time() - cpu) / TICKS
    measured = sorted(late)
    napping.cancel()
    config = Config(directories=Directories(config_file=Path(), data=Path(), log=Path(), runtime=Path()))
    asked = MetricCalls(
        Current(config, lambda: config, hub), sampler, db.samples, Prometheus(lambda: sampler.latest, dict)
    )
    rows = []
    took: dict[str, float] = {}
    for title, call in (
        ("host", ShowHistory(DAY, kind="host")),
        ("one model", ShowHistory(DAY, kind="model", name="m3")),
        ("all", ShowHistory(DAY)),
    ):
        best = float("inf")
        size = points = 0
        for _ in range(5):
            begun = time.perf_counter()
            found = cast(History, await asked.handlers[ShowHistory](call))
            size = len(msgspec.json.encode(found))
            best = min(best, 1e3 * (time.perf_counter() - begun))
            points = sum(len(one.points) for one in found.series)
        took[title] = best
        rows.append((title, best, points, size / 1e6))
    show(
        f"measuring, {TICKS} times",
        ["", "ms CPU", "ms late, p99", "worst"],
        [("8 models, 2 GPUs", cpu, measured[int(0.99 * len(measured))], measured[-1])],
    )
    show("history, 24 h", ["of", "ms", "points", "MB of JSON"], rows)
    verdict("ms CPU for each, naps of 1 ms beside it included", cpu, 15)
    verdict("ms late, 99 of 100", measured[int(0.99 * len(measured))], 5)
    verdict("ms for a day of the host", took["host"], 50)


async def _nap(late: list[float]) -> None:
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(0.001)
        late.append(1e3 * (time.perf_counter() - begun - 0.001))


async def _fill(db: Database, like: Sample) -> None:
    """A day of one each 20 s."""
    end = round(time.time() * 1000)
    for begin in range(end - 1000 * DAY, end, 3_600_000):
        hour = [msgspec.structs.replace(like, at=at) for at in range(begin, min(end, begin + 3_600_000), 20_000)]
        db.samples._thin_at = 0
        db.samples._tiers = tuple(msgspec.structs.replace(tier, keep=40 * DAY * 1000) for tier in db.samples._tiers)
        await db.samples.put(hour)
    db.samples.configure(600, [(60, DAY), (900, 30 * DAY)])
