"""GPUs under llama-server's names, and what the scheduler wants to know of them."""

import os
from pathlib import Path

from llamactl.core.devices import Device, matched
from llamactl.core.sample import Gpu
from llamactl.metrics.gpus import Gpus
from tests.metrics.nvml import UNKNOWN, Pretence
from tests.metrics.test_amd import FULL, card

GIB = 1 << 30
CUDA0 = Device(name="CUDA0", description="NVIDIA GeForce RTX 4090", total=int(23.5 * GIB), free=20 * GIB)
CUDA1 = Device(name="CUDA1", description="NVIDIA GeForce GTX 1080", total=int(7.9 * GIB), free=5 * GIB)
RADEON = Device(name="Vulkan0", description="AMD Radeon RX 7900 XTX (RADV NAVI31)", total=24 * GIB, free=22 * GIB)


def gpu(name: str, size: int, vendor: str = "nvidia") -> Gpu:
    return Gpu(id=name, name=name, vendor=vendor, memory_total=size * GIB)  # type: ignore[arg-type]


def test_which_is_which() -> None:
    gpus = [gpu("NVIDIA GeForce GTX 1080", 8), gpu("NVIDIA GeForce RTX 4090", 24), gpu("AMD Radeon", 24, "amd")]
    assert matched([CUDA0, CUDA1], gpus) == {"CUDA0": 1, "CUDA1": 0}, "CUDA has the fastest first, NVML goes by the bus"
    assert matched([RADEON], gpus) == {"Vulkan0": 2}
    both = [CUDA0, Device(name="Vulkan1", description="NVIDIA GeForce RTX 4090", total=24 * GIB)]
    assert matched(both, gpus) == {"CUDA0": 1, "Vulkan1": 1}, "one GPU, two backends"
    rocm = Device(name="ROCm0", description="AMD Radeon Graphics", total=24 * GIB)
    assert matched([rocm], gpus) == {"ROCm0": 2}


def test_twins_are_told_apart_by_their_order() -> None:
    twins = [gpu("NVIDIA GeForce RTX 4090", 24), gpu("NVIDIA GeForce RTX 4090", 24)]
    devices = [CUDA0, Device(name="CUDA1", description=CUDA0.description, total=CUDA0.total)]
    assert matched(devices, twins) == {"CUDA0": 0, "CUDA1": 1}
    assert matched([*devices, Device(name="CUDA2", description=CUDA0.description, total=CUDA0.total)], twins) == {
        "CUDA0": 0,
        "CUDA1": 1,
    }


def test_what_is_no_gpu_of_this_machine() -> None:
    gpus = [gpu("NVIDIA GeForce RTX 4090", 24)]
    lent = Device(name="RPC0[10.0.0.2:1]", description="10.0.0.2:1", total=8 * GIB)
    software = Device(name="Vulkan0", description="llvmpipe (LLVM 15.0.6, 256 bits)", total=4 * GIB)
    assert matched([lent, software, RADEON], gpus) == {}


def test_what_may_be_taken_is_what_is_free_and_what_ours_hold(nvml: Pretence, tmp_path: Path) -> None:
    mine = os.getsid(0)
    gpus = Gpus(lambda: [CUDA0, CUDA1], lambda: 0.0, tmp_path)
    nvml.used(0, 10 * GIB)
    assert gpus.budgets([]) == {"CUDA0": 14 * GIB, "CUDA1": 7 * GIB}
    nvml.process(0, os.getpid(), 4 * GIB)
    assert gpus.budgets([mine]) == {"CUDA0": 18 * GIB}
    assert gpus.held(mine) == {"CUDA0": 4 * GIB}
    nvml.process(1, os.getpid(), GIB)
    assert gpus.budgets([mine, 1]) == {"CUDA0": 18 * GIB, "CUDA1": 8 * GIB}
    assert gpus.held(mine) == {"CUDA0": 4 * GIB, "CUDA1": GIB}
    assert gpus.held(2**22 + 1) == {}
    nvml.fails(0, UNKNOWN)
    assert gpus.budgets([mine]) == {"CUDA1": 8 * GIB}
    gpus.close()


def test_each_has_its_name(nvml: Pretence, tmp_path: Path) -> None:
    card(tmp_path, 0, "0000:0c:00.0", **FULL)
    gpus = Gpus(lambda: [CUDA1, CUDA0, RADEON], lambda: 0.0, tmp_path)
    assert [(one.id, one.device) for one in gpus.measure([])] == [
        ("GPU-0", "CUDA0"),
        ("GPU-1", "CUDA1"),
        ("0000:0c:00.0", "Vulkan0"),
    ]
    gpus.close()
