"""What a model's file does not say, its llama-server may: it is asked once, whenever one has become ready."""

import logging

import anyio
from anyio.abc import TaskStatus

from llamactl.catalogue import Catalogue
from llamactl.core.errors import NotRunning
from llamactl.core.events import InstanceChanged
from llamactl.core.instance import Ready
from llamactl.hub import Hub
from llamactl.llamaserver import api
from llamactl.store import StoreFailed
from llamactl.supervisor import Supervisor

log = logging.getLogger(__name__)


class Learning:
    """See the module."""

    def __init__(self, hub: Hub, supervisor: Supervisor, catalogue: Catalogue) -> None:
        self._hub = hub
        self._supervisor = supervisor
        self._catalogue = catalogue
        self._props: dict[str, api.Props] = {}

    def props(self, name: str) -> api.Props | None:
        """What a model that is ready said of itself, once it has."""
        return self._props.get(name)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled."""
        with self._hub.watch() as watcher:
            async with anyio.create_task_group() as group:
                task_status.started()
                for instance in self._supervisor.instances():  # those of an earlier daemon
                    if isinstance(instance.phase, Ready):
                        group.start_soon(self._ask, instance.model)
                async for numbered in watcher:
                    event = numbered.event
                    if isinstance(event, InstanceChanged):
                        self._props.pop(event.model, None)
                        if isinstance(event.phase, Ready):
                            group.start_soon(self._ask, event.model)

    async def _ask(self, name: str) -> None:
        endpoint = self._supervisor.endpoint(name)
        if not endpoint:
            return  # it is gone again
        try:
            self._props[name] = await api.props(endpoint)
            self._catalogue.learn(name, await api.told(endpoint))
        except NotRunning as error:
            log.info("%s said nothing of itself: %s", name, error.message)
        except StoreFailed as error:
            log.warning("what %s said of itself is not kept: %s", name, error.message)
