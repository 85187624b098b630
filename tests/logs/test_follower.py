"""What the hub is told of new lines, and what a killed follower costs: nothing."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from llamactl.core.events import InstanceChanged, LogLines
from llamactl.core.instance import Starting, Stopped
from llamactl.hub import Hub
from llamactl.logs import follower, reading, runs
from llamactl.logs.follower import Follower
from llamactl.logs.reading import Wanted
from llamactl.logs.records import Records
from tests.logs.test_records import configured, log

pytestmark = pytest.mark.anyio


class Stage:
    """A follower that looks often, with the files of one model."""

    def __init__(self, place: Path, **settings: Any) -> None:
        self.directory = place / "models" / "a"
        self.directory.mkdir(parents=True)
        config = configured(place, console=False, **settings)
        self.records = Records(config)
        self.records.install()
        self.hub = Hub()
        self.running: list[str] = []
        self.follower = Follower(
            place, lambda name: place / "models" / name, self.records, self.hub, lambda: config, lambda: self.running
        )

    def write(self, *lines: str, at: int = 0) -> Path:
        run = self.directory / runs.name_of((int(time.time()) + 100 + at) * 10**9)  # begins after the follower
        with run.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)
        return run

    async def told(self, lines: int, watcher: Any) -> list[LogLines]:
        found: list[LogLines] = []
        with anyio.fail_after(10):
            while sum(len(each.lines) + each.lost for each in found) < lines:
                if isinstance(event := (await anext(watcher)).event, LogLines):
                    found.append(event)
        return found


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr(follower, "EVERY", 0.01)
    here = Stage(tmp_path)
    async with anyio.create_task_group() as group:
        await group.start(here.follower.run)
        yield here
        group.cancel_scope.cancel()
    here.records.close()


async def test_lines_of_one_level_together_and_each_run(stage: Stage) -> None:
    with stage.hub.watch() as watcher:
        stage.hub.publish(InstanceChanged("a", Stopped()))  # the last look comes after it
        stage.write("0.00.000.000 I 1", "0.00.000.000 I 2", "0.00.000.000 W 3 api_key=s3cr3t-1")
        first = await stage.told(3, watcher)
        stage.hub.publish(InstanceChanged("a", Stopped()))
        stage.write("0.00.000.000 I 4", at=5)
        [second] = await stage.told(1, watcher)
    assert [(each.source, each.level, each.lines) for each in first] == [
        ("a", "info", ("0.00.000.000 I 1", "0.00.000.000 I 2")),
        ("a", "warn", ("0.00.000.000 W 3 api_key=***",)),
    ]
    assert second.time == pytest.approx(first[0].time + 5)
    assert stage.follower.recent("a")[0] == first[0] and stage.follower.recent("a")[-1] == second
    assert stage.follower.recent("b") == []


async def test_the_daemons_own(stage: Stage) -> None:
    with stage.hub.watch() as watcher:
        log.warning("said")
        [told] = await stage.told(1, watcher)
    assert (told.source, told.level, told.lines) == ("llamactl", "warn", ("test: said",))
    assert told in stage.follower.recent() and stage.follower.recent("llamactl") == [told]


async def test_what_is_too_much_is_counted(stage: Stage) -> None:
    with stage.hub.watch() as watcher:
        stage.write(*(f"0.00.000.000 I {number}" for number in range(5000)))
        stage.hub.publish(InstanceChanged("a", Stopped()))
        found = await stage.told(5000, watcher)
    assert found[-1].lines[-1] == "0.00.000.000 I 4999"
    assert sum(len(each.lines) + each.lost for each in found) == 5000 and found[0].lost == 4000


async def test_a_disk_that_is_full_is_told_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = 0

    def full(source: follower.Source, piece: int) -> bool:
        nonlocal tried
        tried += 1
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(follower.Source, "put_aside", full)
    with stage.hub.watch() as watcher:
        stage.hub.publish(InstanceChanged("a", Starting(0.0)))
        stage.write("0.00.000.000 I 1")
        await stage.told(1, watcher)
        [warned] = await stage.told(1, watcher)
        assert warned.lines == ("logs.follower: the log of a: No space left on device",)
        for number in range(3):
            stage.write("0.00.000.000 I 2")
            log.info("%d", number)
            [said] = await stage.told(1, watcher)
            assert said.source == "llamactl"
    assert tried == 1


WRITER = """
import os, sys, time
file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
number = 0
while not os.path.exists(sys.argv[2]):
    os.write(file, b"".join(b"0.00.000.000 I %d %s\\n" % (each, b"x" * 60) for each in range(number, number + 100)))
    number += 100
    time.sleep(0.001)
print(number)
"""


def test_killed_fifty_times_while_it_puts_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line of a llama-server is lost or there twice, wherever the daemon is killed."""
    monkeypatch.setattr(runs, "TAIL", 4096)
    play = random.Random(1)
    run, enough = tmp_path / runs.name_of(10**18), tmp_path / "enough"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(run), str(enough)], stdout=subprocess.PIPE, text=True)
    try:
        while not run.exists():
            time.sleep(0.005)
        killed = 0
        until = time.monotonic() + 30
        while killed < 50 or len(runs.pieces(run)) < 5:
            assert time.monotonic() < until
            child = os.fork()
            if not child:
                try:
                    while True:
                        runs.put_aside(run, 20_000)
                finally:
                    os._exit(1)
            time.sleep(play.uniform(0.001, 0.03))  # wherever it is by then
            os.kill(child, signal.SIGKILL)
            assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
            killed += 1
    finally:
        enough.touch()
        written, _ = writer.communicate()
    lines = [line.text.split()[2] for line in reading.forward(reading.of_runs("m", [run]), Wanted())]
    assert lines == [str(number) for number in range(int(written))]
    assert run.stat().st_blocks * 512 < run.stat().st_size
