"""What workers lend to models, and which model has which worker."""

from collections.abc import Callable, Collection

import anyio
from anyio.abc import TaskStatus

from llamactl.catalogue import Catalogue
from llamactl.core.errors import LlamactlError, Refused, WorkerLost
from llamactl.core.events import CatalogueChanged
from llamactl.core.model import Model
from llamactl.core.worker import addresses
from llamactl.daemon.budget import Budget
from llamactl.hub import Hub
from llamactl.llamaserver import workers
from llamactl.llamaserver.locate import Engine


class Lending:
    """`setting` is the setting `rpc` that counts for a model, `alive`: it has a llama-server, or is given one.

    A worker serves one llama-server at a time. A second one would wait for it without a word, so it is not started.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        budget: Budget,
        engine: Callable[[], Engine],
        setting: Callable[[Model], object],
        alive: Callable[[str], bool],
        changed: Callable[[], None],
    ) -> None:
        """`changed` is called when there is more to plan with, or less."""
        self._catalogue = catalogue
        self._budget = budget
        self._engine = engine
        self._setting = setting
        self._alive = alive
        self._changed = changed
        self._holders: dict[str, str] = {}
        self.troubles: dict[str, str] = {}

    def of(self, model: Model) -> tuple[str, ...]:
        """The addresses of the workers that it computes with; none if its settings cannot be understood."""
        try:
            return addresses(self._setting(model))
        except LlamactlError:
            return ()

    def named(self) -> dict[str, list[str]]:
        """The models that name a worker, by its address."""
        found: dict[str, list[str]] = {}
        for model in self._catalogue.models():
            for address in self.of(model):
                found.setdefault(address, []).append(model.name)
        return found

    async def take(self, model: Model) -> None:
        """Before it is started. Raises `WorkerLost`, or `Refused` when another model has one of its workers."""
        wanted = self.of(model)
        for address in wanted:
            if holder := self.holder(address, but=model.name):
                raise Refused(
                    f"{holder} computes with the worker {address}, which serves one llama-server at a time",
                    f"llamactl stop {holder}; a group with max = 1 has them take turns (residency.groups)",
                )
        self._holders |= dict.fromkeys(wanted, model.name)
        for address in wanted:
            await workers.reach(address)
            self.troubles.pop(address, None)

    async def learn(self, address: str) -> None:
        """Ask a worker what it lends, unless a model has it."""
        if self.holder(address):
            return
        try:
            await workers.reach(address)
            found = await workers.lent(self._engine(), address)
        except WorkerLost as error:
            self.troubles[address] = error.message
            if address not in self.named():
                self._budget.lends(address, ())
            return
        except LlamactlError as error:  # no llama-server
            self.troubles[address] = error.message
            return
        if not found:
            self.troubles[address] = f"the worker {address} does not say what it has; it may be in use"
            return
        self.troubles.pop(address, None)
        self._budget.lends(address, found)
        self._changed()

    async def learn_all(self, addresses: Collection[str]) -> None:
        async with anyio.create_task_group() as group:
            for address in addresses:
                group.start_soon(self.learn, address)

    async def run(self, hub: Hub, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Ask every worker that a model names, when it comes to be named."""
        with hub.watch() as watcher:
            task_status.started()
            for model in self._catalogue.models():
                if self._alive(model.name):  # adopted
                    self._holders |= dict.fromkeys(self.of(model), model.name)
            await self.learn_all(self.named())
            async for numbered in watcher:
                if isinstance(numbered.event, CatalogueChanged):
                    await self.learn_all([one for one in self.named() if one not in self._budget.lent])

    def holder(self, address: str, but: str = "") -> str:
        """The model that has it, or nothing."""
        holder = self._holders.get(address, "")
        return holder if holder and holder != but and self._alive(holder) else ""
