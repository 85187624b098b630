"""`/api/models/{name}/start`, `stop`, `restart` and `analyze`: what runs, and what it would take."""

import asyncio
from typing import Annotated

import msgspec
from msgspec import Meta

from llamactl.core.errors import TimedOut
from llamactl.core.model import HOST, Setting
from llamactl.rpc.calls import (
    FitModel,
    FitReport,
    InstanceRow,
    ModelDetail,
    RestartModel,
    ShowModel,
    StartModel,
    StopModel,
)
from llamactl.web.api.models import ONE
from llamactl.web.api.monitoring import MEBIBYTE
from llamactl.web.api.route import Asked, Route
from llamactl.web.shapes import STATUS

Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Tokens = Annotated[int, Meta(ge=1, le=(1 << 31) - 1)]

_loading: set[asyncio.Task[InstanceRow]] = set()
"""Starts under way, whether or not somebody still waits for them."""


class InstanceEntry(InstanceRow, frozen=True, kw_only=True):
    """A model as something that runs or does not; `status` is `idle`, `loading`, `running` or `error`."""

    status: str


class Waiting(msgspec.Struct, forbid_unknown_fields=True):
    """Without `wait` the answer comes at once. `timeout`: wait so many seconds at most; the load goes on then."""

    wait: bool = True
    timeout: Annotated[float, Meta(gt=0, le=1e9)] | None = None


class Start(msgspec.Struct, forbid_unknown_fields=True):
    """`ttl`: seconds of idleness after which it is stopped, for this run instead of what is set; -1: never."""

    ttl: Annotated[float, Meta(ge=-1, le=1e9)] | None = None


class Stop(msgspec.Struct, forbid_unknown_fields=True):
    """Requests under way get `drain` seconds, or as many as are configured; none with `force`."""

    drain: Seconds | None = None
    force: bool = False


class FitQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Instead of what is set for it: the context in tokens for all slots together, and the number of slots."""

    ctx_size: Tokens | None = None
    parallel: Annotated[int, Meta(ge=1, le=4096)] | None = None


class FitParams(msgspec.Struct, kw_only=True):
    """What makes the most of the memory that there is, and what the file says; null is not known, or not needed.

    `*_mb` are MiB. `fit_params_success`: it fits as it is set, else `fit_params_error` says why not.
    """

    recommended_ctx_size: Setting | None
    recommended_gpu_layers: Setting | None
    recommended_tensor_split: Setting | None
    file_size_bytes: int
    quantization_type: str | None
    parameter_count: int | None
    architecture: str | None
    context_window: int | None
    projected_cpu_memory_mb: float
    projected_gpu_memory_mb: float
    fit_params_success: bool
    fit_params_error: str | None


class Analysis(msgspec.Struct, rename="camel"):
    """Of a model that cannot fit, `fit_params_error` says why; `report` has it device by device."""

    model: ModelDetail
    fit_params: FitParams
    report: FitReport


async def start_model(asked: Asked, query: Waiting, body: Start) -> InstanceEntry:
    """Load a model. One that is ready already is a success."""
    call = StartModel(asked.name, wait=query.wait, ttl=body.ttl)
    task = asyncio.ensure_future(asked(call))
    _loading.add(task)
    task.add_done_callback(_over)
    await asyncio.wait((task,), timeout=query.timeout)
    if not task.done():
        message = f"{asked.name} is not ready after {query.timeout:g} s; it goes on loading"
        raise TimedOut(message, "GET /api/models")
    return _entry(task.result())


async def stop_model(asked: Asked, body: Stop) -> InstanceEntry:
    """Stop a model. One that is stopped already is a success."""
    return _entry(await asked(StopModel(asked.name, 0.0 if body.force else body.drain)))


async def restart_model(asked: Asked, body: Stop) -> InstanceEntry:
    """Stop a model and load it again, with the settings that it has now; the answer comes when it is ready."""
    return _entry(await asked(RestartModel(asked.name, 0.0 if body.force else body.drain)))


async def show_fit(asked: Asked, query: FitQuery) -> Analysis:
    """What memory a model needs, whether it is there, and which settings would suit it."""
    return await _analysed(asked, query)


async def analyze_model(asked: Asked, body: FitQuery) -> Analysis:
    """The same, for clients that ask for it with a POST."""
    return await _analysed(asked, body)


async def _analysed(asked: Asked, wanted: FitQuery) -> Analysis:
    report = await asked(FitModel(asked.name, wanted.ctx_size, wanted.parallel))
    model = await asked(ShowModel(asked.name))
    projected = {device.name: device.projected.total for device in report.devices}
    host = projected.pop(HOST, 0)
    facts = model.facts
    found = FitParams(
        recommended_ctx_size=report.recommended.get("ctx_size"),
        recommended_gpu_layers=report.recommended.get("gpu_layers"),
        recommended_tensor_split=report.recommended.get("tensor_split"),
        file_size_bytes=model.size,
        quantization_type=facts.quantisation or None,
        parameter_count=facts.parameters,
        architecture=facts.architecture or None,
        context_window=facts.context_length,
        projected_cpu_memory_mb=host / MEBIBYTE,
        projected_gpu_memory_mb=sum(projected.values()) / MEBIBYTE,
        fit_params_success=report.problem is None,
        fit_params_error=None if report.problem is None else report.problem.message,
    )
    return Analysis(model, found, report)


def _over(task: asyncio.Task[InstanceRow]) -> None:
    _loading.discard(task)
    if not task.cancelled():
        task.exception()  # it has been looked at: nobody may be there to hear of it


def _entry(row: InstanceRow) -> InstanceEntry:
    return InstanceEntry(**msgspec.structs.asdict(row), status=STATUS.get(row.state, "idle"))


ROUTES = (
    Route("POST", f"{ONE}/start", start_model, StartModel),
    Route("POST", f"{ONE}/stop", stop_model, StopModel),
    Route("POST", f"{ONE}/restart", restart_model, RestartModel),
    Route("GET", f"{ONE}/analyze", show_fit, FitModel, ShowModel),
    Route("POST", f"{ONE}/analyze", analyze_model, FitModel, ShowModel),
)
