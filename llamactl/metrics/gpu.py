"""NVIDIA's GPUs, through NVML.

Its Python module is loaded only where there is the driver's library: it takes 2.3 MB. What a GPU cannot tell is None;
one that has fallen off the bus is left out until it is back.
"""

import ctypes
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from llamactl.core.sample import Gpu

log = logging.getLogger(__name__)

LIBRARY = "libnvidia-ml.so.1"

LOOK_AGAIN = 60.0
"""Seconds until it is tried again: drivers may be loaded after the daemon has started."""

T = TypeVar("T")


class Nvml:
    """May be called by several threads. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._nvml: Any = None
        self._next = float("-inf")

    def measure(self, *, only_memory: bool = False) -> list[Gpu]:
        """In NVML's order, that of the PCI bus; none where there is no driver.

        `only_memory`: sensors, which some GPUs take milliseconds to read, are not asked.
        """
        nvml = self._loaded()
        if nvml is None:
            return []
        gpus = []
        for index in range(self._count(nvml)):
            with suppress(nvml.NVMLError):  # this one is lost; the others are not
                gpus.append(_one(nvml, index, only_memory))
        return gpus

    def close(self) -> None:
        """Nothing happens the second time."""
        with self._lock:
            if self._nvml is not None:
                with suppress(self._nvml.NVMLError):
                    self._nvml.nvmlShutdown()
            self._nvml = None

    def _loaded(self) -> Any:
        with self._lock:
            if self._nvml is None and self._clock() >= self._next:
                self._next = self._clock() + LOOK_AGAIN
                self._nvml = _load()
            return self._nvml

    def _count(self, nvml: Any) -> int:
        try:
            return int(nvml.nvmlDeviceGetCount())
        except nvml.NVMLError as error:  # the driver was unloaded, or replaced
            log.warning("NVML tells of no GPUs any more: %s", error)
            self.close()
            return 0


def _load() -> Any:
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return None
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        log.debug("NVML cannot be used: %s", error)
        return None
    return pynvml


def _one(nvml: Any, index: int, only_memory: bool) -> Gpu:
    """Raises `NVMLError` for one that is lost."""
    handle = nvml.nvmlDeviceGetHandleByIndex(index)

    def told(ask: Callable[..., T], *arguments: Any) -> T | None:
        try:
            return ask(handle, *arguments)
        except nvml.NVMLError as error:
            if error.value == nvml.NVML_ERROR_GPU_IS_LOST:
                raise
            return None

    pci, memory = told(nvml.nvmlDeviceGetPciInfo), told(nvml.nvmlDeviceGetMemoryInfo)
    gpu = Gpu(
        id=told(nvml.nvmlDeviceGetUUID) or (str(pci.busId) if pci else f"NVML{index}"),
        name=told(nvml.nvmlDeviceGetName) or "NVIDIA",
        vendor="nvidia",
        memory_total=None if memory is None else memory.total,
        memory_used=None if memory is None else memory.used,
        processes=_processes(  # what uses Vulkan counts as graphics
            told(nvml.nvmlDeviceGetComputeRunningProcesses), told(nvml.nvmlDeviceGetGraphicsRunningProcesses)
        ),
    )
    if only_memory:
        return gpu
    usage = told(nvml.nvmlDeviceGetUtilizationRates)
    power, limit = told(nvml.nvmlDeviceGetPowerUsage), told(nvml.nvmlDeviceGetEnforcedPowerLimit)
    return msgspec.structs.replace(
        gpu,
        usage=None if usage is None else usage.gpu,
        temperature=told(nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU),
        power=None if power is None else power / 1000,
        power_limit=None if limit is None else limit / 1000,
        clock=told(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_SM),
        memory_clock=told(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_MEM),
    )


def _processes(*lists: list[Any] | None) -> dict[int, int] | None:
    """Bytes by pid; one that is on both lists has the same on both."""
    if all(one is None for one in lists):
        return None
    found: dict[int, int] = {}
    for process in (process for one in lists for process in one or ()):
        if process.usedGpuMemory is not None:  # the driver does not tell under WSL
            found[process.pid] = max(process.usedGpuMemory, found.get(process.pid, 0))
    return found
