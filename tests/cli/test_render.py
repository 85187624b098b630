"""Tables for people, JSON for programs."""

import io
import sys

import msgspec
import pytest

from llamactl.cli import render
from llamactl.cli.session import Output, session
from llamactl.rpc.calls import PresetRow
from tests.cli.conftest import Llamactl
from tests.cli.stub import FAILED, QWEN, Stub, model


class Terminal(io.TextIOWrapper):
    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")

    def isatty(self) -> bool:
        return True

    def shown(self) -> str:
        self.flush()
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode()


def _on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    return terminal


def _show() -> None:
    render.rows(("models", "model-row"), [model("a")], {"NAME": ["a"], "STATE": ["ready"]}, wide=set())


def test_table(llamactl: Llamactl, stub: Stub) -> None:
    header, row = llamactl("ps").out.splitlines()
    assert header.split() == ["NAME", "STATE", "DEVICE", "MEMORY", "CTX", "SLOTS", "QUEUE", "TOK/S", "AGE", "TTL"]
    assert row.split() == ["qwen3:8b", "ready", "host", "1.5", "GiB", "4096", "1/4", "0", "31.5", "1m05s", "-"]


def test_wide_table(llamactl: Llamactl, stub: Stub) -> None:
    assert {"PID", "REQUESTS"} < set(llamactl("ps", "-o", "wide").out.splitlines()[0].split())
    assert "/models/gemma-2b.gguf" in llamactl("models", "-o", "wide").out


@pytest.mark.parametrize(("columns", "gap", "lines"), [(24, "  ", 2), (22, " ", 2), (21, " ", 3)])
def test_columns_come_closer_before_anything_is_folded(
    monkeypatch: pytest.MonkeyPatch, columns: int, gap: str, lines: int
) -> None:
    terminal = _on_terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    render.rows(
        ("models", "model-row"), [model("a")], {"NAME": ["abcdefghijkl"], "STATE": ["ready"], "PID": ["4"]}, wide=set()
    )
    shown = terminal.shown().splitlines()
    assert len(shown) == lines
    assert f"{'abcdefghijkl'[: columns - 10 if lines == 3 else 12]}{gap}ready{gap}" in shown[1]


def test_nothing_is_cut_or_taken_for_markup_off_a_terminal(llamactl: Llamactl, stub: Stub) -> None:
    name = "[bold]" + "x" * 300 + " é漢"
    stub.answers["models.list"] = [model(name)]
    said = llamactl("models")
    assert name in said.out and "\x1b" not in said.out


def test_json(llamactl: Llamactl, stub: Stub) -> None:
    stub.answers["instances.list"] = [QWEN, FAILED]
    document = llamactl("ps", "-o", "json").json()
    assert document["schema"] == "llamactl.instances/v1"
    qwen, failed = document["items"]
    assert qwen["memory"] == {"host": 3 << 29} and qwen["age"] == 65.0 and qwen["ttl"] is None
    assert failed["problem"]["message"] == "the file is gone"


def test_jsonl(llamactl: Llamactl, stub: Stub) -> None:
    stub.answers["instances.list"] = [QWEN, FAILED]
    lines = [msgspec.json.decode(line) for line in llamactl("ps", "-o", "jsonl").out.splitlines()]
    assert [(line["schema"], line["name"]) for line in lines] == [
        ("llamactl.instance/v1", "qwen3:8b"),
        ("llamactl.instance/v1", "broken"),
    ]


def test_names(llamactl: Llamactl, stub: Stub) -> None:
    assert llamactl("models", "-o", "name").out == "qwen3:8b\ngemma-2b\n"


@pytest.mark.parametrize(("output", "out"), [("json", 1), ("jsonl", 0), ("name", 0), ("table", 0), ("wide", 0)])
def test_nothing_to_show(llamactl: Llamactl, stub: Stub, output: str, out: int) -> None:
    stub.answers["instances.list"] = []
    said = llamactl("ps", "-o", output)
    assert said.code == 0
    assert len(said.out.splitlines()) == out
    assert bool(said.err) == (output in ("table", "wide"))


def test_what_failed_is_told_below_the_table(llamactl: Llamactl, stub: Stub) -> None:
    stub.answers["instances.list"] = [FAILED]
    assert llamactl("ps").err == "broken: the file is gone\n"
    assert llamactl("ps", "-q").err == ""


def test_colour_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _on_terminal(monkeypatch)
    _show()
    assert "\x1b[32m" in terminal.shown()


@pytest.mark.parametrize("reason", ["NO_COLOR", "never", "TERM"])
def test_no_colour(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    terminal = _on_terminal(monkeypatch)
    if reason == "NO_COLOR":
        monkeypatch.setenv("NO_COLOR", "1")
    elif reason == "TERM":
        monkeypatch.setenv("TERM", "dumb")
    else:
        session.color = "never"
    _show()
    shown = terminal.shown()
    assert "ready" in shown and "\x1b[3" not in shown


def test_colour_where_it_is_asked_for(llamactl: Llamactl, stub: Stub) -> None:
    assert "\x1b[" in llamactl("ps", "--color", "always").out
    assert "\x1b" not in llamactl("ps").out


def test_a_narrow_terminal_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _on_terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "40")
    session.color = "never"
    name = "/models/" + "x" * 100
    render.table({"NAME": [name], "STATE": ["loading"], "WAITING": ["1"]})
    header, *rows = terminal.shown().replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()
    assert header.split() == ["NAME", "STATE", "WAITING"]
    assert rows[0].split()[1:] == ["loading", "1"]
    assert max(map(len, [header, *rows])) <= 40
    assert "".join(row.split()[0] for row in rows) == name


@pytest.mark.parametrize("output", ["json", "jsonl", "name"])
def test_no_movement_off_a_terminal(llamactl: Llamactl, stub: Stub, output: Output) -> None:
    stub.answers["instances.start"] = QWEN
    said = llamactl("start", "qwen3:8b", "-o", output)
    assert "\r" not in said.err and "\x1b" not in said.err


def test_a_terminal_too_narrow_for_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is cut, and no column folded away."""
    terminal = _on_terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("NO_COLOR", "1")
    cells = {"NAME": ["a" * 30, "b"], "STATE": ["ready", "stopped"], "CTX": ["4096", "-"]}
    render.rows(("instances", "instance"), [QWEN, FAILED], cells, wide=set())
    assert terminal.shown() == f"NAME   {'a' * 30}\nSTATE  ready\nCTX    4096\n\nNAME   b\nSTATE  stopped\n"


@pytest.mark.parametrize(("variable", "locale", "fine"), [("LC_ALL", "C", False), ("LANG", "C.UTF-8", True)])
def test_signs_of_ours_where_there_is_only_ascii(
    llamactl: Llamactl, stub: Stub, monkeypatch: pytest.MonkeyPatch, variable: str, locale: str, fine: bool
) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, locale)
    stub.answers["presets.list"] = [PresetRow(name="p", settings=dict.fromkeys(("a", "b", "c", "d", "e"), 1))]
    assert ("…" in llamactl("presets").out, "..." in llamactl("presets").out) == (fine, not fine)


def test_nothing_is_taken_for_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _on_terminal(monkeypatch)
    monkeypatch.setattr(sys, "stderr", terminal)
    with render.working("reading /a/[red]b[/nonsense]"):
        pass
    with render.progress("fetching [bold]x[/bold]", 10) as advance:
        advance(10)
    shown = terminal.shown()
    assert "/a/[red]b[/nonsense]" in shown and "[bold]x[/bold]" in shown
