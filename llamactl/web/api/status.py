"""`/api/health` and `/api/status`: how the daemon is."""

import time
from collections.abc import Iterable
from contextlib import suppress

import msgspec

from llamactl.core.errors import NotRunning
from llamactl.core.sample import Sample, summary
from llamactl.core.units import show_time
from llamactl.rpc.calls import (
    DaemonStatus,
    Engine,
    EngineRow,
    InstanceRow,
    ListInstances,
    ServiceRow,
    ShowMetrics,
    Status,
)
from llamactl.web.api.route import Asked, Route
from llamactl.web.shapes import STATUS


class Proxy(msgspec.Struct):
    """The daemon; `uptime` in seconds."""

    status: str
    uptime: float
    version: str


class LlamaServer(msgspec.Struct):
    """`available`, or `missing`: no model can be loaded then."""

    status: str
    version: str
    models_loaded: int


class HealthServices(msgspec.Struct):
    proxy: Proxy
    llama_server: LlamaServer


class SystemUse(msgspec.Struct):
    """Percent; null before the first measurement."""

    cpu_usage: float | None
    memory_usage: float | None
    disk_usage: float | None


class Health(msgspec.Struct):
    status: str
    timestamp: str
    services: HealthServices
    system: SystemUse


class Application(msgspec.Struct):
    name: str
    version: str
    pid: int
    uptime: float
    start_time: str


class Server(msgspec.Struct):
    """The addresses of the front door, where files are, and the keys of the configuration that wait for a restart."""

    http: list[str]
    config: str
    data: str
    log: str
    restart_for: tuple[str, ...]


class ModelCounts(msgspec.Struct):
    """`registered` are all, whatever they do."""

    registered: int
    loaded: int
    loading: int
    failed: int


class Performance(msgspec.Struct):
    """Requests for models; null before the first measurement."""

    requests_active: int
    requests_waiting: int
    requests_per_minute: float | None


class StatusReport(msgspec.Struct):
    application: Application
    server: Server
    services: list[ServiceRow]
    engine: EngineRow
    models: ModelCounts
    performance: Performance
    last_event: int


async def show_health(asked: Asked) -> Health:
    """Is all of the daemon up? If not, the answer is 503, and says what is down."""
    status = await asked(Status())
    if down := [service for service in status.services if service.state != "up"]:
        told = ", ".join(f"{one.name} is {one.state}{f': {one.reason}' if one.reason else ''}" for one in down)
        raise NotRunning(f"the daemon is not healthy: {told}", "GET /api/status")
    instances = await asked(ListInstances(all=True))
    engine, sample = await asked(Engine()), await _sample(asked)
    known = None if sample is None else summary(sample)
    return Health(
        status="healthy",
        timestamp=show_time(time.time()),
        services=HealthServices(
            Proxy("up", status.uptime, status.version),
            LlamaServer("missing" if engine.problem else "available", engine.version, _count(instances, "running")),
        ),
        system=SystemUse(
            cpu_usage=known.cpu_usage if known else None,
            memory_usage=known.memory_usage if known else None,
            disk_usage=known.disk_usage if known else None,
        ),
    )


async def show_status(asked: Asked) -> StatusReport:
    """What the daemon is, what it consists of, and what it is doing."""
    status = await asked(Status())
    instances = await asked(ListInstances(all=True))
    engine, sample = await asked(Engine()), await _sample(asked)
    return StatusReport(
        application=_application(status),
        server=Server(status.http, status.config, status.data, status.log, status.restart_for),
        services=status.services,
        engine=engine,
        models=ModelCounts(
            status.models, _count(instances, "running"), _count(instances, "loading"), _count(instances, "error")
        ),
        performance=Performance(
            sum(row.leases for row in instances),
            sum(row.waiting for row in instances),
            sample.requests_per_minute if sample else None,
        ),
        last_event=status.last_event,
    )


def _application(status: DaemonStatus) -> Application:
    return Application("llamactl", status.version, status.pid, status.uptime, show_time(time.time() - status.uptime))


async def _sample(asked: Asked) -> Sample | None:
    with suppress(NotRunning):
        return await asked(ShowMetrics())
    return None


def _count(instances: Iterable[InstanceRow], status: str) -> int:
    return sum(STATUS.get(row.state, "idle") == status for row in instances)


ROUTES = (
    Route("GET", "/api/health", show_health, Status, ListInstances, Engine, ShowMetrics),
    Route("GET", "/api/status", show_status, Status, ListInstances, Engine, ShowMetrics),
)
