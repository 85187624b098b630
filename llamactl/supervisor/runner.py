"""One llama-server from wanted to not wanted, as one linear coroutine."""

from collections.abc import Callable

import anyio
from anyio import CancelScope, move_on_after
from msgspec.structs import replace

from llamactl.core.errors import LlamactlError, LoadFailed, UpstreamDied
from llamactl.core.exits import Kind
from llamactl.core.instance import Answered, Exit, Gone, Move, Spawned
from llamactl.core.model import Model
from llamactl.supervisor.server import Launcher, Server

SOONEST, LATEST, SHARE = 0.010, 0.250, 0.03
"""Seconds between two looks at `/health`: never more than 3 % of the time already waited, within bounds."""

PATIENCE = 2.0
"""Seconds for each step of putting a server down. An idle one leaves 7 ms after SIGTERM; one with a
stream in flight only after its ping interval, but at once after a second SIGTERM."""


async def live(
    model: Model,
    launch: Launcher,
    tell: Callable[[Move, Server | None], None],
    load_timeout: float,
    clock: Callable[[], float],
) -> None:
    """Launch, announce readiness, outlive; cancelled, put down. The last thing told is always `Gone`.

    `load_timeout` is seconds without a sign of progress. Cancelling this is how a server is stopped,
    whatever it was doing; spawning and putting down are never interrupted.
    """
    try:
        with CancelScope(shield=True):
            server = await launch(model)
    except (LlamactlError, OSError) as error:
        # What the system refuses today it may grant tomorrow, other than what was found wrong.
        kind: Kind = "refused" if isinstance(error, LlamactlError) else "other"
        refused = error if isinstance(error, LlamactlError) else LoadFailed(str(error))
        problem = _load_failed(model, refused.message, refused.hint).problem()
        tell(Gone(clock(), problem, Exit(refused.message, kind=kind)), None)
        return
    ready = stalled = False
    try:
        tell(Spawned(clock(), server.pid), server)
        ready, stalled = await _becomes_ready(server, load_timeout, clock)
        if ready:
            tell(Answered(clock()), server)
            await server.wait()
    finally:
        with CancelScope(shield=True):
            exit = await put_down(server, loses=ready)
            server.close()
            if ready:
                ended: LlamactlError = UpstreamDied(f"{model.name} ended: {exit.reason}")
            elif stalled:
                exit = replace(
                    exit, reason=f"no progress for {load_timeout:g} s, and it does not serve", kind="stalled"
                )
                ended = _load_failed(model, exit.reason)
            else:
                ended = _load_failed(model, exit.reason)
            tell(Gone(clock(), ended.problem(), exit), None)


def _load_failed(model: Model, reason: str, hint: str = "") -> LoadFailed:
    return LoadFailed(f"{model.name} could not be loaded: {reason}", hint or f"llamactl logs {model.name}")


async def _becomes_ready(server: Server, load_timeout: float, clock: Callable[[], float]) -> tuple[bool, bool]:
    """(it serves, it stalled); neither when it ended first."""
    ready = stalled = False

    async def ends() -> None:
        await server.wait()
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(ends)
        began = moved = clock()
        progress = server.progress()
        while not (ready := await server.healthy()):
            now = clock()
            if server.progress() != progress:
                progress, moved = server.progress(), now
            if stalled := now - moved >= load_timeout:
                break
            await anyio.sleep(min(LATEST, max(SOONEST, SHARE * (now - began))))
        group.cancel_scope.cancel()
    return ready, stalled


async def put_down(server: Server, *, loses: bool = True) -> Exit:
    """SIGTERM, SIGTERM, SIGKILL to all of it; returns how it ended. Must be shielded by the caller.

    One that has nothing to lose, since it has never served, is killed at once.
    """
    for signal in (server.terminate, server.terminate) if loses else ():
        signal()
        with move_on_after(PATIENCE):
            return await server.wait()
    server.kill()
    return await server.wait()
