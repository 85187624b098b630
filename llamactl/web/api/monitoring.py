"""`/api/monitoring`: what was measured, as the dashboard asks for it.

Memory is MiB there, disks are bytes, usages percent; what is not known is null.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from llamactl.core.sample import Disk, Gpu, Sample, Served, Summary, share, summary
from llamactl.core.series import Range
from llamactl.core.units import parse_duration, show_time
from llamactl.rpc.calls import History, ShowHistory, ShowMetrics
from llamactl.web.api.route import Asked, Route

PATH = "/api/monitoring"
MEBIBYTE = 1 << 20
LONGEST = 30 * 24
"""Hours."""
WANTED = {
    "cpu": "cpu_usage",
    "memory": "memory_usage",
    "disk": "disk_usage",
    "gpu": "gpu_usage",
    "gpu_temperature": "gpu_temperature",
    "power": "gpu_power_usage",
    "requests": "requests_per_minute",
    "tokens_per_second": "tokens_per_second",
}
"""The fields of a `HistoryPoint`, and the names of the series."""


class Camel(msgspec.Struct, kw_only=True, rename="camel"):
    """Its fields have the dashboard's names."""


class CpuUse(Camel):
    usage: float | None
    cores: int | None
    per_core: tuple[float, ...]
    load_average: tuple[float, float, float] | None


class MemoryUse(Camel):
    """MiB."""

    used: float
    total: float
    free: float
    usage_percent: float | None


class DiskUse(Camel):
    """Bytes."""

    path: str
    used: int
    total: int
    free: int
    usage_percent: float | None


class NetworkUse(Camel):
    """Bytes a second."""

    rx: float | None
    tx: float | None


class GpuUse(Camel):
    """°C and W."""

    id: int
    uuid: str
    name: str
    device: str | None
    memory: MemoryUse | None
    utilization: float | None
    temperature: float | None
    power: float | None
    power_limit: float | None


class ModelsUse(Camel):
    """MiB."""

    active: int
    memory_usage: float
    items: tuple[Served, ...]


class RequestsUse(Camel):
    """Those under way, and those that wait in a llama-server."""

    per_minute: float | None
    active: int
    waiting: int


class Overview(Camel):
    """All that was measured last."""

    timestamp: str
    cpu: CpuUse
    memory: MemoryUse
    swap: MemoryUse
    disk: DiskUse | None
    disks: list[DiskUse]
    network: NetworkUse
    gpu: list[GpuUse]
    models: ModelsUse
    requests: RequestsUse
    uptime: int


class HistoryQuery(msgspec.Struct, forbid_unknown_fields=True):
    """`resolution` is a duration like `30s`, `5m` or `1h`."""

    hours: Annotated[float, Meta(gt=0, le=LONGEST)] = 24
    resolution: Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,5}(s|m|h|d)?$")] = "5m"


class Period(Camel):
    """Seconds between two points."""

    start: str
    end: str
    resolution: float


class HistoryPoint(Camel):
    """Means over the time from `timestamp` to the next point."""

    timestamp: str
    cpu: float | None
    memory: float | None
    disk: float | None
    gpu: float | None
    gpu_temperature: float | None
    power: float | None
    requests: float | None
    tokens_per_second: float | None


class HistorySummary(Camel):
    avg_cpu: float | None
    max_cpu: float | None
    avg_memory: float | None
    max_memory: float | None


class MonitoringHistory(Camel):
    """Where nothing was measured there is no point."""

    period: Period
    metrics: list[HistoryPoint]
    summary: HistorySummary


async def show_monitoring(asked: Asked) -> Overview:
    """What was measured last of the machine, its GPUs and the models."""
    return _overview(await asked(ShowMetrics()))


async def show_latest(asked: Asked) -> Summary:
    """What was measured last of the machine, as a row of its history."""
    return summary(await asked(ShowMetrics()))


async def show_history(asked: Asked, query: HistoryQuery) -> MonitoringHistory:
    """What was measured of the machine in the last hours."""
    step = parse_duration(query.resolution)
    call = ShowHistory(query.hours * 3600, step=step, kind="host", metrics=tuple(WANTED.values()))
    return _history(await asked(call))


def _overview(sample: Sample) -> Overview:
    host = sample.host
    disks = [_disk(disk) for disk in host.disks]
    return Overview(
        timestamp=show_time(sample.at / 1000),
        cpu=CpuUse(usage=host.cpu, cores=len(host.cores) or None, per_core=host.cores, load_average=host.load),
        memory=_memory(host.memory_total - host.memory_available, host.memory_total),
        swap=_memory(host.swap_used, host.swap_total),
        disk=disks[0] if disks else None,
        disks=disks,
        network=NetworkUse(rx=host.received, tx=host.sent),
        gpu=[_gpu(number, gpu) for number, gpu in enumerate(sample.gpus)],
        models=ModelsUse(
            active=sample.active_models,
            memory_usage=sum(one.memory or 0 for one in sample.models) / MEBIBYTE,
            items=sample.models,
        ),
        requests=RequestsUse(
            per_minute=sample.requests_per_minute,
            active=sum(one.processing or 0 for one in sample.models),
            waiting=sum(one.deferred or 0 for one in sample.models),
        ),
        uptime=sample.uptime,
    )


def _disk(disk: Disk) -> DiskUse:
    return DiskUse(path=disk.path, used=disk.used, total=disk.total, free=disk.free, usage_percent=disk.usage)


def _memory(used: float, total: float) -> MemoryUse:
    return MemoryUse(
        used=used / MEBIBYTE,
        total=total / MEBIBYTE,
        free=(total - used) / MEBIBYTE,
        usage_percent=share(used, total),
    )


def _gpu(number: int, gpu: Gpu) -> GpuUse:
    known = gpu.memory_used is not None and gpu.memory_total is not None
    return GpuUse(
        id=number,
        uuid=gpu.id,
        name=gpu.name,
        device=gpu.device or None,
        memory=_memory(gpu.memory_used or 0, gpu.memory_total or 0) if known else None,
        utilization=gpu.usage,
        temperature=gpu.temperature,
        power=gpu.power,
        power_limit=gpu.power_limit,
    )


def _history(found: History) -> MonitoringHistory:
    points = [point for series in found.series for point in series.points]

    def all_of(name: str) -> Range | None:
        total: Range | None = None
        for point in points:
            if (value := point.values.get(name)) is not None:
                total = value if total is None else total.joined(value)
        return total

    def means(values: dict[str, Range]) -> dict[str, float | None]:
        return {field: values[name].mean if name in values else None for field, name in WANTED.items()}

    cpu, memory = all_of("cpu_usage"), all_of("memory_usage")
    return MonitoringHistory(
        period=Period(start=show_time(found.start), end=show_time(found.end), resolution=found.step or found.interval),
        metrics=[HistoryPoint(timestamp=show_time(point.at), **means(point.values)) for point in points],
        summary=HistorySummary(
            avg_cpu=cpu.mean if cpu else None,
            max_cpu=cpu.max if cpu else None,
            avg_memory=memory.mean if memory else None,
            max_memory=memory.max if memory else None,
        ),
    )


ROUTES = (
    Route("GET", PATH, show_monitoring, ShowMetrics),
    Route("GET", f"{PATH}/latest", show_latest, ShowMetrics),
    Route("GET", f"{PATH}/history", show_history, ShowHistory),
)
