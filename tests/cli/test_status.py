"""`llamactl status`, and `top` where there is no terminal."""

from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from llamactl.core.errors import NotRunning
from llamactl.core.events import AlertCleared, AlertRaised, Numbered
from llamactl.core.requests import ModelRequest
from llamactl.rpc.calls import History, ServiceRow
from tests.cli.conftest import Llamactl
from tests.cli.stub import QWEN, STATUS, Stub
from tests.cli.top.test_view import SAMPLE

CPU = AlertRaised("cpu_usage", 99.0, 90.0, "%")
MEMORY = AlertRaised("memory_usage", 99.0, 90.0, "%")


@pytest.fixture(autouse=True)
def answers(stub: Stub) -> None:
    born = SAMPLE.at / 1000 - SAMPLE.uptime
    stub.answers |= {
        "requests.list": [ModelRequest(id="r-1", at=born, model="qwen3:8b", endpoint="completions", state="waiting")],
        "metrics.show": SAMPLE,
        "events.list": [
            Numbered(1, born - 60, AlertRaised("gpu_usage:CUDA0", 95.0, 90.0, "%")),
            Numbered(2, born + 1, CPU),
            Numbered(3, born + 2, MEMORY),
            Numbered(4, born + 3, AlertCleared("memory_usage", 20.0, 90.0, "%", 1.0)),
        ],
    }


def test_in_words(llamactl: Llamactl) -> None:
    said = llamactl("status")
    assert said.code == 0 and said.err == ""
    head, *_ = lines = said.out.splitlines()
    assert head == "llamactl 0.0.stub  up 1h01m  1 of 1 ready  ALERT cpu_usage > 90%  http://127.0.0.1:1"
    assert any(line.split()[:2] == ["qwen3:8b", "ready"] for line in lines)
    assert any(line.split()[:3] == ["r-1", "qwen3:8b", "waiting"] for line in lines)
    assert "\x1b" not in said.out and "▶" not in said.out


def test_as_data(llamactl: Llamactl) -> None:
    said = llamactl("status", "-o", "json").json()
    assert said["schema"] == "llamactl.status/v1" and said["healthy"] is True
    assert said["machine"]["gpus"][0]["temperature"] == 71.0
    assert said["models"] == [msgspec.json.decode(msgspec.json.encode(QWEN))]
    assert [alert["series"] for alert in said["alerts"]] == ["cpu_usage"], "not of an earlier daemon, nor what is over"
    assert [request["id"] for request in said["requests"]] == ["r-1"]


def test_before_the_first_measurement(llamactl: Llamactl, stub: Stub) -> None:
    stub.answers["metrics.show"] = NotRunning("nothing has been measured yet")
    assert "nothing has been measured yet" in llamactl("status").out
    assert llamactl("--json", "status").json()["machine"] is None


def test_what_is_not_well(llamactl: Llamactl, stub: Stub) -> None:
    down = ServiceRow(name="door", state="restarting", age=1.0, reason="in use")
    stub.answers["daemon.status"] = msgspec.structs.replace(STATUS, services=[down])
    said = llamactl("status")
    assert said.code == 3 and "door is restarting" in said.out
    said = llamactl("--json", "status")
    assert said.code == 3 and said.json()["healthy"] is False


def test_top_as_a_picture(llamactl: Llamactl, stub: Stub, tmp_path: Path) -> None:
    stub.answers["metrics.history"] = History(start=0.0, end=1.0, step=1.0, interval=2.0, series=[])
    stub.answers["logs.read"] = []
    file = tmp_path / "top.svg"
    assert llamactl("top", "--svg", str(file)).code == 0
    picture = ElementTree.fromstring(file.read_text())
    shown = "".join(picture.itertext()).replace("\xa0", " ")
    assert picture.tag.endswith("svg") and "qwen3:8b" in shown and "1 request under way" in shown
    assert llamactl("top", "--svg", str(tmp_path)).code == 5


def test_top_needs_a_terminal(llamactl: Llamactl) -> None:
    said = llamactl("top")
    assert said.code == 5 and "llamactl status" in said.err


def test_nobody_there(llamactl: Llamactl, stub: Stub) -> None:
    said = llamactl("-H", "unix:///nowhere/control.sock", "status")
    assert said.code == 7 and "daemon start" in said.err
