"""What the dashboard calls things that llamactl knows. (pure)"""

from itertools import count
from typing import Any

from llamactl.core.sample import Sample
from llamactl.core.units import show_time
from llamactl.rpc.calls import ModelRow

STATUS = {
    "stopped": "idle",
    "starting": "loading",
    "loading": "loading",
    "backoff": "loading",
    "ready": "running",
    "stopping": "running",
    "failed": "error",
}

_numbers = count(1)


def model(row: ModelRow) -> dict[str, Any]:
    return {
        "id": row.name,
        "name": row.name,
        "type": row.architecture or "other",
        "status": STATUS.get(row.state, "idle"),
        "size": row.size,
    }


def loaded(row: ModelRow) -> dict[str, Any]:
    """As it comes from the database: with what it would be started with, as far as that is known."""
    return model(row) | {"parameters": {"model_path": row.path, "n_ctx": row.context_length}}


def entries(event: Any) -> list[dict[str, Any]]:
    """One for each of the `LogLines`."""
    at = show_time(event.time)
    return [entry(event.level, line, at, event.source) for line in event.lines]


def entry(level: str, message: str, at: str, source: str = "llamactl") -> dict[str, Any]:
    context = {"source": source}
    return {"id": f"line-{next(_numbers)}", "timestamp": at, "level": level, "message": message, "context": context}


def metrics(sample: Sample, models: int, requests: int) -> dict[str, Any]:
    """`SystemMetrics`. What is not known is left out; GPU memory is in MiB."""
    host, gpus = sample.host, sample.gpus
    used = host.memory_total - host.memory_available
    found: dict[str, Any] = {
        "cpuUsage": host.cpu,
        "memoryUsage": 100 * used / host.memory_total if host.memory_total else None,
        "diskUsage": host.disks[0].usage if host.disks else None,
        "activeModels": sample.active_models,
        "totalModels": models,
        "totalRequests": requests,
        "uptime": sample.uptime,
        "timestamp": show_time(sample.at / 1000),
    }
    if gpus:
        gpu = gpus[0]
        mib = 1 << 20
        memory = (gpu.memory_used, gpu.memory_total)
        found |= {
            "gpuName": gpu.name,
            "gpuUsage": gpu.usage,
            "gpuMemoryUsed": None if memory[0] is None else memory[0] / mib,
            "gpuMemoryTotal": None if memory[1] is None else memory[1] / mib,
            "gpuMemoryUsage": 100 * memory[0] / memory[1] if memory[0] is not None and memory[1] else None,
            "gpuPowerUsage": gpu.power,
            "gpuPowerLimit": gpu.power_limit,
            "gpuTemperature": gpu.temperature,
        }
    known = {name: value for name, value in found.items() if value is not None}
    return {name: round(value, 1) if isinstance(value, float) else value for name, value in known.items()}
