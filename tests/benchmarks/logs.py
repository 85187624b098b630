"""How fast lines are taken from a llama-server, and what that takes."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import anyio
import msgspec

from llamactl.config.directories import Directories
from llamactl.config.sections import Config
from llamactl.core.events import LogLines
from llamactl.daemon.main import SWITCH
from llamactl.hub import Hub
from llamactl.logs import reading, runs
from llamactl.logs.follower import Follower
from llamactl.logs.reading import Wanted
from llamactl.logs.records import Records

from .place import Place
from .processes import first
from .report import verdict

RATE, SECONDS = 60_000, 10.0
WRITER = """
import os, sys, time
file, rate, seconds = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), *map(int, sys.argv[2:])
begun, number = time.monotonic(), 0
while number < rate * seconds:
    count = min(int((time.monotonic() - begun) * rate), rate * seconds) - number
    stamp = "0.%02d.%03d.000" % (number // rate, number % rate * 1000 // rate)
    text = "%s I slot print_timing: id  0 | task %d | n_decoded = 100, tg =  81.13 t/s\\n"
    os.write(file, "".join([text % (stamp, each) for each in range(number, number + count)]).encode())
    number += count
    time.sleep(0.002)
"""


def logs(place: Place, names: Sequence[str]) -> None:
    """600,000 lines of one llama-server in 10 s: all of them in files, told to watchers or counted, memory bounded."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        with first() as alone:
            anyio.run(_logs, place.directory / "logs", alone)
    finally:
        sys.setswitchinterval(usual)


async def _logs(directory: Path, alone: bool) -> None:
    model = directory / "models" / "a"
    model.mkdir(parents=True)
    config = Config(
        directories=Directories(config_file=directory / "c", data=directory, log=directory, runtime=directory)
    )
    config = msgspec.structs.replace(config, logging=msgspec.structs.replace(config.logging, console=False))
    records, hub = Records(config), Hub()
    follower = Follower(directory, lambda _: model, records, hub, lambda: config, lambda: ["a"])
    told = lost = 0
    late: list[float] = []
    at_rest: list[float] = []
    before, cpu = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    run = model / runs.name_of(time.time_ns() + 10**9)
    async with anyio.create_task_group() as group:
        await group.start(follower.run)

        async def watch() -> None:
            nonlocal told, lost
            with hub.watch() as watcher:
                async for numbered in watcher:
                    if isinstance(numbered.event, LogLines):
                        told += len(numbered.event.lines)
                        lost += numbered.event.lost

        async def beat(late: list[float]) -> None:
            while True:
                begun = time.perf_counter()
                await asyncio.sleep(0.005)
                late.append(time.perf_counter() - begun - 0.005)

        with anyio.move_on_after(2):
            await beat(at_rest)
        group.start_soon(watch)
        group.start_soon(beat, late)
        begun = time.monotonic()
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(run), str(RATE), str(int(SECONDS)), stdout=subprocess.DEVNULL
        )
        await writer.wait()
        took = time.monotonic() - begun
        with anyio.move_on_after(10):
            while told + lost < RATE * SECONDS:  # noqa: ASYNC110 (the watcher sets no event)
                await anyio.sleep(0.05)
        behind = time.monotonic() - begun - took
        group.cancel_scope.cancel()
    used = time.process_time() - cpu
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    records.close()
    begun = time.monotonic()
    numbers = [int(line.text.split()[8]) for line in reading.forward(reading.of_runs("a", [run]), Wanted())]
    reading_took = time.monotonic() - begun
    complete = numbers == list(range(int(RATE * SECONDS)))
    company = "" if alone else "; not before others on this machine"
    print(f"\nlogs: {len(numbers) / took:,.0f} lines/s for {took:.1f} s, {run.stat().st_size / 2**20:.0f} MiB{company}")
    print(f"  in the files   {'each line once' if complete else 'LINES ARE MISSING OR TWICE'}")
    print(f"  watchers       {told:,} lines told, {lost:,} counted, {behind:.2f} s after the last was written")
    print(f"  daemon         {used / took:.1%} of a core, {grown / 1024:.0f} MiB more memory at the most")
    resting, median, most = _of_100(at_rest, 99), _of_100(late, 50), _of_100(late, 99)
    print(f"  event loop     late by {median:.1f} ms (median), {most:.1f} ms (99 %); at rest {resting:.1f} ms (99 %)")
    disk = sum(path.stat().st_blocks * 512 for path in model.iterdir())
    print(f"  disk           {disk / 2**20:.0f} MiB; read and parsed at {len(numbers) / reading_took:,.0f} lines/s")
    if not complete or told + lost != len(numbers):
        raise SystemExit("lines were lost")
    verdict("lines a second", len(numbers) / took, 50_000, least=True)
    verdict("ms late beyond what it is at rest, 99 of 100", most - resting, 5)


def _of_100(late: list[float], number: int) -> float:
    """In ms."""
    return sorted(late)[int(len(late) * number / 100)] * 1e3
