"""One llama-server from wanted to not wanted, as one linear coroutine."""

from collections.abc import Callable

import anyio
from anyio import CancelScope, move_on_after
from msgspec.structs import replace

from llamactl.core.errors import LlamactlError, LoadFailed, UpstreamDied, WorkerLost
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
    kept: Callable[[], bool] = lambda: False,
) -> None:
    """Launch, announce readiness, outlive; cancelled, put down. The last thing told is always `Gone`.

    `load_timeout` is seconds without a sign of progress. Cancelling this is how a server is stopped,
    whatever it was doing; spawning and putting down are never interrupted. Where it is `kept`, cancelling
    leaves it running.
    """
    try:
        with CancelScope(shield=True):
            server = await launch(model)
    except (LlamactlError, OSError) as error:
        # What the system refuses today it may grant tomorrow, other than what was found wrong.
        kind: Kind = "refused" if isinstance(error, LlamactlError) else "other"
        if isinstance(error, WorkerLost):
            kind = "worker_lost"
        refused = error if isinstance(error, LlamactlError) else LoadFailed(str(error))
        problem = _load_failed(model, refused.message, refused.hint).problem()
        tell(Gone(clock(), problem, Exit(refused.message, kind=kind)), None)
        return
    tell(Spawned(clock(), server.pid), server)
    await outlive(model, server, tell, load_timeout, clock, kept)


async def outlive(
    model: Model,
    server: Server,
    tell: Callable[[Move, Server | None], None],
    load_timeout: float,
    clock: Callable[[], float],
    kept: Callable[[], bool],
    *,
    ready: bool = False,
) -> None:
    """The life of a server that has been spawned, or is `ready` already."""
    stalled = False
    try:
        if not ready:
            ready, stalled = await becomes_ready(server, load_timeout, clock)
            if ready:
                tell(Answered(clock()), server)
        if ready:
            await server.wait()
    finally:
        if not kept():
            with CancelScope(shield=True):
                exit = await put_down(server, loses=ready)
                server.close()
                if ready:
                    ended: LlamactlError = UpstreamDied(f"{model.name} ended: {exit.reason}")
                elif stalled:
                    why = f"no progress for {load_timeout:g} s, and it does not serve"
                    exit = replace(exit, reason=why, kind="stalled")
                    ended = _load_failed(model, exit.reason)
                else:
                    ended = _load_failed(model, exit.reason)
                tell(Gone(clock(), ended.problem(), exit), None)


def _load_failed(model: Model, reason: str, hint: str = "") -> LoadFailed:
    return LoadFailed(f"{model.name} could not be loaded: {reason}", hint or f"llamactl logs {model.name}")


async def becomes_ready(server: Server, load_timeout: float, clock: Callable[[], float]) -> tuple[bool, bool]:
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
