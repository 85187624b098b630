"""A measurement: the machine, its GPUs and our llama-servers at one moment; and what of it is kept as series.

Sizes are bytes, usages percent (of all processors; of one processor for a process), rates per second, temperatures
°C, power W, clocks MHz, times milliseconds since the epoch. What is not known is None, never 0.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """A file system. `free` is what may be written by anybody, so it is less than `total` without `used`."""

    path: str
    total: int
    used: int
    free: int

    @property
    def usage(self) -> float | None:
        """As df(1) has it: of what may be written by anybody."""
        return share(self.used, self.used + self.free)


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """`load` is the run queue over 1, 5 and 15 minutes. `disks` begins with the root, those of the models follow;
    one that holds both stands there once. `received` and `sent` leave out what the machine says to itself.
    """

    cpu: float | None = None
    cores: tuple[float, ...] = ()
    load: tuple[float, float, float] | None = None
    memory_total: int
    memory_available: int
    swap_total: int
    swap_used: int
    disks: tuple[Disk, ...] = ()
    received: float | None = None
    sent: float | None = None


class Gpu(msgspec.Struct, frozen=True, kw_only=True):
    """`device` is what llama-server calls it (`CUDA0`), empty if it does not use it; `id` stays over reboots.

    `processes` are bytes by pid; None where nothing tells of them.
    """

    id: str
    name: str
    vendor: Literal["nvidia", "amd"]
    device: str = ""
    usage: float | None = None
    memory_total: int | None = None
    memory_used: int | None = None
    temperature: float | None = None
    power: float | None = None
    power_limit: float | None = None
    clock: float | None = None
    memory_clock: float | None = None
    processes: dict[int, int] | None = None

    @property
    def label(self) -> str:
        return self.device or self.id


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A llama-server: its process, and what it says of itself.

    `gpu_memory` is bytes per GPU. `*_tokens` count since its process began, and go on over restarts; they move when a
    request ends. `prompt`, `predicted` and `decoded` are what was done since the question before, a second. `live` is
    tokens a second now, as its clients see them.
    """

    model: str
    pid: int
    cpu: float | None = None
    memory: int | None = None
    threads: int | None = None
    connections: int | None = None
    gpu_memory: dict[str, int] = {}
    processing: int | None = None
    deferred: int | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    predicted_tokens: int | None = None
    prompt: float | None = None
    predicted: float | None = None
    decoded: float | None = None
    live: float | None = None

    @property
    def rate(self) -> float | None:
        """Tokens a second, as clients see them now, or else as llama-server counts them."""
        return self.predicted if self.live is None else self.live


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """All of one moment. `uptime` is the daemon's, in seconds, `active_models` those that serve."""

    at: int
    host: Host
    gpus: tuple[Gpu, ...] = ()
    models: tuple[Served, ...] = ()
    active_models: int = 0
    uptime: int = 0
    requests_per_minute: float | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The machine in eleven numbers. GPU memory in MiB; of several GPUs the sums, their mean usage, the hottest."""

    timestamp: int
    cpu_usage: float | None = None
    memory_usage: float | None = None
    disk_usage: float | None = None
    gpu_usage: float | None = None
    gpu_temperature: float | None = None
    gpu_memory_used: float | None = None
    gpu_memory_total: float | None = None
    gpu_power_usage: float | None = None
    active_models: int | None = None
    uptime: int | None = None
    requests_per_minute: float | None = None


def summary(sample: Sample) -> Summary:
    host, gpus = sample.host, sample.gpus
    usages = _known(gpu.usage for gpu in gpus)
    return Summary(
        timestamp=sample.at,
        cpu_usage=host.cpu,
        memory_usage=share(host.memory_total - host.memory_available, host.memory_total),
        disk_usage=host.disks[0].usage if host.disks else None,
        gpu_usage=sum(usages) / len(usages) if usages else None,
        gpu_temperature=max(_known(gpu.temperature for gpu in gpus), default=None),
        gpu_memory_used=_mebibytes(gpu.memory_used for gpu in gpus),
        gpu_memory_total=_mebibytes(gpu.memory_total for gpu in gpus),
        gpu_power_usage=_total(gpu.power for gpu in gpus),
        active_models=sample.active_models,
        uptime=sample.uptime,
        requests_per_minute=sample.requests_per_minute,
    )


Subject = tuple[str, str]
"""What a series is of: `("host", "")`, `("gpu", "CUDA0")`, `("model", "qwen")`."""

HOST_SUBJECT: Subject = ("host", "")
SUMMARISED = tuple(name for name in Summary.__struct_fields__ if name != "timestamp")

_GPU = ("usage", "memory_total", "memory_used", "temperature", "power", "power_limit", "clock", "memory_clock")
_MODEL = tuple(name for name in Served.__struct_fields__ if name not in ("model", "pid", "gpu_memory"))


def beside(sample: Sample) -> dict[Subject, dict[str, float]]:
    """What is kept beside the summary, by name; of what is not known there is nothing."""
    host = sample.host
    found: dict[Subject, dict[str, float | None]] = {
        HOST_SUBJECT: {
            "load": host.load[0] if host.load else None,
            "memory_used": host.memory_total - host.memory_available,
            "swap_usage": share(host.swap_used, host.swap_total),
            "models_disk_usage": max(_known(disk.usage for disk in host.disks[1:] or host.disks), default=None),
            "received": host.received,
            "sent": host.sent,
            "tokens_per_second": _total(model.live for model in sample.models),
        }
    }
    for gpu in sample.gpus:
        found["gpu", gpu.label] = {name: getattr(gpu, name) for name in _GPU}
    for model in sample.models:
        found["model", model.model] = {name: getattr(model, name) for name in _MODEL}
        found["model", model.model]["vram"] = sum(model.gpu_memory.values()) if model.gpu_memory else None
    return {
        subject: known
        for subject, values in found.items()
        if (known := {name: value for name, value in values.items() if value is not None})
    }


def share(part: float | None, whole: float | None) -> float | None:
    """Percent; None of nothing, or if one of them is not known."""
    return None if part is None or not whole else 100 * part / whole


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _total(values: Iterable[float | None]) -> float | None:
    known = _known(values)
    return sum(known) if known else None


def _mebibytes(values: Iterable[float | None]) -> float | None:
    total = _total(values)
    return None if total is None else total / (1 << 20)
