"""Socket.IO, with the client from npm."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from llamactl.core.access import Caller
from llamactl.core.errors import NotFound
from llamactl.core.events import KINDS, CatalogueChanged, InstanceChanged, LogLines, SamplesTaken
from llamactl.core.instance import Ready
from llamactl.core.model import ScanReport
from llamactl.core.sample import Disk, Gpu, Host, Sample
from llamactl.daemon.control import events
from llamactl.rpc import calls
from llamactl.rpc.calls import Call, ModelDetail, ModelRow, SettingRow
from llamactl.web import dashboard, shapes
from tests.web import npm
from tests.web.house import House

pytestmark = pytest.mark.anyio
pytest.importorskip("socketio")

CONTROL = Caller(scope="control")
MODELS = [
    ModelRow(name="qwen", path="/q.gguf", size=7, state="ready", architecture="qwen3", context_length=4096),
    ModelRow(name="gemma", path="/g.gguf", size=8, state="failed"),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    assert request.config.cache is not None
    return npm.environment(request.config.cache)


def said(*lines: str) -> LogLines:
    return LogLines("qwen", "warn", 1_700_000_000.0, lines)


GPU = Gpu(
    id="1", name="RTX", vendor="nvidia", usage=50.0, memory_used=1 << 30, memory_total=4 << 30, power=99.44,
    temperature=60.0,
)  # fmt: skip
HOST = Host(
    cpu=12.34, memory_total=8, memory_available=2, swap_total=0, swap_used=0,
    disks=(Disk(path="/", total=100, used=70, free=30),),
)  # fmt: skip
SAMPLE = Sample(at=1_700_000_000_000, host=HOST, gpus=(GPU,), active_models=1, uptime=9)


class Place(House):
    """That knows models, too."""

    async def ask(self, call: Call[Any]) -> Any:
        match call:
            case calls.ListModels():
                return MODELS
            case calls.StopModel(name=name) | calls.StartModel(name=name) | calls.RestartModel(name=name):
                self.asked.append(call)
                if name == "nobody":
                    raise NotFound("no model is called 'nobody'")
                return self.instances[0]
            case calls.ShowModel():
                settings = [
                    SettingRow(name="temperature", group="sampling", value=0.5, origin="model"),
                    SettingRow(name="mmap", group="memory", value=False, origin="model"),
                ]
                return ModelDetail(name="qwen", path="", size=1, aliases=(), state="ready", settings=settings)
            case calls.SetModel() | calls.AddModel():
                self.asked.append(call)
                return MODELS[0]
            case calls.RemoveModel():
                return None
            case calls.ScanModels():
                return ScanReport(added=("new",), known=3)
        return await super().ask(call)


class Far:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin and process.stdout
        self._in, self._out = process.stdin, process.stdout

    async def say(self, event: str, data: object = None) -> None:
        self._in.write(json.dumps([event, {} if data is None else data]).encode() + b"\n")
        await self._in.drain()

    async def hear(self, event: str) -> Any:
        async with asyncio.timeout(20):
            line = await self._out.readline()
        heard = json.loads(line)
        assert heard["event"] == event, heard
        return heard.get("data")


@asynccontextmanager
async def connected(house: House, environment: dict[str, str], *transports: str) -> AsyncIterator[Far]:
    async with house.open() as client:
        url = str(client.make_url("/"))
        process = await asyncio.create_subprocess_exec(
            *npm.command(url, *transports),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            yield Far(process)
        finally:
            assert process.stdin
            process.stdin.close()
            async with asyncio.timeout(20):
                await process.wait()


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KINDS", (*KINDS, "samples"))
    monkeypatch.setattr(dashboard, "WATCHED", frozenset(("instance", "catalogue", "samples", "logs")))


@pytest.mark.parametrize("transports", [("websocket",), ("polling", "websocket"), ("polling",)])
async def test_what_it_asks_for(environment: dict[str, str], transports: tuple[str, ...]) -> None:
    async with connected(Place(), environment, *transports) as far:
        assert await far.hear("connect") in transports
        greeting = await far.hear("message")
        assert greeting["type"] == "connection" and greeting["clientId"]
        await far.say("requestModels")
        told = await far.hear("models")
        assert told["type"] == "models" and isinstance(told["timestamp"], int)
        assert told["data"][0] == {"id": "qwen", "name": "qwen", "type": "qwen3", "status": "running", "size": 7}
        assert told["data"][1]["status"] == "error"
        await far.say("requestLlamaStatus")
        status = await far.hear("llamaStatus")
        assert status["type"] == "status" and status["data"]["status"] == "running"
        await far.say("load_models")
        loaded = await far.hear("models_loaded")
        assert loaded["success"] and loaded["data"][0]["parameters"]["n_ctx"] == 4096


async def test_what_happens_is_told(environment: dict[str, str]) -> None:
    house = Place()
    async with connected(house, environment) as far:
        await far.hear("connect")
        await far.hear("message")
        house.publish(SamplesTaken(SAMPLE))
        told = await far.hear("metrics")
        assert told["data"] == {
            "cpuUsage": 12.3, "memoryUsage": 75.0, "diskUsage": 70.0, "activeModels": 1, "totalModels": 2,
            "totalRequests": 0, "uptime": 9, "timestamp": "2023-11-14T22:13:20.000Z",
            "gpuName": "RTX", "gpuUsage": 50.0,
            "gpuMemoryUsed": 1024.0, "gpuMemoryTotal": 4096.0, "gpuMemoryUsage": 25.0, "gpuPowerUsage": 99.4,
            "gpuTemperature": 60.0,
        }  # fmt: skip
        house.publish(SamplesTaken(SAMPLE))
        await far.say("request_metrics")
        assert (await far.hear("metrics"))["data"]["uptime"] == 9, "once, since the other was too soon"
        house.publish(said("one", "two"))
        for text in ("one", "two"):
            line = (await far.hear("log"))["data"]
            assert (line["message"], line["level"], line["context"]) == (text, "warn", {"source": "qwen"})
            assert line["timestamp"] == "2023-11-14T22:13:20.000Z"
        await far.say("requestLogs")
        logs = (await far.hear("logs"))["data"]
        assert [line["message"] for line in logs] == ["two", "one"]
        house.publish(InstanceChanged("qwen", Ready(1.0, 42, 2.0)), CatalogueChanged())
        assert len((await far.hear("models"))["data"]) == 2
        assert (await far.hear("llamaStatus"))["data"]["models"][0]["name"] == "qwen"
        house.publish(said(*map(str, range(1000))))
        assert "800 lines are left out" in (await far.hear("log"))["data"]["message"]
        assert (await far.hear("log"))["data"]["message"] == "800"


async def test_lines_of_what_runs_are_known(environment: dict[str, str]) -> None:
    class Running(Place):
        pid = 42

    async with connected(Running(), environment) as far:
        await far.hear("connect")
        await far.hear("message")
        await far.say("requestLogs")
        [line] = (await far.hear("logs"))["data"]
        assert (line["message"], line["context"]) == ("before", {"source": "qwen"})


async def test_what_it_wants_done(environment: dict[str, str]) -> None:
    house = Place(CONTROL)
    house.go.set()
    async with connected(house, environment) as far:
        await far.hear("connect")
        await far.hear("message")
        for event, answer, told in (
            ("startModel", "modelStarted", {"modelId": "qwen", "status": "running"}),
            ("stopModel", "modelStopped", {"modelId": "qwen", "message": "qwen is stopped"}),
            ("toggle_model", "modelToggled", {"modelId": "qwen", "status": "running"}),
        ):
            await far.say(event, {"modelId": "qwen"})
            assert await far.hear(answer) == told
        await far.say("startModel", {"modelId": "nobody"})
        assert await far.hear("error") == {"message": "no model is called 'nobody'"}
        await far.say("startModel")
        assert "modelId is missing" in (await far.hear("error"))["message"]
        await far.say("restartServer")
        assert await far.hear("serverRestarted") == {"message": "restarted nothing"}
        await far.say("start_llama_server")
        await far.hear("serverStarted")
        await far.say("rescanModels")
        assert (await far.hear("llamaStatus"))["data"] == {"message": "3 models are known"}
        await far.say("load_config", {"id": "qwen", "type": "sampling"})
        assert (await far.hear("config_loaded"))["data"]["config"] == {"temperature": 0.5}
        await far.say("save_config", {"id": "qwen", "type": "sampling", "config": {"temperature": 0.7, "top_k": None}})
        assert (await far.hear("config_saved"))["success"]
        assert calls.SetModel("qwen", {"temperature": 0.7}, ("top_k",)) in house.asked
        await far.say("save_config", {"id": "qwen", "config": {"temperature": [1]}})
        assert (await far.hear("config_saved"))["error"]["code"] == "bad_request"
        await far.say("save_model", {"name": "q", "model_path": "/q.gguf"})
        assert (await far.hear("model_saved"))["data"] == "qwen"
        await far.say("update_model", {"id": "qwen", "updates": {"ctx_size": 1}})
        assert (await far.hear("model_updated"))["data"] == "qwen"
        await far.say("delete_model", {"id": "qwen"})
        assert (await far.hear("model_deleted"))["data"] == {"id": "qwen"}
        await far.say("import_models_from_llama")
        assert (await far.hear("models_imported"))["data"] == {
            "totalFound": 3, "imported": 1, "skipped": 2, "models": ["new"],
        }  # fmt: skip


async def test_who_may_only_look_changes_nothing(environment: dict[str, str]) -> None:
    async with connected(Place(), environment) as far:
        await far.hear("connect")
        await far.hear("message")
        await far.say("stopModel", {"modelId": "qwen"})
        assert "scope control" in (await far.hear("error"))["message"]
        await far.say("delete_model", {"id": "qwen"})
        assert (await far.hear("model_deleted"))["error"]["code"] == "forbidden"
    for caller in (Caller(scope="infer"), Caller("k", "k", "observe", ("qw*",))):
        async with connected(Place(caller), environment) as far:
            assert "scope observe" in await far.hear("connect_error")


def test_a_sample_without_a_gpu_says_nothing_of_one() -> None:
    bare = Host(memory_total=0, memory_available=0, swap_total=0, swap_used=0)
    found = shapes.metrics(Sample(at=0, host=bare, uptime=1), 0, 0)
    assert not any(name.startswith("gpu") for name in found) and "cpuUsage" not in found
