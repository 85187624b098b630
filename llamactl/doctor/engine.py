"""Is there a llama-server that runs, and does it compute where it could?"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import msgspec
from msgspec.structs import replace

from llamactl.core.errors import LlamactlError, Problem, TimedOut
from llamactl.core.finding import Finding, ok, problem, warning
from llamactl.core.model import HOST
from llamactl.doctor import gpus
from llamactl.doctor.case import Case
from llamactl.llamaserver import capabilities, devices, locate
from llamactl.rpc.calls import DeviceRow, Engine, EngineRow, ListDevices

LONGER = "llamactl doctor --timeout 15s"

_NO_GPU = ("llvmpipe", "software")
"""What draws in software is a device for Vulkan, too."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Of a llama-server: `problem` if it cannot be used. `devices` are the GPUs it finds; None: nobody could say."""

    path: str = ""
    version: str = ""
    origin: str = ""
    problem: Problem | None = None
    devices: tuple[str, ...] | None = None


def check(case: Case) -> Iterator[Finding]:
    until = time.monotonic() + case.left
    if case.stuck and not case.remote:
        yield warning("gpu-driver", "the driver of a GPU does not answer", "it hangs, or begins slowly", "nvidia-smi")
    found = _there(case, until) if case.status is not None else _here(case, until)
    if found.problem is not None:
        if found.problem.code == TimedOut.code:
            yield problem(
                "engine-silent",
                "llama-server gives no answer",
                f"{found.problem.message}: it hangs, or the driver of a GPU is slow to begin with",
                LONGER,
            )
        else:
            yield problem("engine-unusable", "no model can be run", found.problem.message, found.problem.hint)
        return
    sight = gpus.Sight(
        here=case.here,
        service=case.service,
        bus=() if case.remote or case.stuck else gpus.bus(case.root),
        backends=_backends(found.path),
        devices=found.devices,
        own_devices=_own_devices(case, found, until),
        edit=case.systemctl("edit"),
        restart=case.restart,
    )
    yield from gpus.decide(sight)
    yield ok("engine", _described(found, sight.backends))


def _described(found: Look, backends: tuple[str, ...]) -> str:
    origin = {"PATH": "on PATH", "configuration": "as configured"}.get(found.origin, f"of the {found.origin}")
    parts = [f"llama-server {found.version}, {origin}", f"built with {', '.join(backends)}" if backends else ""]
    return "; ".join(filter(None, (*parts, f"computes on {', '.join(found.devices)}" if found.devices else "no GPU")))


def _here(case: Case, until: float) -> Look:
    """What this process finds, and finds out by running it."""
    try:
        engine = locate.find(case.config.llama_server.path or "")
    except LlamactlError as error:
        return Look(problem=error.problem())
    return anyio.run(_examined, engine, until)


async def _examined(engine: locate.Engine, until: float) -> Look:
    look = Look(path=engine.path, origin=engine.origin)

    async def list_devices() -> None:
        nonlocal look
        found = await _devices(engine)  # apart: `look` is another one after that
        look = replace(look, devices=found)

    async def examine() -> None:
        nonlocal look
        try:
            able = await capabilities.examine(engine)
            look = replace(look, version=able.version)
        except LlamactlError as error:
            look = replace(look, problem=error.problem())

    limit = max(0.0, until - time.monotonic())
    with anyio.move_on_after(limit):
        async with anyio.create_task_group() as group:
            group.start_soon(examine)
            group.start_soon(list_devices)
    if not look.version and look.problem is None:
        look = replace(look, problem=TimedOut(f"{engine.path} has said nothing to --help for {limit:.2g} s").problem())
    return look


async def _devices(engine: locate.Engine) -> tuple[str, ...]:
    return tuple(device.name for device in await devices.look(engine) if _is_gpu(device.description))


def _own_devices(case: Case, found: Look, until: float) -> tuple[str, ...] | None:
    """What that of the daemon, where it finds no GPU, finds when it is run from here; None if that cannot be said."""
    if case.status is None or case.remote or found.devices != ():
        return None
    try:
        engine = locate.find(case.config.llama_server.path or "")
    except LlamactlError:
        return None

    async def ask() -> tuple[str, ...] | None:
        with anyio.move_on_after(max(0.0, until - time.monotonic())):
            return await _devices(engine)
        return None

    return anyio.run(ask) if engine.path == found.path else None


def _there(case: Case, until: float) -> Look:
    """What the daemon finds."""
    try:
        with case.connect(until - time.monotonic()) as client:
            row: EngineRow = client.call(Engine())
    except LlamactlError as error:
        return Look(problem=error.problem())
    found: tuple[str, ...] | None = None
    with suppress(LlamactlError), case.connect(max(0.01, until - time.monotonic())) as client:
        rows: list[DeviceRow] = client.call(ListDevices())
        gpus = [row for row in rows if row.name != HOST and not row.name.startswith("RPC")]
        found = tuple(row.name for row in gpus if _is_gpu(row.description))
    return Look(path=row.path, version=row.version, origin=row.origin, problem=row.problem, devices=found)


def _is_gpu(description: str) -> bool:
    return not any(word in description.casefold() for word in _NO_GPU)


def _backends(path: str) -> tuple[str, ...]:
    """Those with a library of their own beside it; none where they are built in, or it is elsewhere."""
    try:
        directory = Path(os.path.realpath(path)).parent
        names = {file.name for place in (directory, directory.parent / "lib") for file in place.glob("libggml-*.so")}
    except OSError:
        return ()
    found = {name.removeprefix("libggml-").removesuffix(".so").partition("-")[0] for name in names} if path else set()
    return tuple(sorted(found - {"base", "rpc"}))
