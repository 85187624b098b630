"""What the calls make of what was measured."""

import time
from pathlib import Path

import pytest

from llamactl.core.errors import BadRequest, NotRunning
from llamactl.core.sample import Gpu, Sample, Served
from llamactl.core.series import single
from llamactl.rpc import calls
from llamactl.store import Database
from tests.daemon.test_control import Office
from tests.metrics.test_prometheus import HOST

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_now(tmp_path: Path) -> None:
    with Database(tmp_path / "llamactl.db") as db:
        office = Office(tmp_path, db)
        with pytest.raises(NotRunning):
            await office.ask(calls.ShowMetrics())
        taken = await office.sampler.take()
        assert await office.ask(calls.ShowMetrics()) == taken
        assert "llamactl_memory_total_bytes" in await office.ask(calls.ExportMetrics())


async def test_history_by_subject_and_metric(tmp_path: Path) -> None:
    now = round(time.time() * 1000)
    gpu = Gpu(id="GPU-1", name="RTX", vendor="nvidia", device="CUDA0", usage=80, temperature=60)
    sample = Sample(at=now - 5000, host=HOST, gpus=(gpu,), models=(Served(model="qwen", pid=1, live=2.5),))
    with Database(tmp_path / "llamactl.db") as db:
        office = Office(tmp_path, db)
        await db.samples.put([sample, Sample(at=now - 700_000, host=HOST)])

        async def asked(**call: object) -> calls.History:
            found: calls.History = await office.ask(calls.ShowHistory(**call))  # type: ignore[arg-type]
            return found

        found = await asked()
        assert [(one.kind, one.name) for one in found.series] == [("gpu", "CUDA0"), ("host", ""), ("model", "qwen")]
        assert (found.step, found.interval) == (0, 2) and abs(found.end - found.start - 600) < 0.01
        assert {len(one.points) for one in found.series} == {1}, "the other one is older than ten minutes"
        [gpu_series] = (await asked(kind="gpu", metrics=("usage",))).series
        assert gpu_series.points == [calls.PointRow((now - 5000) / 1000, {"usage": single(80)})]
        assert (await asked(kind="model", name="nobody")).series == []
        assert (await asked(kind="gpu", metrics=("nonsense",))).series == []
        assert (await asked(until=now / 1000 - 60)).series == []
        coarse = await asked(step=60.0, kind="host")
        assert coarse.step == 60 and coarse.series[0].points[0].at % 60 == 0


@pytest.mark.parametrize("wrong", [{"kind": "disk"}, {"since": 0.0}, {"since": float("nan")}, {"step": -1.0}])
async def test_what_cannot_be_asked(tmp_path: Path, wrong: dict[str, object]) -> None:
    with Database(tmp_path / "llamactl.db") as db, pytest.raises(BadRequest):
        await Office(tmp_path, db).ask(calls.ShowHistory(**wrong))  # type: ignore[arg-type]
