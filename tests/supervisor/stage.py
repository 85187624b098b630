"""A supervisor that runs, its engine, and the clients who come to it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import nan
from typing import Any

import anyio
from anyio.abc import TaskGroup, TaskStatus

from llamactl.core.errors import LlamactlError
from llamactl.core.events import Event, InstanceChanged, Numbered
from llamactl.core.instance import Phase, state
from llamactl.core.model import HOST, Model
from llamactl.core.scheduler import Limits
from llamactl.hub import Hub
from llamactl.supervisor import Lease, Supervisor
from tests.supervisor.fakes import Engine, now

A, B, C = (Model(name=name, path=f"/models/{name}.gguf", size=4) for name in "abc")
MEMORY = 12
"""Units of memory, of which each model takes as many as its `size`."""


class Recorder(Hub):
    """Remembers what it was told. `on_state` are called, once, in the midst of a move to that state."""

    def __init__(self) -> None:
        super().__init__(now)
        self.told: list[Numbered] = []
        self.on_state: dict[str, Callable[[], object]] = {}

    def publish(self, event: Event) -> Numbered:
        self.told.append(super().publish(event))
        if isinstance(event, InstanceChanged):
            self.on_state.pop(state(event.phase), lambda: None)()
        return self.told[-1]


class Client:
    """Wants a lease, in a task of its own. `at`: when the answer came, which is `lease` or `error`."""

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self.error: LlamactlError | None = None
        self.at = nan
        self._scope = anyio.CancelScope()

    async def run(self, supervisor: Supervisor, model: Model) -> None:
        with self._scope:
            try:
                self.lease = await supervisor.lease(model)
            except LlamactlError as error:
                self.error = error
            self.at = now()

    def leave(self) -> None:
        """It waits no longer."""
        self._scope.cancel()

    def release(self) -> None:
        assert self.lease is not None, self.error
        self.lease.release()


class Stage:
    """`group` is for whatever goes on beside the test."""

    def __init__(self, supervisor: Supervisor, engine: Engine, hub: Recorder, group: TaskGroup) -> None:
        self.supervisor = supervisor
        self.engine = engine
        self.hub = hub
        self.group = group
        self.closed = anyio.Event()
        """The supervisor has ended."""
        self._scope = anyio.CancelScope()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        with self._scope:
            await self.supervisor.run(task_status=task_status)
        self.closed.set()

    async def begin(self) -> None:
        await self.group.start(self.run)

    def close(self) -> None:
        """Shut the supervisor down; `closed` says when that is done."""
        self._scope.cancel()

    def ask(self, model: Model) -> Client:
        client = Client()
        self.group.start_soon(client.run, self.supervisor, model)
        return client

    def phases(self, model: Model) -> list[Phase]:
        """Every phase that watchers were told of."""
        events = [numbered.event for numbered in self.hub.told]
        return [event.phase for event in events if isinstance(event, InstanceChanged) and event.model == model.name]

    def states(self, model: Model) -> list[str]:
        return [state(phase) for phase in self.phases(model)]

    def state(self, model: Model) -> str:
        return self.state_of(model.name)

    def state_of(self, name: str) -> str:
        return state(self.supervisor.instance(name).phase)


@asynccontextmanager
async def stage(
    engine: Engine | None = None,
    *,
    max_models: int = 0,
    max_wait: float = 10.0,
    queue_per_model: int = 64,
    budget: Callable[[list[int]], dict[str, int]] | None = None,
    begun: bool = True,
    keeps: bool = False,
    **options: Any,
) -> AsyncIterator[Stage]:
    """A stage; `options` are the supervisor's own. When the play is over nothing may be left running, unless it `keeps`
    what runs. If it has not `begun`, the play begins it."""
    engine = engine or Engine()
    hub = Recorder()
    limits = Limits(
        budget={HOST: MEMORY},
        max_models=max_models,
        max_wait=max_wait,
        queue_per_model=queue_per_model,
        queue_total=100,
    )
    supervisor = Supervisor(engine, hub, limits, lambda model: {HOST: model.size}, budget, clock=now, **options)
    async with anyio.create_task_group() as group:
        play = Stage(supervisor, engine, hub, group)
        if begun:
            await play.begin()
        yield play
        play.close()
        await play.closed.wait()
        group.cancel_scope.cancel()
    assert keeps or not engine.running
    assert all(server.closed for server in engine.servers if not server.running)
