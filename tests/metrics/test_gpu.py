"""NVIDIA's GPUs: the real pynvml, and a driver library that is ours."""

import ctypes
import os

import pytest

from llamactl.core.sample import Gpu
from llamactl.metrics.gpu import LIBRARY, LOOK_AGAIN, Nvml
from tests.metrics.nvml import DRIVER_NOT_LOADED, GPU_IS_LOST, NOT_SUPPORTED, UNKNOWN, Pretence

BIG = Gpu(
    id="GPU-0",
    name="NVIDIA GeForce RTX 4090",
    vendor="nvidia",
    usage=42,
    memory_total=24 << 30,
    memory_used=3 << 30,
    temperature=61,
    power=123.456,
    power_limit=450,
    clock=2520,
    memory_clock=10501,
    processes={},
)
OLD = Gpu(
    id="GPU-1",
    name="NVIDIA GeForce GTX 1080",
    vendor="nvidia",
    usage=43,
    memory_total=8 << 30,
    memory_used=1 << 30,
    temperature=62,
    power_limit=450,
    clock=2520,
    memory_clock=10501,
    processes={},
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_two_gpus_each_with_what_it_can_tell(nvml: Pretence, clock: Clock) -> None:
    meter = Nvml(clock)
    assert meter.measure() == [BIG, OLD]
    assert nvml.users == 1
    meter.close()
    meter.close()
    assert nvml.users == 0


def test_only_memory_for_who_is_in_a_hurry(nvml: Pretence, clock: Clock) -> None:
    big, old = Nvml(clock).measure(only_memory=True)
    assert (big.id, big.name, big.memory_used, big.processes) == (BIG.id, BIG.name, BIG.memory_used, {})
    assert (big.usage, big.power, old.temperature, old.clock) == (None, None, None, None)


def test_memory_of_processes_that_compute_or_draw_or_both(nvml: Pretence, clock: Clock) -> None:
    nvml.process(0, os.getpid(), 5 << 20)  # on both lists
    nvml.process(1, os.getpid(), 7 << 20)  # draws only, as what uses Vulkan does
    assert [gpu.processes for gpu in Nvml(clock).measure()] == [{os.getpid(): 5 << 20}, {os.getpid(): 7 << 20}]
    nvml.process(0, os.getpid(), 2**64 - 1 - 2**64)  # NVML_VALUE_NOT_AVAILABLE
    assert Nvml(clock).measure()[0].processes == {}


@pytest.mark.parametrize("error", [UNKNOWN, NOT_SUPPORTED])
def test_one_that_fails_tells_nothing_and_hinders_nobody(nvml: Pretence, clock: Clock, error: int) -> None:
    meter = Nvml(clock)
    nvml.fails(0, error)
    assert meter.measure() == [Gpu(id="NVML0", name="NVIDIA", vendor="nvidia"), OLD]
    nvml.fails(0, 0)
    assert meter.measure() == [BIG, OLD]


def test_one_that_disappears_and_comes_back(nvml: Pretence, clock: Clock) -> None:
    meter = Nvml(clock)
    nvml.fails(0, GPU_IS_LOST)
    assert meter.measure() == [OLD]
    nvml.fails(0, 0)
    assert meter.measure() == [BIG, OLD]
    nvml.count(1)
    assert meter.measure() == [BIG]


def test_a_driver_that_is_loaded_later(nvml: Pretence, clock: Clock) -> None:
    meter = Nvml(clock)
    nvml.refuses(DRIVER_NOT_LOADED)
    assert meter.measure() == []
    nvml.refuses(0)
    assert meter.measure() == [], "it is not tried each time"
    clock.now += LOOK_AGAIN
    assert meter.measure() == [BIG, OLD]


def test_without_a_driver(clock: Clock) -> None:
    with pytest.raises(OSError):
        ctypes.CDLL(LIBRARY)
    assert Nvml(clock).measure() == []
