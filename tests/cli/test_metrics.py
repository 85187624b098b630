"""`llamactl metrics …`."""

import csv
import json
from io import StringIO

import pytest

from llamactl.core.series import Range, single
from llamactl.rpc.calls import History, PointRow, SeriesRow
from tests.cli.conftest import Llamactl
from tests.cli.stub import Stub
from tests.metrics.test_prometheus import SAMPLE

POINTS = [
    PointRow(1_750_000_000.0 + 60 * minute, {"cpu_usage": Range(1, 10.0 + minute, 30, 30), "memory_usage": single(50)})
    for minute in (*range(20), *range(40, 60))
]
HISTORY = History(
    start=1_750_000_000.0,
    end=1_750_003_600.0,
    step=60.0,
    interval=2.0,
    series=[SeriesRow(kind="host", name="", points=POINTS)],
)


def test_show(stub: Stub, llamactl: Llamactl) -> None:
    stub.answers["metrics.show"] = SAMPLE
    said = llamactl("metrics", "show").out
    assert "cpu       50.0 % of 2 cores, load 0.50 1.00 2.00" in said
    assert "memory    75.0 % of 1000 B" in said and "disk      50.0 % of 110 B, 50 B free (/)" in said
    gpu = next(line for line in said.splitlines() if line.startswith("CUDA0"))
    assert "80.0 %" in gpu and "- of -" in gpu, "what is not known is not 0"
    assert next(line for line in said.splitlines() if line.startswith("qwen")).split()[1:3] == ["150.0", "%"]
    data = json.loads(llamactl("--json", "metrics", "show").out)
    assert data["schema"] == "llamactl.metrics/v1" and data["gpus"][0]["temperature"] is None


def test_history(stub: Stub, llamactl: Llamactl) -> None:
    stub.answers["metrics.history"] = HISTORY
    head, first, *rest = llamactl("metrics", "history", "--since", "1h", "--step", "1m").out.splitlines()
    asked = stub.asked[-1][1]
    assert (asked["since"], asked["step"], asked["kind"]) == (3600, 60, "host")
    assert head.split() == ["TIME", "CPU", "USAGE", "MEMORY", "USAGE"] and len(rest) == 39
    assert first.split()[1:] == ["10.0", "%", "50.0", "%"]
    data = json.loads(llamactl("--json", "metrics", "history").out)
    assert data["schema"] == "llamactl.history/v1" and data["step"] == 60
    assert data["series"][0]["points"][0] == {
        "at": "2025-06-15T15:06:40.000Z",
        "values": {"cpu_usage": [1, 10, 30, 30], "memory_usage": [50, 50, 50, 1]},
    }


def test_of_a_model_or_a_gpu(stub: Stub, llamactl: Llamactl) -> None:
    stub.answers["metrics.history"] = HISTORY
    llamactl("metrics", "history", "--model", "qwen", "--metric", "cpu")
    assert stub.asked[-1][1] == {"since": 600.0, "kind": "model", "name": "qwen", "metrics": ["cpu"]}
    llamactl("metrics", "history", "--gpu", "CUDA0")
    assert (stub.asked[-1][1]["kind"], stub.asked[-1][1]["name"]) == ("gpu", "CUDA0")
    assert llamactl("metrics", "history", "--gpu", "a", "--model", "b").code == 2
    assert llamactl("metrics", "history", "--since", "soon").code == 2


def test_nothing_was_measured(stub: Stub, llamactl: Llamactl) -> None:
    stub.answers["metrics.history"] = History(start=0.0, end=1.0, step=0.0, interval=2.0, series=[])
    done = llamactl("metrics", "history", "--model", "qwen")
    assert (done.code, done.out) == (0, "") and "nothing was measured of qwen" in done.err


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (120, 40), (40, 15)])
def test_plot(stub: Stub, llamactl: Llamactl, monkeypatch: pytest.MonkeyPatch, columns: int, lines: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(lines))
    stub.answers["metrics.history"] = HISTORY
    said = llamactl("metrics", "history", "--since", "1h", "--plot").out.splitlines()
    assert len(said) <= lines and max(map(len, said)) <= columns
    assert said[0] == "host cpu usage: 69.0 %"
    middle = len(said) // 2
    assert said[middle] == "host memory usage: 50.0 %", "one for each, below the other"
    assert any("\u2800" < sign < "\u2900" or sign == "*" for sign in "".join(said[1:middle])), "it is drawn"


def test_export(stub: Stub, llamactl: Llamactl) -> None:
    stub.answers["metrics.history"] = HISTORY
    stub.answers["metrics.export"] = "llamactl_uptime_seconds 9\n"
    rows = list(csv.DictReader(StringIO(llamactl("metrics", "export", "--since", "1h").out)))
    assert stub.asked[-1][1] == {"since": 3600.0}
    assert len(rows) == 80 and rows[0] == {
        "time": "2025-06-15T15:06:40.000Z",
        "kind": "host",
        "name": "",
        "metric": "cpu_usage",
        "min": "1.0",
        "mean": "10.0",
        "max": "30.0",
        "count": "30",
    }
    assert json.loads(llamactl("metrics", "export", "--format", "json").out)["schema"] == "llamactl.history/v1"
    assert llamactl("metrics", "export", "--format", "prom").out == "llamactl_uptime_seconds 9\n"


def test_dashboard_takes_no_daemon(llamactl: Llamactl) -> None:
    assert json.loads(llamactl("metrics", "dashboard").out)["uid"] == "llamactl"
