"""What is known, and what becomes of it."""

from collections import deque
from typing import Any

import msgspec

from llamactl.cli.top.view import CPU, KEPT, Fresh, View, fold, measured, refresh
from llamactl.core.errors import NotFound
from llamactl.core.events import (
    AlertCleared,
    AlertRaised,
    Event,
    InstanceChanged,
    LogLines,
    Numbered,
    RequestsFinished,
    SamplesTaken,
    ServiceChanged,
)
from llamactl.core.instance import Failed, Loading
from llamactl.core.lines import Line
from llamactl.core.requests import ModelRequest
from llamactl.core.sample import Disk, Gpu, Host, Sample, Served
from llamactl.rpc.calls import InstanceRow, Lost
from tests.cli.stub import STATUS

GIB = 1 << 30
SAMPLE = Sample(
    at=1_700_000_600_000,
    uptime=3600,
    host=Host(
        cpu=42.0,
        load=(1.5, 1.25, 1.0),
        memory_total=64 * GIB,
        memory_available=8 * GIB,
        swap_total=0,
        swap_used=0,
        disks=(Disk(path="/", total=100 * GIB, used=40 * GIB, free=50 * GIB),),
    ),
    gpus=(
        Gpu(id="GPU-1", name="A", vendor="nvidia", device="CUDA0", usage=95.0, memory_used=20 * GIB,
            memory_total=24 * GIB, temperature=71.0, power=250.0, power_limit=350.0),
        Gpu(id="GPU-2", name="B", vendor="nvidia", device="CUDA1"),
    ),
    models=(Served(model="alpha", pid=7, live=31.5),),
)  # fmt: skip


def view(**more: Any) -> View:
    rows = [
        InstanceRow(name="alpha", state="ready", pid=7, age=65.0, memory={"CUDA0": 5 * GIB}, leases=2, ttl=60.0),
        InstanceRow(name="beta", state="stopped"),
        InstanceRow(name="gamma", state="loading", pid=8, age=3.0, eta=1.0, waiting=4),
    ]
    return View(**{"status": STATUS, "models": rows, **more})


def told(event: Event) -> Numbered:
    return Numbered(1, 0.0, event)


def test_a_model_moves() -> None:
    known = view()
    fold(known, told(InstanceChanged("beta", Loading(5.0, 99))))
    assert [(row.state, row.pid) for row in known.models] == [("ready", 7), ("loading", 99), ("loading", 8)]
    problem = NotFound("the file is gone").problem()
    fold(known, told(InstanceChanged("alpha", Failed(5.0, problem))))
    alpha = known.models[0]
    assert (alpha.state, alpha.pid, alpha.ttl, alpha.problem) == ("failed", None, None, problem)
    assert known.models[2] == view().models[2]


def test_requests_end() -> None:
    known = view(requests=[_request("a"), _request("b")])
    fold(known, told(RequestsFinished((_request("a"),))))
    assert [request.id for request in known.requests] == ["b"]


def test_measurements_become_the_past() -> None:
    known = view(past={CPU: deque([(SAMPLE.at / 1000 - KEPT - 1, 1.0), (SAMPLE.at / 1000 - 2, 2.0)])})
    fold(known, told(SamplesTaken(SAMPLE)))
    assert known.sample == SAMPLE
    assert [value for _, value in known.series(CPU)] == [2.0, 42.0], "what is too old goes"
    assert [value for _, value in known.series(("gpu", "CUDA0", "usage"))] == [95.0]
    assert not [*known.series(("gpu", "CUDA1", "usage"))], "what is not known is no point"
    measured(known, SAMPLE)
    assert len([*known.series(CPU)]) == 2, "twice the same is once"


def test_lines() -> None:
    known = view()
    fold(known, told(LogLines("alpha", "warn", 5.0, ("one", "two"))))
    assert list(known.lines) == [Line("alpha", 5.0, "warn", "one"), Line("alpha", 5.0, "warn", "two")]
    fold(known, told(LogLines("alpha", "info", 6.0, ("x",) * 1000)))
    assert len(known.lines) == 500
    assert not view().lines, "each has its own"


def test_alerts() -> None:
    known = view()
    alert = AlertRaised("cpu_usage", 95.0, 90.0, "%")
    fold(known, told(alert))
    assert known.alerts == {"cpu_usage": alert}
    fold(known, told(AlertCleared("cpu_usage", 5.0, 90.0)))
    assert known.alerts == {}


def test_services() -> None:
    known = view()
    fold(known, told(ServiceChanged("door", "restarting", "in use")))
    assert (known.healthy, known.status.services[0].reason) == (False, "in use")
    assert view().healthy


def test_what_was_lost_changes_nothing() -> None:
    known = view()
    fold(known, Lost(5))
    assert known == view()


def test_a_copy_stays() -> None:
    known = view()
    measured(known, SAMPLE)
    still = known.copy()
    was = msgspec.json.encode(still.models), list(still.series(CPU))
    fold(known, told(InstanceChanged("beta", Loading(5.0, 99))))
    fold(known, told(LogLines("alpha", "warn", 5.0, ("one",))))
    fold(known, told(AlertRaised("cpu_usage", 95.0, 90.0, "%")))
    measured(known, msgspec.structs.replace(SAMPLE, at=SAMPLE.at + 1000))
    refresh(known, Fresh(STATUS, [], [_request("c")]))
    assert (msgspec.json.encode(still.models), list(still.series(CPU))) == was
    assert not still.lines and not still.alerts and not still.requests
    assert known.models == [] and len([*known.series(CPU)]) == 2


def _request(id: str) -> ModelRequest:
    return ModelRequest(id=id, at=0.0, model="alpha", endpoint="chat/completions", state="answering", duration=2.0)
