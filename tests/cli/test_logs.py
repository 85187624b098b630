"""`logs`: several sources, filters, times; without a daemon."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest

from llamactl.cli.times import moment
from llamactl.core.errors import BadRequest
from llamactl.logs import runs
from llamactl.logs.daily import Daily, entry
from tests.cli.conftest import Llamactl

BEGAN = 1_700_000_000


@pytest.fixture
def log(home: Path) -> Path:
    return home / "state_home" / "llamactl" / "log"


def write(log: Path, name: str, *lines: str, at: float = 0.0) -> Path:
    directory = log / "models" / name
    directory.mkdir(parents=True, exist_ok=True)
    run = directory / runs.name_of(round((BEGAN + at) * 1e9))
    with run.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)
    return run


def test_several_in_the_order_of_time(log: Path, llamactl: Llamactl) -> None:
    write(log, "a", "0.01.000.000 I a1", "0.03.000.000 W a2")
    write(log, "long-name", "0.01.000.000 I b1", "0.03.000.000 I b2", at=1)
    both = ["a         | 0.01.000.000 I a1", "long-name | 0.01.000.000 I b1", "a         | 0.03.000.000 W a2"]
    assert llamactl("logs", "a", "long-name").out.splitlines()[:3] == both
    assert llamactl("logs", "*", "-n", "3").out.splitlines() == [*both[1:], "long-name | 0.03.000.000 I b2"]
    assert llamactl("logs", "lo*").out.splitlines() == ["0.01.000.000 I b1", "0.03.000.000 I b2"]
    assert llamactl("logs", "z*").code == 4
    coloured = llamactl("logs", "a", "long-name", "--color", "always").out
    assert "\x1b[36ma         | \x1b[0m" in coloured and "\x1b[33m0.03.000.000 W a2\x1b[0m" in coloured


def test_only_those(log: Path, llamactl: Llamactl) -> None:
    write(log, "a", "0.01.000.000 D x", "0.02.000.000 I y", "0.03.000.000 W x", "0.04.000.000 E failed")
    assert llamactl("logs", "a", "--level", "warn").out.count("\n") == 2
    assert llamactl("logs", "a", "--grep", " x$", "-n", "1").out == "0.03.000.000 W x\n"
    nothing = llamactl("logs", "a", "--grep", "nothing like that")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "no line is like that\n")
    wrong = llamactl("logs", "a", "--grep", "a(b")
    assert wrong.code == 2 and wrong.err.endswith("try: llamactl logs --grep 'a\\(b'\n")
    assert llamactl("logs", "--previous").code == 2


def test_times_reach_into_earlier_runs(log: Path, llamactl: Llamactl) -> None:
    write(log, "a", *(f"0.{second:02}.000.000 I {second}" for second in range(60)))
    write(log, "a", "0.00.000.000 I next", at=100)
    assert llamactl("logs", "a").out == "0.00.000.000 I next\n"
    assert llamactl("logs", "a", "--since", f"@{BEGAN}").out.count("\n") == 61
    until = llamactl("logs", "a", "--since", f"@{BEGAN + 5}", "--until", f"@{BEGAN + 6}").out
    assert until.splitlines() == ["0.05.000.000 I 5", "0.06.000.000 I 6"]
    assert llamactl("logs", "a", "--since", f"@{BEGAN}", "-n", "2").out.splitlines()[0] == "0.59.000.000 I 59"
    assert llamactl("logs", "a", "--since", "soon").code == 2


def test_of_the_daemon(log: Path, llamactl: Llamactl) -> None:
    assert llamactl("logs").code == 4
    log.mkdir(parents=True)
    file = Daily(log, "application", 1 << 20)
    file.write([entry(BEGAN, "info", "x", "one"), entry(BEGAN + 1, "warn", "x", "two")], BEGAN)
    file.close()
    assert llamactl("logs").out.splitlines()[-1].endswith(" warn  x: two")
    [line] = llamactl("logs", "-o", "jsonl", "--level", "warn").out.splitlines()
    assert json.loads(line) == {
        "schema": "llamactl.log/v1",
        "model": None,
        "time": "2023-11-14T22:13:21.000Z",
        "level": "warn",
        "line": "x: two",
    }


def test_secrets_are_not_shown(log: Path, llamactl: Llamactl) -> None:
    write(log, "a", "request with Authorization: Bearer s3cr3t-1")
    assert llamactl("logs", "a").out == "request with Authorization: Bearer ***\n"


@contextmanager
def following(*arguments: str) -> Iterator[IO[bytes]]:
    command = [sys.executable, "-m", "llamactl", "logs", "-f", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()


def test_several_are_followed_across_runs_and_pieces(log: Path, home: Path) -> None:
    """Each line once, whatever becomes of the files meanwhile."""
    a, b = write(log, "a", "0.00.000.000 I a 0"), write(log, "b", "0.00.000.000 I b 0")
    said = b""
    with following("a", "b", "-n", "5") as out:

        def read(lines: int) -> bytes:
            nonlocal said
            while said.count(b"\n") < lines:
                assert select.select([out], [], [], 20)[0]
                said += os.read(out.fileno(), 1 << 16)
            return said

        read(2)  # it follows from here on
        for number in range(1, 4000):
            write(log, "a", f"0.00.000.000 I a {number} {'x' * 60}")
        assert runs.put_aside(a, 100_000)
        write(log, "b", "0.00.000.000 I b 1")
        write(log, "b", "0.00.000.000 I b 2", at=1)
        write(log, "b", "0.00.000.000 I b 3", at=2)
        seen = read(4000 + 4).splitlines()
    assert b.exists()
    assert [int(line.split()[5]) for line in seen if line.startswith(b"a")] == list(range(4000))
    assert [int(line.split()[5]) for line in seen if line.startswith(b"b")] == list(range(4))


NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("15m", "2026-03-04T12:15:00"),
        ("1h30m ago", "2026-03-04T11:00:00"),
        ("10:30", "2026-03-04T10:30:00"),
        ("10:30:05", "2026-03-04T10:30:05"),
        ("today", "2026-03-04T00:00:00"),
        ("yesterday", "2026-03-03T00:00:00"),
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00"),
        ("2026-03-01 10:00+02:00", "2026-03-01T08:00:00"),
        ("@0", "1970-01-01T00:00:00"),
    ],
)
def test_moments(typed: str, meant: str) -> None:
    assert moment(typed, NOW) == datetime.fromisoformat(f"{meant}+00:00").timestamp()


@pytest.mark.parametrize("typed", ["soon", "25:00", "2026-13-01", "@x", "-5m", ""])
def test_no_moments(typed: str) -> None:
    with pytest.raises(BadRequest):
        moment(typed, NOW)
