"""The view on screens of three sizes, and the pictures in it."""

import time
from io import StringIO

import msgspec
import pytest
from rich.console import Console
from rich.text import Text

from llamactl.cli.top.drawing import report, screen
from llamactl.cli.top.gauges import colour, machine
from llamactl.cli.top.looking import Looking
from llamactl.cli.top.pictures import FINE, PLAIN, Glyphs, gauge, sparkline
from llamactl.cli.top.view import CPU, View, fold, measured
from llamactl.core.events import AlertRaised, LogLines, Numbered, Placement
from llamactl.core.requests import ModelRequest
from llamactl.core.sample import Gpu
from llamactl.rpc.calls import InstanceRow
from tests.cli.top.test_view import SAMPLE, told, view

SIZES = [(80, 24), (120, 40), (200, 50)]


def full() -> View:
    known = view(
        requests=[
            ModelRequest(id=f"r-{n}", at=0.0, model="alpha", endpoint="chat/completions", state="answering", first=0.25)
            for n in range(30)
        ]
    )
    for back in range(100, -1, -2):
        host = msgspec.structs.replace(SAMPLE.host, cpu=42.0 if back == 0 else float(back))
        measured(known, msgspec.structs.replace(SAMPLE, at=SAMPLE.at - 1000 * back, host=host))
    fold(known, told(LogLines("alpha", "error", 1.0, tuple(f"line {n} " + "x" * 300 for n in range(100)))))
    return known


def plain(rows: list[Text]) -> list[str]:
    return [row.plain for row in rows]


@pytest.mark.parametrize("glyphs", [FINE, PLAIN])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_fills_the_screen_and_no_more(width: int, height: int, glyphs: Glyphs) -> None:
    for known in (view(), full(), View(status=view().status, models=[])):
        rows = screen(known, Looking(), width, height, glyphs)
        assert len(rows) == height
        assert max(row.cell_len for row in rows) <= width
        out = StringIO()
        Console(file=out, width=width, height=height, no_color=True).print(Text("\n").join(rows), end="")
        assert len(out.getvalue().splitlines()) == height, "nothing is wrapped"


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_all_of_it_is_there(width: int, height: int) -> None:
    shown = plain(screen(full(), Looking(), width, height, FINE))
    text = "\n".join(shown)
    assert shown[0].startswith("llamactl 0.0.stub  up 1h01m  1 of 3 ready")
    assert " 42% load 1.5" in text and " 88% 56/64 GiB" in text and " 44% 40/100 GiB" in text
    assert " 95%  71°C 250/350W" in text and " 83% 20/24 GiB" in text
    assert "   -   -°C -W" in text, "of the second GPU nothing is known"
    assert any(line.split()[:4] == ["alpha", "ready", "31.5", "2"] for line in shown)
    assert "▶ gamma" in text and "loading 75%" in text
    assert "30 requests under way" in text and "r-0" in text
    assert "alpha: line 99" in text, "the last line"
    assert "q quit" in shown[-1]
    assert any(step in shown[1] for step in "▁▂▃▄▅▆▇"), "the last minutes of the CPU"


def test_in_ascii() -> None:
    assert all(row.isascii() for row in plain(screen(full(), Looking(), 80, 24, PLAIN)))


def test_what_others_wrote_commands_no_terminal() -> None:
    known = view()
    fold(known, told(LogLines("alpha", "info", 1.0, ("\x1b[2Jgone\x07\t.",))))
    (line,) = (row for row in plain(screen(known, Looking(), 80, 24, FINE)) if "gone" in row)
    assert line == "alpha:  [2Jgone  ."


def test_the_chosen_one_is_in_sight() -> None:
    known = view(models=[InstanceRow(name=f"m{n:03}", state="stopped") for n in range(300)])
    for chosen in ("m000", "m150", "m299"):
        text = "\n".join(plain(screen(known, Looking(chosen=chosen), 80, 24, FINE)))
        assert f"▶ {chosen}" in text
    assert "of 300" in text


def test_states() -> None:
    rows = [
        InstanceRow(name="a", state="backoff", next_try=7.0),
        InstanceRow(name="b", state="stopped", position=2, waiting=1),
        InstanceRow(name="c", state="ready", wedged=5.0),
        InstanceRow(name="d", state="ready", sleeping=True, pinned=True),
    ]
    text = "\n".join(plain(screen(view(models=rows), Looking(), 80, 24, FINE)))
    for said in ("backoff 7s", "stopped #2", "wedged", "sleeping", "pinned"):
        assert said in text


def test_what_the_user_did_is_seen() -> None:
    known = view(alerts={"cpu_usage": AlertRaised("cpu_usage", 95.0, 90.0, "%")})
    shown = plain(screen(known, Looking(paused=True, message="starting beta", filter="be"), 80, 24, FINE))
    assert "PAUSED" in shown[0] and "ALERT cpu_usage > 90%" in shown[0]
    assert "with 'be'" in "\n".join(shown) and "gamma" not in "\n".join(shown)
    assert shown[-1].startswith("starting beta")
    assert plain(screen(known, Looking(typing=True, filter="be"), 80, 24, FINE))[-1].startswith("filter: be_")


def test_what_was_decided_is_seen() -> None:
    known = full()
    assert "evict" not in "\n".join(plain(screen(known, Looking(), 80, 24, FINE)))
    fold(known, Numbered(7, 0.0, Placement("gamma", "start", "needs 4 GiB, evicts alpha")))
    at = time.strftime("%H:%M:%S", time.localtime(0.0))
    for rows in (screen(known, Looking(), 80, 24, FINE), report(known, 80, FINE)):
        assert f"  {at} gamma: start: needs 4 GiB, evicts alpha" in plain(rows)


def test_many_gpus_leave_room() -> None:
    known = view()
    gpus = tuple(Gpu(id=f"g{n}", name="A", vendor="amd") for n in range(16))
    measured(known, msgspec.structs.replace(SAMPLE, gpus=gpus))
    rows = plain(machine(known, 80, 3, FINE))
    assert rows[-1].startswith("and 14 more GPUs") and len(rows) == 5


def test_limits_have_colours() -> None:
    assert [colour(value, 90.0) for value in (None, 10.0, 72.0, 90.0)] == ["", "green", "yellow", "red"]
    assert colour(99.0, 0.0) == "", "no limit"
    red = [span.style for row in machine(full(), 120, 9, FINE)[2:3] for span in row.spans]
    assert red.count("red") == 1 and "green" not in red[:1], "a GPU at 95 %"


def test_gauge() -> None:
    assert [gauge(value, 4, PLAIN) for value in (None, 0.0, 50.0, 100.0, 250.0)] == [
        *("....", "....", "##..", "####", "####"),
    ]


def test_sparkline() -> None:
    points = [(0.0, 100.0), (71.0, 0.0), (72.0, 50.0), (81.0, 100.0), (100.0, 100.0)]
    assert sparkline(points, 100.0, 30.0, 3, 100.0, PLAIN) == ":##"
    assert sparkline(points[:2], 100.0, 30.0, 3, 100.0, PLAIN) == "_  ", "nothing measured, nothing drawn"
    assert sparkline([(100.0, 7.0)], 100.0, 30.0, 3, None, FINE) == "  █", "the greatest is full"
    assert sparkline([], 100.0, 30.0, 3, None, FINE) == "   "


def test_the_picture_is_of_the_last_minutes() -> None:
    known = full()
    assert len([*known.series(CPU)]) == 51
