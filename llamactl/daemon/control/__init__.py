"""What each call does: one class for each noun of the contract, and `Control`, which answers for all of them."""

import os
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from llamactl import __version__
from llamactl.catalogue import Catalogue
from llamactl.core.errors import LlamactlError
from llamactl.daemon.control.config import ConfigCalls
from llamactl.daemon.control.instances import InstanceCalls
from llamactl.daemon.control.models import ModelCalls
from llamactl.daemon.control.noun import Handlers, Noun
from llamactl.daemon.control.portable import PortableCalls
from llamactl.daemon.control.presets import PresetCalls
from llamactl.daemon.control.starter import StarterCalls
from llamactl.daemon.control.templates import TemplateCalls
from llamactl.daemon.control.units import UnitCalls
from llamactl.daemon.control.why import WhyCalls
from llamactl.daemon.discovery import Discovery
from llamactl.daemon.launch import Launch
from llamactl.daemon.reload import Current
from llamactl.daemon.services import Services
from llamactl.hub import Hub
from llamactl.llamaserver.api import Props
from llamactl.metrics import unit
from llamactl.rpc import calls
from llamactl.rpc.calls import Call
from llamactl.store import Ended, Presets, ServerSettings
from llamactl.supervisor import Supervisor


class Control:
    """Answers calls; `answer` raises `LlamactlError`s for the edge to translate.

    `http` are URLs, `exits` gives those of a model, `props` and `rate` are as in `instances`, `nouns` answer what is
    not about models.
    The daemon `began` then, on the monotonic clock; None: now.
    """

    def __init__(
        self,
        config: Current,
        hub: Hub,
        catalogue: Catalogue,
        supervisor: Supervisor,
        launch: Launch,
        discovery: Discovery,
        http: list[str],
        presets: Presets,
        defaults: ServerSettings,
        exits: Callable[[str], list[Ended]],
        props: Callable[[str], Props | None],
        rate: Callable[[str], float | None],
        nouns: Iterable[Noun],
        began: float | None = None,
    ) -> None:
        self._config = config
        self._hub = hub
        self._catalogue = catalogue
        self._supervisor = supervisor
        self._launch = launch
        self._http = http
        self._unit = unit.find(os.environ, os.getpid())
        self.began = time.monotonic() if began is None else began
        self.services: Services  # set by `wiring`: they are started with this, and shown by it
        self.reexec: Callable[[bool], Awaitable[None]]  # set by `main`; does it keep the models?
        instances = InstanceCalls(config, catalogue, supervisor, launch, props, rate)
        models = ModelCalls(catalogue, supervisor, launch, discovery)
        self.handlers: Handlers = {
            calls.Status: self._status,
            calls.Shutdown: self._shutdown,
            calls.Reexec: self._reexec,
            calls.Reload: self._reload,
            calls.Engine: self._engine,
            **ConfigCalls(config).handlers,
            **UnitCalls().handlers,
            **models.handlers,
            **StarterCalls(lambda: config().directories.models, models.add).handlers,
            **PortableCalls(catalogue, launch, presets).handlers,
            **PresetCalls(catalogue, launch, presets, defaults, models.row).handlers,
            **TemplateCalls(config, catalogue, launch, models.row).handlers,
            **instances.handlers,
            **WhyCalls(catalogue, supervisor, exits, instances.outdated).handlers,
        }
        for noun in nouns:
            self.handlers |= noun.handlers

    async def answer(self, call: Call[Any]) -> object:
        return await self.handlers[type(call)](call)

    async def _status(self, _: calls.Status) -> calls.DaemonStatus:
        directories = self._config().directories
        return calls.DaemonStatus(
            version=__version__,
            pid=os.getpid(),
            uptime=time.monotonic() - self.began,
            http=self._http,
            config=str(directories.config_file),
            data=str(directories.data),
            log=str(directories.log),
            models=len(self._catalogue.models()),
            services=self.services.rows(),
            last_event=self._hub.last,
            restart_for=self._config.pending,
            unit=self._unit.name,
            user_unit=self._unit.user,
        )

    async def _shutdown(self, call: calls.Shutdown) -> None:
        self._supervisor.keeps = call.keep_models
        self.services.stop()

    async def _reexec(self, call: calls.Reexec) -> None:
        await self.reexec(call.keep_models)

    async def _reload(self, _: calls.Reload) -> calls.Reloaded:
        changes = await self._config.reload()
        return calls.Reloaded(changed=changes.live, restart_for=self._config.pending)

    async def _engine(self, _: calls.Engine) -> calls.EngineRow:
        try:
            engine, capabilities = await self._launch.engine()
        except LlamactlError as error:
            return calls.EngineRow(problem=error.problem())
        return calls.EngineRow(path=engine.path, version=capabilities.version, origin=engine.origin)
