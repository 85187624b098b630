"""`/api/monitoring` and `/metrics`."""

import asyncio
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from llamactl.core.access import Caller
from llamactl.core.errors import NotRunning
from llamactl.core.sample import Sample
from llamactl.core.series import Range, single
from llamactl.rpc.calls import Call, ExportMetrics, History, PointRow, SeriesRow, ShowHistory
from llamactl.web.app import application
from tests.metrics.test_prometheus import HOST, SAMPLE
from tests.web.test_app import ask

PATH = "/api/monitoring"
POINTS = [
    PointRow(60.0, {"cpu_usage": Range(1, 2, 3, 30), "memory_usage": single(50)}),
    PointRow(180.0, {"cpu_usage": Range(5, 6, 9, 10), "requests_per_minute": single(4)}),
]
HISTORY = History(
    start=0.0, end=200.0, step=60.0, interval=2.0, series=[SeriesRow(kind="host", name="", points=POINTS)]
)


def test_now() -> None:
    code, _, body = ask(PATH, ShowMetrics=SAMPLE)
    assert code == 200 and body["success"] is True
    data = body["data"]
    assert data["cpu"] == {"usage": 50, "cores": 2, "perCore": [25, 75], "loadAverage": [0.5, 1, 2]}
    assert data["memory"]["usagePercent"] == 75 and data["memory"]["used"] == 750 / 2**20
    assert data["disk"] == {"path": "/", "used": 50, "total": 110, "free": 50, "usagePercent": 50}
    assert data["gpu"][0]["utilization"] == 80 and data["gpu"][0]["memory"] is None
    assert (data["models"]["active"], data["requests"]["active"], data["uptime"]) == (1, 0, 9)
    assert data["timestamp"] == "1970-01-01T00:00:05.500Z"


def test_latest_is_a_row_of_the_history_with_nothing_made_up() -> None:
    _, _, body = ask(f"{PATH}/latest", ShowMetrics=Sample(at=5, host=HOST))
    data = body["data"]
    assert (data["timestamp"], data["cpu_usage"], data["gpu_usage"], data["gpu_memory_total"]) == (5, 50, None, None)
    assert len(data) == 12


def test_before_anything_was_measured() -> None:
    code, _, body = ask(f"{PATH}/latest", ShowMetrics=NotRunning("nothing yet"))
    assert (code, body["success"], body["error"]["code"]) == (503, False, "not_running")


def test_history_has_means_and_gaps() -> None:
    asked: list[Any] = []

    def answer(call: ShowHistory) -> History:
        asked.append(call)
        return HISTORY

    code, _, body = ask(f"{PATH}/history?hours=2&resolution=1m", ShowHistory=answer)
    assert code == 200 and (asked[0].since, asked[0].step, asked[0].kind) == (7200, 60, "host")
    data = body["data"]
    assert data["period"] == {
        "start": "1970-01-01T00:00:00.000Z",
        "end": "1970-01-01T00:03:20.000Z",
        "resolution": 60,
    }
    assert [(one["timestamp"][14:19], one["cpu"], one["memory"], one["gpu"]) for one in data["metrics"]] == [
        ("01:00", 2, 50, None),
        ("03:00", 6, None, None),
    ]
    assert data["summary"] == {"avgCpu": 3, "maxCpu": 9, "avgMemory": 50, "maxMemory": 50}


WRONG = ("hours=0", "hours=x", "hours=nan", "hours=721", "resolution=x", "resolution=0", "day=1")


@pytest.mark.parametrize("query", WRONG)
def test_what_cannot_be_asked(query: str) -> None:
    code, _, body = ask(f"{PATH}/history?{query}")
    assert (code, body["success"], body["error"]["code"]) == (400, False, "bad_request")
    assert query.split("=")[0] in body["error"]["message"] + body["error"]["details"]


def test_prometheus_is_told_what_it_reads() -> None:
    async def daemon(call: Call[Any]) -> Any:
        assert call == ExportMetrics()
        return "llamactl_uptime_seconds 9\n"

    async def run() -> tuple[int, str, str]:
        async with TestClient(TestServer(application(daemon))) as client, client.get("/metrics") as response:
            return response.status, response.headers["Content-Type"], await response.text()

    told = (200, "text/plain; version=0.0.4; charset=utf-8", "llamactl_uptime_seconds 9\n")
    assert asyncio.run(run()) == told


def test_a_key_for_one_model_does_not_see_the_others() -> None:
    caller = Caller("1", "k", "observe", models=("qwen",))
    for path in (PATH, f"{PATH}/latest", f"{PATH}/history", "/metrics"):
        assert ask(path, caller=caller)[0] == 403
    assert ask(PATH, caller=Caller("2", "i", "infer"))[0] == 403
