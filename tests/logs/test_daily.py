"""Files of a day: rotated by day and size, compressed, thinned out."""

import gzip
import os
from pathlib import Path

import pytest

from llamactl.core.lines import Line
from llamactl.logs import daily, reading, retention, runs
from llamactl.logs.daily import Daily, entry
from llamactl.logs.reading import Wanted
from llamactl.logs.tail import DayTail, whole

DAY = 86400.0


def say(file: Daily, *messages: str, day: int = 0) -> None:
    file.write([entry(day * DAY, "info", "x", message) for message in messages], day * DAY)


def names(place: Path) -> list[str]:
    return [path.name for path in daily.files(place, "application")]


def texts(place: Path) -> list[str]:
    return [line.text for line in reading.forward(reading.of_daemon("", place), Wanted())]


def test_by_day_and_size_without_losing_one(tmp_path: Path) -> None:
    file = Daily(tmp_path, "application", 200)
    for number in range(9):
        say(file, str(number), day=number // 6)
    file.close()
    assert names(tmp_path) == [
        *("application-1970-01-01.001.log.gz", "application-1970-01-01.002.log.gz", "application-1970-01-01.log.gz"),
        *("application-1970-01-02.001.log.gz", "application-1970-01-02.log"),
    ]
    assert texts(tmp_path) == [f"x: {number}" for number in range(9)]
    assert [line.text for line in reading.last(reading.of_daemon("", tmp_path), 4, Wanted())] == texts(tmp_path)[-4:]


def test_goes_on_with_the_file_of_the_day(tmp_path: Path) -> None:
    for message in "ab":
        file = Daily(tmp_path, "application", 1 << 20)
        say(file, message)
        file.close()
    assert names(tmp_path) == ["application-1970-01-01.log"] and texts(tmp_path) == ["x: a", "x: b"]


def test_a_file_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    file = Daily(tmp_path, "application", 1 << 20)
    say(file, "a")
    (tmp_path / "application-1970-01-01.log").unlink()
    say(file, "b")
    file.close()
    assert texts(tmp_path) == ["x: b"]


def test_killed_while_it_compresses(tmp_path: Path) -> None:
    """Both are there then: what is in them counts once, and the next one removes what is left over."""
    file = Daily(tmp_path, "application", 1 << 20)
    say(file, "a")
    file.close()
    plain = tmp_path / "application-1970-01-01.log"
    content = plain.read_bytes()
    (tmp_path / f"{plain.name}.gz").write_bytes(gzip.compress(content))
    (tmp_path / "application-1970-01-01.log.new").write_bytes(content[:5])
    assert texts(tmp_path) == ["x: a"]
    say(file, "b", day=1)
    file.close()
    assert not plain.exists() and texts(tmp_path) == ["x: a", "x: b"]


def test_what_a_full_disk_tore_is_left_out(tmp_path: Path) -> None:
    file = Daily(tmp_path, "application", 1 << 20)
    say(file, "a")
    with (tmp_path / "application-1970-01-01.log").open("a") as torn:
        torn.write('{"time":"1970-\n')
    say(file, "b")
    file.close()
    assert texts(tmp_path) == ["x: a", "x: b"]


def test_followed_across_rotation(tmp_path: Path) -> None:
    file = Daily(tmp_path, "application", 200)
    say(file, "0")
    path = daily.files(tmp_path, "application")[-1]
    tail = DayTail(tmp_path, path, whole(path))
    seen: list[Line] = []
    for number in range(1, 9):
        say(file, str(number), day=number // 5)
        if number % 2:
            seen += tail.lines("")
    file.close()
    seen += tail.lines("") + tail.lines("")
    tail.close()
    assert [line.text for line in seen] == [f"x: {number}" for number in range(1, 9)]


def test_only_whole_lines_are_followed(tmp_path: Path) -> None:
    file = Daily(tmp_path, "application", 200)
    say(file, "0")
    file.close()
    [path] = daily.files(tmp_path, "application")
    tail = DayTail(tmp_path, path, 0)
    content = path.read_bytes()
    path.write_bytes(content + content[:9])
    assert len(tail.lines("")) == 1
    with path.open("ab") as more:
        more.write(content[9:])
    assert len(tail.lines("")) == 1
    tail.close()


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """Ten days of 4 KiB each, two runs of a model with a piece."""
    for day in range(1, 11):
        path = tmp_path / f"application-2026-01-{day:02}.log"
        path.write_bytes(bytes(4096))
        os.utime(path, (day * DAY, day * DAY))
    model = tmp_path / "models" / "a"
    model.mkdir(parents=True)
    for day in (3, 5):
        run = model / runs.name_of(day * 10**9)
        for path in (run, run.parent / f"{run.stem}.{0:015}-{9:015}.gz"):
            path.write_bytes(bytes(4096))
            os.utime(path, (day * DAY, day * DAY))
    return tmp_path


def left(place: Path) -> int:
    return sum(path.is_file() for path in place.rglob("*"))


def test_by_age(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 11 * DAY)
    retention.thin_out(full, 3 * DAY, 1 << 30)
    assert names(full) == [f"application-2026-01-{day:02}.log" for day in (8, 9, 10)]
    assert left(full) == 3 + 4, "runs go by number"


def test_by_size_the_oldest_first(full: Path) -> None:
    retention.thin_out(full, 1e12, 4 * 4096)
    assert names(full) == [f"application-2026-01-{day:02}.log" for day in (8, 9, 10)]
    retention.thin_out(full, 1e12, 0)
    assert names(full) == ["application-2026-01-10.log"] and left(full) == 2, "what may be written to now stays"
