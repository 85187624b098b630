"""`/metrics` for Prometheus, and `/api/monitoring`: what was measured, as the dashboard asks for it.

Memory is MiB there, disks are bytes, usages percent; what is not known is null.
"""

from typing import TypeVar

import msgspec
from aiohttp import web

from llamactl.core.errors import BadRequest
from llamactl.core.sample import Gpu, Sample, share, summary
from llamactl.core.series import Range
from llamactl.core.units import parse_duration, show_time
from llamactl.rpc.calls import Ask, Call, ExportMetrics, History, ShowHistory, ShowMetrics
from llamactl.web.caller import caller_of, demand
from llamactl.web.shape import shaped, success

A = TypeVar("A")

PATH = "/api/monitoring"
MEBIBYTE = 1 << 20
LONGEST = 30 * 24.0
"""Hours."""
WANTED = {
    "cpu": "cpu_usage",
    "memory": "memory_usage",
    "disk": "disk_usage",
    "gpu": "gpu_usage",
    "gpuTemperature": "gpu_temperature",
    "power": "gpu_power_usage",
    "requests": "requests_per_minute",
    "tokensPerSecond": "tokens_per_second",
}
"""The names here, and those of the series."""


def add(app: web.Application, ask: Ask) -> None:
    async def asked(request: web.Request, call: Call[A]) -> A:
        demand(caller_of(request), call)
        answer: A = await ask(call)
        return answer

    async def prometheus(request: web.Request) -> web.Response:
        text = await asked(request, ExportMetrics())
        return web.Response(body=text.encode(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def now(request: web.Request) -> web.Response:
        return success(_overview(await asked(request, ShowMetrics())))

    async def latest(request: web.Request) -> web.Response:
        return success(msgspec.to_builtins(summary(await asked(request, ShowMetrics()))))

    async def history(request: web.Request) -> web.Response:
        hours, resolution = _query(request)
        call = ShowHistory(hours * 3600, step=resolution, kind="host", metrics=tuple(WANTED.values()))
        return success(_shown(await asked(request, call)))

    app.router.add_get("/metrics", prometheus)
    app.router.add_get(PATH, shaped(now))
    app.router.add_get(f"{PATH}/latest", shaped(latest))
    app.router.add_get(f"{PATH}/history", shaped(history))


def _query(request: web.Request) -> tuple[float, float]:
    hint = f"{PATH}/history?hours=24&resolution=5m"
    if unknown := request.query.keys() - {"hours", "resolution"}:
        raise BadRequest(f"unknown parameter {sorted(unknown)[0]!r}", hint)
    try:
        hours = float(request.query.get("hours", "24"))
    except ValueError:
        hours = 0.0
    if not 0 < hours <= LONGEST:
        raise BadRequest(f"hours: a number up to {LONGEST:g}, not {request.query['hours']!r}", hint)
    resolution = parse_duration(request.query.get("resolution", "5m"))
    if resolution <= 0:
        raise BadRequest("resolution: more than 0 seconds", hint)
    return hours, resolution


def _overview(sample: Sample) -> dict[str, object]:
    host = sample.host
    used = host.memory_total - host.memory_available
    disks = [
        {"path": d.path, "used": d.used, "total": d.total, "free": d.free, "usagePercent": d.usage} for d in host.disks
    ]
    return {
        "timestamp": _time(sample.at / 1000),
        "cpu": {"usage": host.cpu, "cores": len(host.cores) or None, "perCore": host.cores, "loadAverage": host.load},
        "memory": _memory(used, host.memory_total),
        "swap": _memory(host.swap_used, host.swap_total),
        "disk": disks[0] if disks else None,
        "disks": disks,
        "network": {"rx": host.received, "tx": host.sent},
        "gpu": [_gpu(number, gpu) for number, gpu in enumerate(sample.gpus)],
        "models": {
            "active": sample.active_models,
            "memoryUsage": sum(one.memory or 0 for one in sample.models) / MEBIBYTE,
            "items": msgspec.to_builtins(sample.models),
        },
        "requests": {
            "perMinute": sample.requests_per_minute,
            "active": sum(one.processing or 0 for one in sample.models),
            "waiting": sum(one.deferred or 0 for one in sample.models),
        },
        "uptime": sample.uptime,
    }


def _memory(used: float, total: float) -> dict[str, float | None]:
    return {
        "used": used / MEBIBYTE,
        "total": total / MEBIBYTE,
        "free": (total - used) / MEBIBYTE,
        "usagePercent": share(used, total),
    }


def _gpu(number: int, gpu: Gpu) -> dict[str, object]:
    known = gpu.memory_used is not None and gpu.memory_total is not None
    return {
        "id": number,
        "uuid": gpu.id,
        "name": gpu.name,
        "device": gpu.device or None,
        "memory": _memory(gpu.memory_used or 0, gpu.memory_total or 0) if known else None,
        "utilization": gpu.usage,
        "temperature": gpu.temperature,
        "power": gpu.power,
        "powerLimit": gpu.power_limit,
    }


def _shown(found: History) -> dict[str, object]:
    points = [point for series in found.series for point in series.points]

    def all_of(name: str) -> Range | None:
        total: Range | None = None
        for point in points:
            if (value := point.values.get(name)) is not None:
                total = value if total is None else total.joined(value)
        return total

    cpu, memory = all_of("cpu_usage"), all_of("memory_usage")
    return {
        "period": {"start": _time(found.start), "end": _time(found.end), "resolution": found.step or found.interval},
        "metrics": [
            {
                "timestamp": _time(point.at),
                **{name: value.mean if (value := point.values.get(of)) else None for name, of in WANTED.items()},
            }
            for point in points
        ],
        "summary": {
            "avgCpu": cpu and cpu.mean,
            "maxCpu": cpu and cpu.max,
            "avgMemory": memory and memory.mean,
            "maxMemory": memory and memory.max,
        },
    }


def _time(seconds: float) -> str:
    return show_time(seconds)
