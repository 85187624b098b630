"""Files of runs: read, followed and put aside while they are written to."""

import gzip
import os
import random
import re
from pathlib import Path

import pytest

from llamactl.core.lines import Line
from llamactl.logs import reading, runs
from llamactl.logs.reading import Wanted
from llamactl.logs.tail import RunTail, whole

BEGAN = 1_700_000_000


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / runs.name_of(BEGAN * 10**9)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "CHUNK", 1000)
    monkeypatch.setattr(runs, "TAIL", 500)


def write(run: Path, first: int, last: int) -> None:
    with run.open("a") as file:
        for number in range(first, last):
            file.write(f"0.{number // 1000:02}.{number % 1000:03}.000 I say: {number} {'x' * (number % 37)}\n")


def numbers(lines: list[Line]) -> list[int]:
    return [int(line.text.split()[3]) for line in lines]


def new(tail: RunTail) -> list[int]:
    return [number for path, lines in tail.chunks() for number in numbers(reading.of_lines("m", path, lines))]


def read(run: Path) -> list[int]:
    return numbers(list(reading.forward(reading.of_runs("m", [run]), Wanted())))


def allocated(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_times(run: Path) -> None:
    write(run, 0, 2)
    assert [line.time for line in reading.forward(reading.of_runs("m", [run]), Wanted())] == [BEGAN, BEGAN + 0.001]


def test_put_aside_nothing_is_lost_and_the_disk_gets_it_back(run: Path) -> None:
    write(run, 0, 3000)
    before = run.stat().st_size
    while runs.put_aside(run, 20_000):
        write(run, (last := read(run)[-1]) + 1, last + 11)
    assert read(run) == list(range(read(run)[-1] + 1)) and read(run)[-1] > 3000
    assert run.stat().st_size > before and allocated(run) < 30_000
    assert [piece.start for piece in runs.pieces(run)] == [0, *(piece.end for piece in runs.pieces(run)[:-1])]
    assert not list(run.parent.glob("*.new"))


def test_a_short_one_stays(run: Path) -> None:
    write(run, 0, 10)
    assert not runs.put_aside(run, 20_000) and not runs.pieces(run)


def test_killed_before_the_hole_was_made(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(run, 0, 1000)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def killed(file: int, start: int, length: int) -> None:
            if start == 0:
                raise KeyboardInterrupt

        patch.setattr(runs, "_punch", killed)
        runs.put_aside(run, 20_000)
    assert len(runs.pieces(run)) == 1 and allocated(run) >= run.stat().st_size
    assert read(run) == list(range(1000)), "what is in both counts once"
    assert runs.put_aside(run, 10_000)
    assert read(run) == list(range(1000)) and allocated(run) < run.stat().st_size - 25_000


def test_where_there_are_no_holes_a_file_stays_whole(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(run, 0, 1000)
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(OSError, match="not supported"):
        runs.put_aside(run, 20_000)
    assert [path.name for path in run.parent.iterdir()] == [run.name] and read(run) == list(range(1000))


def test_pieces_that_were_thrown_away(run: Path) -> None:
    write(run, 0, 2000)
    while runs.put_aside(run, 20_000):
        pass
    runs.pieces(run)[0].path.unlink()
    left = read(run)
    assert left == list(range(left[0], 2000)) and left[0] > 0
    for piece in runs.pieces(run):
        piece.path.unlink()
    left = read(run)
    assert left == list(range(left[0], 2000)) and left[0] > 0


def test_put_aside_while_it_is_read(run: Path) -> None:
    write(run, 0, 2000)
    blocks = reading.of_runs("m", [run])
    assert runs.put_aside(run, 20_000) and runs.put_aside(run, 20_000)
    assert numbers(list(reading.forward(blocks, Wanted()))) == list(range(2000))


@pytest.mark.parametrize("seed", range(5))
def test_followed_while_it_is_put_aside(run: Path, seed: int) -> None:
    play = random.Random(seed)
    write(run, 0, 1)
    tail = RunTail(run.parent, run, whole(run))
    seen: list[int] = []
    last = 1
    for _ in range(60):
        write(run, last, last := last + play.randrange(100))
        with run.open("a") as file:
            file.write("0.00.000.000 I say: -1 half")
            file.flush()
            if play.random() < 0.5:
                seen += new(tail)
            file.write(" and half\n")
        if play.random() < 0.3:
            runs.put_aside(run, 5000)
    seen += new(tail)
    assert [number for number in seen if number >= 0] == list(range(1, last))
    assert seen.count(-1) == 60


def test_followed_into_the_next_runs(run: Path) -> None:
    write(run, 0, 5)
    tail = RunTail(run.parent, run, whole(run))
    assert not list(tail.chunks())
    with run.open("a") as file:
        file.write("its last word")
    assert not [lines for _, lines in tail.chunks()]
    for number in (1, 2):
        (run.parent / runs.name_of((BEGAN + number) * 10**9)).write_text(f"run {number}\n")
    assert tail.moved
    assert [lines for _, lines in tail.chunks()] == [[b"its last word"], [b"run 1"], [b"run 2"]]
    os.utime(run.parent, (BEGAN, BEGAN))  # that was long ago
    assert not list(tail.chunks())
    assert not tail.moved


def test_last_ones_and_those_with_something(run: Path) -> None:
    write(run, 0, 3000)
    while runs.put_aside(run, 20_000):
        pass
    blocks = reading.of_runs("m", [run])
    assert numbers(reading.last(blocks, 7, Wanted())) == list(range(2993, 3000))
    assert numbers(reading.last(blocks, 3, Wanted(grep=re.compile(r": \d*77 ")))) == [2777, 2877, 2977]
    assert numbers(reading.last(blocks, 10**6, Wanted())) == list(range(3000))
    some = Wanted(since=BEGAN + 1.0, until=BEGAN + 1.0025)
    assert numbers(list(reading.forward(blocks, some))) == [1000, 1001, 1002]
    assert numbers(reading.last(blocks, 2, some)) == [1001, 1002]


def test_a_line_longer_than_a_chunk(run: Path) -> None:
    run.write_text(f"a\n{'x' * 3500}\nb\n{'y' * 2500}")
    shown = [line.text for line in reading.forward(reading.of_runs("m", [run]), Wanted())]
    assert shown == ["a", "x" * 3500, "b", "y" * 2500]
    assert [line.text for line in reading.last(reading.of_runs("m", [run]), 3, Wanted())] == shown[1:]


def test_old_runs_go_with_their_pieces(tmp_path: Path) -> None:
    for number in range(4):
        run = runs.begin(tmp_path, 2)
        write(run, 0, 600)
        assert runs.put_aside(run, 20_000), number
    assert len(runs.runs(tmp_path)) == 2 and len(list(tmp_path.iterdir())) == 4


def test_a_damaged_piece_is_no_reason_to_show_nothing(run: Path) -> None:
    write(run, 0, 1000)
    runs.put_aside(run, 20_000)
    [piece] = runs.pieces(run)
    piece.path.write_bytes(gzip.compress(b"x")[:-4])
    left = read(run)
    assert left and left == list(range(left[0], 1000))


def test_the_file_is_what_the_process_writes_to(run: Path) -> None:
    """A hole changes nothing for who appends."""
    descriptor = os.open(run, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    write(run, 0, 1000)
    runs.put_aside(run, 20_000)
    os.write(descriptor, b"0.00.000.000 I say: 1000 x\n")
    os.close(descriptor)
    assert read(run) == list(range(1001))
