"""What a daemon measures, beside what others say of the same."""

import time
from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from llamactl.core.sample import Sample
from llamactl.rpc.calls import ListInstances, ShowHistory, ShowMetrics
from tests.e2e.conftest import Begin
from tests.e2e.running import Daemon, Home, until
from tests.e2e.test_real import CHAT, SMALL
from tests.metrics.nvml import built


def generated_by_all(home: Home) -> int:
    return sum(one.predicted_tokens or 0 for one in home.tell(ShowMetrics()).models)


def exported(daemon: Daemon) -> dict[tuple[str, str], float]:
    """Of `/metrics`: by name and model, or GPU."""
    text = daemon.ask("/metrics").body.decode()
    return {
        (one.name, one.labels.get("model") or one.labels.get("device") or ""): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_a_real_llama_server_is_measured(
    begin: Begin, real_engine: str, home: Home, tiny: Path, tmp_path: Path
) -> None:
    """Tokens are those of the answers; the rest is as /proc has it. Restarts of the daemon lose nothing."""
    home.env["LD_LIBRARY_PATH"] = str(built(tmp_path).parent)
    daemon = begin(**SMALL, metrics_interval="0.5")
    home.run("models", "add", str(tiny), "--name", "tiny")
    usages = [daemon.ask("/v1/chat/completions", {"model": "tiny", **CHAT}).json()["usage"] for _ in range(3)]
    generated = sum(usage["completion_tokens"] for usage in usages)
    until(lambda: generated_by_all(home) == generated)
    sample: Sample = home.tell(ShowMetrics())
    [one] = sample.models
    cached = [usage["prompt_tokens_details"]["cached_tokens"] for usage in usages]
    assert one.prompt_tokens == sum(usage["prompt_tokens"] for usage in usages) - sum(cached)
    [row] = home.tell(ListInstances())
    process = psutil.Process(row.pid)
    assert one.pid == process.pid and one.threads == process.num_threads()
    assert one.memory is not None and abs(one.memory - process.memory_info().rss) < 8 << 20
    assert one.processing == 0 and one.connections is not None
    assert sample.requests_per_minute == 3 and sample.active_models == 1
    assert sample.host.memory_total == psutil.virtual_memory().total
    assert [(gpu.name, gpu.usage) for gpu in sample.gpus] == [
        ("NVIDIA GeForce RTX 4090", 42),
        ("NVIDIA GeForce GTX 1080", 43),
    ]

    found = exported(daemon)
    assert found["llamacpp:tokens_predicted_total", "tiny"] == generated
    assert found["llamactl_model_resident_memory_bytes", "tiny"] == pytest.approx(one.memory, rel=0.1)
    assert found["llamactl_gpu_usage_ratio", ""] > 0.4
    latest = daemon.ask("/api/monitoring/latest").json()["data"]
    assert latest["active_models"] == 1 and latest["gpu_temperature"] == 62

    began = time.time()
    assert daemon.end() == 0
    again = Daemon(home).wait_until_up()
    try:
        until(lambda: len(home.tell(ShowHistory(kind="host")).series[0].points) > 3)
        series = {(one.kind, one.name): one.points for one in home.tell(ShowHistory()).series}
        assert min(point.at for point in series["host", ""]) < began < max(point.at for point in series["host", ""])
        assert max(point.values["predicted_tokens"].max for point in series["model", "tiny"]) == generated
        assert ("gpu", "GPU-0") in series
    finally:
        assert again.end() == 0


def test_on_a_machine_without_a_gpu_nothing_is_said_of_one(begin: Begin, home: Home) -> None:
    if Path("/proc/driver/nvidia").exists() or Path("/sys/class/drm/card0/device/gpu_busy_percent").exists():
        pytest.skip("this machine has a GPU")
    daemon = begin()
    data = daemon.ask("/api/monitoring/latest").json()["data"]
    assert {data[name] for name in data if name.startswith("gpu")} == {None}
    assert data["memory_usage"] > 0 and data["active_models"] == 0
    assert not any(name.startswith("llamactl_gpu") for name, _ in exported(daemon))
    assert home.json("metrics", "show")["gpus"] == []
    assert home.run("metrics", "history", "--plot").stdout.startswith("host ")


def test_who_has_nothing_to_do_falls_asleep_and_is_not_woken(
    begin: Begin, real_engine: str, home: Home, tiny: Path
) -> None:
    daemon = begin(**SMALL, metrics_interval="0.25")
    home.run("models", "add", str(tiny), "--name", "tiny")
    home.run("models", "set", "tiny", "sleep_idle_seconds=3")
    assert daemon.chat("tiny", max_tokens=2).status == 200
    until(lambda: home.instances()[0].sleeping)
    before = home.tell(ShowMetrics()).at
    until(lambda: home.tell(ShowMetrics()).at > before + 2500)
    assert home.instances()[0].sleeping, "it was measured ten times since"
