"""What Prometheus would make of it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import llamactl
from llamactl.core.requests import ModelRequest
from llamactl.core.sample import Disk, Gpu, Host, Sample, Served
from llamactl.metrics.prometheus import Prometheus

HOST = Host(
    cpu=50.0,
    cores=(25.0, 75.0),
    load=(0.5, 1.0, 2.0),
    memory_total=1000,
    memory_available=250,
    swap_total=10,
    swap_used=0,
    disks=(Disk(path="/", total=110, used=50, free=50),),
)
GPU = Gpu(id="GPU-1", name="RTX", vendor="nvidia", device="CUDA0", usage=80, power=99, clock=2520)
SERVED = Served(model="qwen", pid=7, cpu=150.0, memory=5, gpu_memory={"CUDA0": 5}, processing=0)
SAMPLE = Sample(at=5500, host=HOST, gpus=(GPU,), models=(SERVED,), active_models=1, uptime=9)
BODY = b"""# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed.
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total %d
# HELP llamacpp:predicted_tokens_seconds Average.
# TYPE llamacpp:predicted_tokens_seconds gauge
llamacpp:predicted_tokens_seconds 81.5
# TYPE llamacpp:accepted_total counter
llamacpp:accepted_total{position="0"} 4
"""
ROW = ModelRequest(id="1", at=1.0, model="qwen", endpoint="chat", key="k1", status=200, duration=2.0)


def parsed(of: Prometheus) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    found = {}
    for family in text_string_to_metric_families(of.text()):
        assert family.documentation or family.name.startswith("llamacpp:")
        for one in family.samples:
            key = one.name, tuple(sorted(one.labels.items()))
            assert key not in found, "twice"
            found[key] = one.value
    return found


def ended(model: str, status: str, key: str = "", error: str = "") -> tuple[tuple[str, str], ...]:
    return ("error", error), ("key", key), ("model", model), ("status", status)


def prometheus(sample: Sample | None = SAMPLE, bodies: Mapping[str, bytes] | None = None) -> Prometheus:
    return Prometheus(lambda: sample, lambda: bodies or {})


def test_units_and_labels() -> None:
    found = parsed(prometheus())
    assert found["llamactl_cpu_usage_ratio", ()] == 0.5
    assert found["llamactl_cpu_core_usage_ratio", (("core", "1"),)] == 0.75
    assert found["llamactl_load", (("minutes", "15"),)] == 2
    assert found["llamactl_sample_timestamp_seconds", ()] == 5.5
    assert found["llamactl_disk_free_bytes", (("path", "/"),)] == 50
    gpu = (("device", "CUDA0"), ("gpu", "GPU-1"), ("name", "RTX"))
    assert found["llamactl_gpu_usage_ratio", gpu] == pytest.approx(0.8)
    assert found["llamactl_gpu_clock_hertz", gpu] == 2.52e9
    assert found["llamactl_model_cpu_usage_ratio", (("model", "qwen"),)] == 1.5
    assert found["llamactl_model_gpu_memory_bytes", (("gpu", "CUDA0"), ("model", "qwen"))] == 5


def test_what_is_not_known_is_not_said() -> None:
    names = {name for name, _ in parsed(prometheus())}
    assert "llamactl_model_threads" not in names and "llamactl_gpu_temperature_celsius" not in names
    without = {name for name, _ in parsed(prometheus(None))}
    assert "llamactl_build_info" in without and "llamactl_cpu_usage_ratio" not in without


def test_what_llama_servers_say_is_passed_on_with_their_model() -> None:
    found = parsed(prometheus(None, {"qwen": BODY % 15, 'odd "name"\\': BODY % 3}))
    assert found["llamacpp:prompt_tokens_total", (("model", "qwen"),)] == 15
    assert found["llamacpp:prompt_tokens_total", (("model", 'odd "name"\\'),)] == 3
    assert found["llamacpp:accepted_total", (("model", "qwen"), ("position", "0"))] == 4


def test_requests_that_have_ended() -> None:
    of = prometheus(None)
    of.observe(
        [
            ModelRequest(
                id="1",
                at=1.0,
                model="qwen",
                endpoint="chat",
                status=200,
                queued=0.02,
                loading=0.7,
                first=0.3,
                duration=2.0,
                prompt_tokens=11,
                generated_tokens=5,
                generation_rate=80.0,
            ),
            ModelRequest(id="2", at=1.0, model="qwen", endpoint="chat", status=200, duration=1000.0),
            ModelRequest(id="3", at=1.0, model="b", endpoint="chat", error="client_left", duration=0.005),
        ]
    )
    found = parsed(of)

    def bucket(name: str, le: str, model: str = "qwen") -> float:
        return found[f"{name}_bucket", (("le", le), ("model", model))]

    qwen = (("model", "qwen"),)
    duration = "llamactl_request_duration_seconds"
    assert [bucket(duration, le) for le in ("1.0", "2.5", "300.0", "+Inf")] == [0, 1, 1, 2]
    assert (found[f"{duration}_count", qwen], found[f"{duration}_sum", qwen]) == (2, 1002)
    assert bucket(duration, "0.005", "b") == 1, "a bound belongs to its bucket"
    assert bucket("llamactl_request_load_seconds", "+Inf") == 1, "who found its model loaded did not wait for that"
    assert bucket("llamactl_request_queue_seconds", "0.025") == 2
    assert bucket("llamactl_time_to_first_token_seconds", "0.5") == 1
    assert bucket("llamactl_generation_tokens_per_second", "100.0") == 1
    assert found["llamactl_requests_total", ended("qwen", "200")] == 2
    assert found["llamactl_requests_total", ended("b", "", error="client_left")] == 1
    assert found["llamactl_tokens_total", (("key", ""), ("kind", "generated"), ("model", "qwen"))] == 5


def test_keys_are_told_apart_where_that_is_wanted() -> None:
    of = prometheus(None)
    of.observe([ROW])
    of.per_key = True
    of.observe([ROW])
    found = parsed(of)
    for key in ("", "k1"):
        assert found["llamactl_requests_total", ended("qwen", "200", key)] == 1


def test_the_dashboard_asks_for_what_there_is() -> None:
    text = Path(llamactl.__file__).with_name("metrics").joinpath("grafana.json").read_text()
    board = json.loads(text)
    full = Sample(
        at=1,
        host=HOST,
        gpus=(Gpu(id="1", name="x", vendor="amd", usage=1, memory_total=1, memory_used=1, temperature=1, power=1),),
        models=(Served(model="qwen", pid=1, memory=1, processing=1, deferred=1, gpu_memory={"a": 1}),),
    )
    said = b"# TYPE llamacpp:tokens_predicted_total counter\nllamacpp:tokens_predicted_total 1\n" + BODY % 1
    of = prometheus(full, {"qwen": said})
    of.observe([ModelRequest(id="1", at=1.0, model="qwen", endpoint="c", status=200, first=1.0, loading=1.0)])
    names = {name for name, _ in parsed(of)}
    asked = {
        name
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"(?:llamactl_|llamacpp:)\w+", target["expr"])
    }
    assert len(asked) > 15 and asked <= names
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
