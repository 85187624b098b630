"""Is there a llama-server that runs, and does it compute where it could?"""

import os
from collections.abc import Iterator
from pathlib import Path

import anyio
import msgspec

from llamactl.core.errors import LlamactlError, Problem, TimedOut
from llamactl.core.finding import Finding, ok, problem
from llamactl.core.model import HOST
from llamactl.doctor import gpus
from llamactl.doctor.case import Case
from llamactl.llamaserver import capabilities, devices, locate
from llamactl.rpc.calls import Engine, EngineRow, ListDevices

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
    here = None if case.remote else _here(case)
    found = _there(case) if case.status is not None else here
    assert found is not None
    if found.problem is not None:
        code = "engine-silent" if found.problem.code == TimedOut.code else "engine-unusable"
        yield problem(code, "no model can be run", found.problem.message, found.problem.hint)
    backends = _backends(found.path)
    same = here is not None and here.path == found.path
    sight = gpus.Sight(
        here=case.here,
        service=case.service,
        bus=() if case.remote else gpus.bus(case.root),
        backends=backends,
        devices=found.devices,
        own_devices=here.devices if here is not None and same else None,
    )
    if found.problem is None:
        yield from gpus.decide(sight)
        built = f"with {', '.join(backends)}; " if backends else ""
        listed = ", ".join(found.devices or ()) or "no GPU"
        yield ok("engine", f"llama-server {found.version} ({found.origin}) {built}{listed}")


def _here(case: Case) -> Look:
    """What this process finds and finds out by running it."""
    try:
        engine = locate.find(case.config.llama_server.path or "")
    except LlamactlError as error:
        return Look(problem=error.problem())
    return anyio.run(_examined, engine, 0.9 * case.limit)


async def _examined(engine: locate.Engine, limit: float) -> Look:
    found: list[str] | None = None
    version, trouble = "", None

    async def list_devices() -> None:
        nonlocal found
        found = [device.name for device in await devices.look(engine) if _is_gpu(device.description)]

    async def examine() -> None:
        nonlocal version, trouble
        try:
            version = (await capabilities.examine(engine)).version
        except LlamactlError as error:
            trouble = error.problem()

    with anyio.move_on_after(limit) as waiting:
        async with anyio.create_task_group() as group:
            group.start_soon(examine)
            group.start_soon(list_devices)
    if not version and trouble is None and waiting.cancelled_caught:
        said = f"{engine.path} gives no answer to --help within {limit:.2g} s"
        trouble = TimedOut(said, "llamactl doctor --timeout 15s: a driver may be slow to begin with").problem()
    listed = None if found is None else tuple(found)
    return Look(path=engine.path, version=version, origin=engine.origin, problem=trouble, devices=listed)


def _there(case: Case) -> Look:
    """What the daemon finds."""
    try:
        with case.connect(0.9 * case.limit) as client:
            row: EngineRow = client.call(Engine())
    except LlamactlError as error:
        return Look(problem=error.problem())
    try:
        with case.connect(case.limit / 2) as client:
            rows = client.call(ListDevices())
            found = tuple(row.name for row in rows if row.name != HOST and not row.name.startswith("RPC"))
    except LlamactlError:
        return Look(path=row.path, version=row.version, origin=row.origin, problem=row.problem)
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
