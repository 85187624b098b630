"""The daemon's own records, at each of their destinations."""

import errno
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llamactl.config.directories import find_directories
from llamactl.config.sections import Config, Logging
from llamactl.logs import console, outlet
from llamactl.logs.daily import Daily, Entry, entry
from llamactl.logs.outlet import Outlet
from llamactl.logs.records import Records

log = logging.getLogger("llamactl.test")


def configured(place: Path, **settings: Any) -> Config:
    directories = msgspec.structs.replace(find_directories({"HOME": "/"}), log=place)
    return Config(directories=directories, logging=Logging(**settings))


@contextmanager
def recording(place: Path, **settings: Any) -> Iterator[Records]:
    records = Records(configured(place, **settings))
    records.install()
    try:
        yield records
    finally:
        records.close()


def written(place: Path, prefix: str) -> list[Any]:
    paths = sorted(place.glob(f"{prefix}-*.log"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def messages(place: Path, prefix: str = "application") -> list[str]:
    return [each["message"] for each in written(place, prefix)]


def say_all() -> None:
    for tell, letter in ((log.debug, "D"), (log.info, "I"), (log.warning, "W"), (log.error, "E")):
        tell("%s", letter)


@pytest.mark.parametrize(("level", "shown"), [("debug", "DIWE"), ("info", "IWE"), ("warn", "WE"), ("error", "E")])
def test_levels(level: str, shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with recording(tmp_path, console_level=level, file_level=level, errors_level="error"):
        say_all()
    lines = capsys.readouterr().err.splitlines()
    assert "".join(line[-1] for line in lines) == shown
    assert all(line[19] == "," and line[23:].split()[1] == "test:" for line in lines)
    assert "".join(messages(tmp_path)) == shown and messages(tmp_path, "errors") == ["E"]


def test_each_destination_has_its_own_level_and_another_one_at_any_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with recording(tmp_path, console_level="error", file_level="debug") as records:
        say_all()
        records.flush()
        assert capsys.readouterr().err[-2:] == "E\n" and messages(tmp_path) == list("DIWE")
        records.configure(configured(tmp_path, console_level="debug", file=False))
        say_all()
    assert len(capsys.readouterr().err.splitlines()) == 4
    assert messages(tmp_path) == list("DIWE") and messages(tmp_path, "errors") == list("WE")
    assert [line.level for line in records.recent] == ["debug", "info", "warn", "error"] * 2


def test_an_exception_and_arguments_that_do_not_fit(tmp_path: Path) -> None:
    with recording(tmp_path, console=False):
        try:
            raise ValueError("with api_key=s3cr3t-1")
        except ValueError:
            log.exception("went wrong")
        log.info("%d", "x")
    first, second = messages(tmp_path)
    assert first.startswith("went wrong\nTraceback") and "api_key=***" in first and "s3cr3t" not in first
    assert second == "%d ('x',)"


def test_secrets_leave_by_no_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with recording(tmp_path) as records:
        log.warning("denied: %s", {"Authorization": "Bearer s3cr3t-1"})
        assert "s3cr3t" not in str(records.recent) + str(records.take())
    assert "s3cr3t" not in capsys.readouterr().err + str(written(tmp_path, "application") + written(tmp_path, "errors"))


def test_in_the_background_stderr_is_no_console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "daemon.log").open("w") as file:
        monkeypatch.setattr("sys.stderr", file)
        with recording(tmp_path) as records:
            log.info("to the files")
            records.flush()
            records.configure(configured(tmp_path, file=False))
            log.info("where else?")
    assert messages(tmp_path) == ["to the files"]
    assert [line[-11:] for line in (tmp_path / "daemon.log").read_text().splitlines()] == ["where else?"]


def test_for_the_journal_and_for_a_terminal(tmp_path: Path) -> None:
    said = entry(0.0, "warn", "proxy", "one\ntwo")
    assert console.shown(said, "journal") == "<4>proxy: one\n<4>two\n"
    assert "\x1b[33mwarn \x1b[0m proxy: one\ntwo\n" in console.shown(said, "colour")
    with (tmp_path / "x").open("w") as stream:
        found = os.fstat(stream.fileno())
        assert console.kind(stream, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}) == "journal"
        assert console.kind(stream, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"}) == "plain"
    reading, writing = os.openpty()
    with open(writing, "w") as terminal:  # noqa: PTH123
        assert console.kind(terminal, {}) == "colour"
        assert console.kind(terminal, {"NO_COLOR": "1"}) == "plain"
    os.close(reading)


def test_whoever_logs_waits_for_nobody() -> None:
    """What does not fit into the queue is dropped, and told."""
    free, stuck = threading.Event(), threading.Event()
    got: list[tuple[list[str], int]] = []

    def write(entries: Sequence[Entry], dropped: int) -> None:
        got.append(([each.message for each in entries], dropped))
        stuck.set()
        free.wait(10)

    slow = Outlet("slow", write)
    slow.put(entry(0.0, "info", "x", "first"))
    assert stuck.wait(10)
    begun = time.perf_counter()
    for number in range(outlet.ROOM + 7):
        slow.put(entry(0.0, "info", "x", str(number)))
    assert time.perf_counter() - begun < 2.0
    free.set()
    slow.close(10)
    assert sum(dropped for _, dropped in got) == 7
    assert [each for entries, _ in got for each in entries] == ["first", *map(str, range(outlet.ROOM))]


def test_a_full_disk_costs_records_which_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real: Callable[..., None] = Daily.write

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with recording(tmp_path) as records:
        log.info("before")
        records.flush()
        monkeypatch.setattr(Daily, "write", full)
        for number in range(3):
            log.info("lost %d", number)
            records.flush()
        monkeypatch.setattr(Daily, "write", real)
        log.info("after")
    assert messages(tmp_path)[0] == "before" and messages(tmp_path)[-1] == "after"
    [told] = messages(tmp_path)[1:-1]
    assert told.startswith("3 records are missing here")
    assert capsys.readouterr().err.count("No space left on device") == 1


def test_what_the_hub_is_told(tmp_path: Path) -> None:
    with recording(tmp_path, console=False) as records:
        log.info("a")
        log.warning("b")
        assert [(line.source, line.level, line.text) for line in records.take()] == [
            ("llamactl", "info", "test: a"),
            ("llamactl", "warn", "test: b"),
        ]
        assert records.take() == [] and len(records.recent) == 2


def test_an_entry_is_read_as_it_was_written() -> None:
    said = entry(1.5, "info", "proxy", "Grüße\nzwei")
    assert msgspec.json.decode(msgspec.json.encode(said), type=Entry) == said
