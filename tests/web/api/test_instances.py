"""Starting, stopping and analysing models by HTTP."""

import asyncio
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from llamactl.core.errors import DoesNotFit, LoadFailed
from llamactl.core.facts import Facts
from llamactl.core.parts import Parts
from llamactl.rpc.calls import (
    Call,
    FitDevice,
    FitModel,
    FitReport,
    InstanceRow,
    ModelDetail,
    RestartModel,
    StartModel,
    StopModel,
)
from llamactl.web.app import application
from tests.web.api.test_models import Daemon

READY = InstanceRow(name="a", state="ready", pid=7)
STOPPED = InstanceRow(name="a", state="stopped")


@pytest.mark.parametrize(
    ("path", "body", "call", "row"),
    [
        ("start", None, StartModel("a"), READY),
        ("start?wait=false", {"ttl": 9}, StartModel("a", wait=False, ttl=9.0), STOPPED),
        ("start?timeout=30", {"ttl": -1}, StartModel("a", ttl=-1.0), READY),
        ("stop", None, StopModel("a"), STOPPED),
        ("stop", {"drain": 1.5}, StopModel("a", 1.5), STOPPED),
        ("stop", {"drain": 2}, StopModel("a", 2.0), STOPPED),
        ("stop", {"drain": 1.5, "force": True}, StopModel("a", 0.0), STOPPED),
        ("restart", {"force": True}, RestartModel("a", 0.0), READY),
    ],
)
def test_what_is_asked(path: str, body: object, call: Call[Any], row: InstanceRow) -> None:
    daemon = Daemon(**{type(call).__name__: row})
    data = daemon.ask(f"/api/models/a/{path}", "POST", body)
    assert daemon.asked == [call]
    assert (data["name"], data["pid"], data["status"]) == ("a", row.pid, "running" if row.pid else "idle")


def test_what_went_wrong_has_its_status() -> None:
    assert Daemon(StartModel=LoadFailed("no")).ask("/api/models/a/start", "POST")[0] == 503
    assert Daemon(RestartModel=DoesNotFit("too large")).ask("/api/models/a/restart", "POST")[0] == 507


def test_a_start_that_nobody_waits_for_any_longer_goes_on() -> None:
    async def run() -> None:
        go, gone_on = asyncio.Event(), asyncio.Event()

        async def daemon(_: Call[Any]) -> InstanceRow:
            await go.wait()
            gone_on.set()
            raise LoadFailed("and nobody hears it")

        async with TestClient(TestServer(application(daemon))) as client:
            url = "/api/models/a/start?timeout=0.001"
            caller = {"X-Llamactl-Caller": "eyJzY29wZSI6ImNvbnRyb2wifQ=="}
            async with client.post(url, headers=caller) as response:
                answer = await response.json()
                assert (response.status, answer["error"]["code"]) == (504, "timed_out")
                assert "it goes on loading" in answer["error"]["message"]
            go.set()
            await asyncio.wait_for(gone_on.wait(), 10)

    asyncio.run(run())


def test_what_a_model_needs() -> None:
    detail = ModelDetail(
        name="a", path="/a", size=7, aliases=(), state="stopped", settings=[],
        facts=Facts(architecture="qwen3", parameters=5, context_length=4096),
    )  # fmt: skip
    mib = 1 << 20
    report = FitReport(
        model="a", source="arithmetic", context=512, slots=2, trained=4096, added={}, recommended={"ctx_size": 256},
        devices=[
            FitDevice(name="host", need=3 * mib, projected=Parts(weights=2 * mib, kv=mib)),
            FitDevice(name="CUDA0", need=5 * mib, projected=Parts(weights=5 * mib)),
        ],
        problem=DoesNotFit("no room").problem(),
    )  # fmt: skip
    daemon = Daemon(FitModel=report, ShowModel=detail)
    data = daemon.ask("/api/models/a/analyze?ctx_size=512&parallel=2")
    assert daemon.asked[0] == FitModel("a", 512, 2)
    assert data["model"]["name"] == "a" and data["report"]["slots"] == 2
    assert data["fitParams"] == {
        "recommended_ctx_size": 256,
        "recommended_gpu_layers": None,
        "recommended_tensor_split": None,
        "file_size_bytes": 7,
        "quantization_type": None,
        "parameter_count": 5,
        "architecture": "qwen3",
        "context_window": 4096,
        "projected_cpu_memory_mb": 3.0,
        "projected_gpu_memory_mb": 5.0,
        "fit_params_success": False,
        "fit_params_error": "no room",
    }
    assert daemon.ask("/api/models/a/analyze", "POST", {"ctx_size": 9.0})["fitParams"] == data["fitParams"]
    assert daemon.asked[2] == FitModel("a", 9)
