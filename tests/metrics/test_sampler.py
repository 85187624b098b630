"""A measurement from its parts to the store and the hub."""

import itertools
import os
import time
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from llamactl.core.errors import NotRunning, StoreFailed
from llamactl.core.events import SamplesTaken
from llamactl.core.sample import Sample
from llamactl.hub import Hub
from llamactl.llamaserver.api import Answer
from llamactl.metrics.gpus import Gpus
from llamactl.metrics.host import HostMeter
from llamactl.metrics.sampler import Sampler
from llamactl.metrics.servers import Running, Servers
from tests.metrics.nvml import Pretence
from tests.metrics.test_gpus import CUDA0, CUDA1, GIB

pytestmark = pytest.mark.anyio
BODY = b"llamacpp:requests_processing 2\nllamacpp:requests_deferred 1\nllamacpp:prompt_tokens_total 15\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Stage:
    def __init__(self, place: Path) -> None:
        self.hub = Hub()
        self.put: list[Sequence[Sample]] = []
        self.times: list[float] = []
        self.fails = False
        self.running = [Running(model="qwen", pid=os.getpid(), endpoint="/s", leases=1, requests=3)]
        self.requests = 3
        self.gpus = Gpus(lambda: [CUDA0, CUDA1], time.monotonic, place)
        self.sampler = Sampler(
            self.hub,
            self._put,
            lambda: self.running,
            lambda: self.requests,
            HostMeter(lambda: [str(place)], time.monotonic),
            self.gpus,
            Servers(ask=self._ask),
        )

    async def _put(self, samples: Sequence[Sample]) -> None:
        if self.fails:
            raise StoreFailed("the disk is full")
        self.put.append(samples)
        self.times.append(time.monotonic())

    async def _ask(self, endpoint: str, path: str) -> Answer:
        if endpoint != "/s":
            raise NotRunning("another")
        return Answer(200, BODY, 1)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_all_of_one_moment(stage: Stage, nvml: Pretence) -> None:
    nvml.process(0, os.getpid(), 5 * GIB)
    stage.running.append(Running(model="other", pid=2**22 + 1, endpoint="/gone", leases=1, requests=0))
    stage.sampler.live = lambda: {"qwen": 81.5}
    with stage.hub.watch() as watcher:
        sample = await stage.sampler.take()
        event = (await anext(watcher)).event
    stage.gpus.close()
    assert stage.sampler.latest is sample and stage.put == [[sample]] and event == SamplesTaken(sample)
    assert abs(sample.at / 1000 - time.time()) < 5
    assert [gpu.device for gpu in sample.gpus] == ["CUDA0", "CUDA1"]
    assert sample.host.memory_total > 0 and sample.active_models == 2
    ours, gone = sample.models
    assert (ours.model, ours.processing, ours.deferred, ours.prompt_tokens, ours.live) == ("qwen", 2, 1, 15, 81.5)
    assert ours.memory is not None and ours.memory > 1 << 20 and ours.threads is not None and ours.connections == 0
    assert ours.gpu_memory == ({"CUDA0": 5 * GIB} if os.getsid(0) == os.getpid() else {}), "it leads no session"
    assert (gone.memory, gone.processing, gone.live, gone.gpu_memory) == (None, None, None, {})


async def test_no_more_than_one_transaction_a_second(stage: Stage) -> None:
    stage.sampler.configure(0.25)
    stage.running = []
    async with anyio.create_task_group() as group:
        await group.start(stage.sampler.run)
        with stage.hub.watch() as watcher:
            for _ in range(6):
                await anext(watcher)
        times = list(stage.times)
        group.cancel_scope.cancel()
    assert len(times) > 1 and all(later - time >= 1.0 for time, later in itertools.pairwise(times))
    taken = [sample.at for samples in stage.put for sample in samples]
    assert len(taken) >= 7 and taken == sorted(set(taken)), "what was left is written at the end"


async def test_what_cannot_be_kept_is_told_once_and_shown_all_the_same(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llamactl.metrics.sampler.TOGETHER", 0.0)
    stage.fails = True
    with stage.hub.watch() as watcher:
        for _ in range(3):
            taken = await stage.sampler.take()
            assert (await anext(watcher)).event == SamplesTaken(taken)
    assert [record.message for record in caplog.records] == ["measurements are not kept: the disk is full"]
    stage.fails = False
    await stage.sampler.take()
    assert len(stage.put) == 1


async def test_requests_of_the_last_minute(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    now = 0.0
    stage.sampler._clock = lambda: now
    found = []
    for second in range(0, 120, 2):
        now, stage.requests = float(second), second // 2
        found.append(stage.sampler._per_minute())
    assert found[:3] == [0, 1, 2] and set(found[31:]) == {30.0}
    stage.requests = 0  # models left the catalogue
    assert stage.sampler._per_minute() == 0
