"""Models that nobody asked for at this moment: those to preload, the one to go back to, and all that are kept warm."""

import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress

import anyio
from anyio.abc import TaskStatus

from llamactl.catalogue import Catalogue
from llamactl.config.sections import Models
from llamactl.core.errors import LlamactlError, NotFound
from llamactl.core.events import InstanceChanged
from llamactl.core.instance import Ready
from llamactl.hub import Hub
from llamactl.supervisor import Supervisor

log = logging.getLogger(__name__)

REST = 60.0
"""Seconds for which the others must have been idle, if they are still loaded, before the standby model comes."""
PATIENCE = 60.0
"""Seconds that a first token may take."""
LOOK = 30.0
"""Seconds after which it is looked again whether they are, though nobody has given anything back."""


class Keeping:
    """`warm` asks the llama-server at an endpoint for one token: the first takes it longer than those after it.

    It may take so many seconds, and tells whether there was one; a model that makes no text has none.
    `known` are models of before this process executed itself anew: that is no reason to load them again, they may
    have been stopped.
    """

    def __init__(
        self,
        models: Models,
        hub: Hub,
        catalogue: Catalogue,
        supervisor: Supervisor,
        warm: Callable[[str, float], Awaitable[bool]],
        known: Collection[str] = (),
    ) -> None:
        self._preload = models.preload
        self._standby = models.standby
        self._hub = hub
        self._catalogue = catalogue
        self._supervisor = supervisor
        self._warm = warm
        self._known = known

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled."""
        async with anyio.create_task_group() as group:
            await group.start(self._keep_warm)
            task_status.started()
            for name in self._preload:
                if not self._was_there(name):
                    await self._load(name)
            if self._standby:
                await self._stand_by(self._standby)

    def _was_there(self, name: str) -> bool:
        with suppress(NotFound):
            return self._catalogue.resolve(name).name in self._known
        return False

    async def _load(self, name: str) -> None:
        try:
            await self._supervisor.start(self._catalogue.resolve(name))
        except LlamactlError as error:
            log.warning("%s is not loaded: %s", name, error.message)

    async def _stand_by(self, name: str) -> None:
        loaded = self._was_there(name)
        with self._hub.watch() as watcher:
            while True:
                if not loaded:
                    await self._others_rest(name)
                    await self._load(name)
                loaded = False
                async for numbered in watcher:  # whoever stops it by name is not contradicted
                    event = numbered.event
                    if isinstance(event, InstanceChanged) and isinstance(event.phase, Ready) and event.model != name:
                        break

    async def _others_rest(self, name: str) -> None:
        while (rested := self._supervisor.rested(name)) < REST:
            with anyio.move_on_after(REST - rested if rested else LOOK):
                await self._supervisor.given_back()

    async def _keep_warm(self, *, task_status: TaskStatus[None]) -> None:
        preloaded = set(self._preload)
        with self._hub.watch() as watcher:
            task_status.started()
            async with anyio.create_task_group() as group:
                async for numbered in watcher:
                    event = numbered.event
                    if not isinstance(event, InstanceChanged) or not isinstance(event.phase, Ready):
                        continue
                    if event.model in preloaded or self._supervisor.instance(event.model).pinned:
                        group.start_soon(self._warm_up, event.model)

    async def _warm_up(self, name: str) -> None:
        lease = self._supervisor.try_lease(name)
        if lease is None:
            return
        try:
            with anyio.CancelScope() as scope:
                lease.on_revoked = scope.cancel
                await self._warm(lease.endpoint, PATIENCE)
        finally:
            lease.release_unused()
