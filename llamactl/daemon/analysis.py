"""What llama-fit-params says of models, kept; where it is not there, what arithmetic says."""

import logging
import time
from collections.abc import Mapping

import anyio
from anyio.abc import TaskStatus

from llamactl.catalogue import Catalogue
from llamactl.core.devices import Device
from llamactl.core.errors import LlamactlError
from llamactl.core.events import CatalogueChanged
from llamactl.core.facts import Facts
from llamactl.core.footprint import Footprint, setup
from llamactl.core.footprint.fitting import largest_context
from llamactl.core.footprint.placement import place, used
from llamactl.core.model import HOST, Model, Setting
from llamactl.daemon.launch import Launch
from llamactl.daemon.needs import Needs, Plan
from llamactl.hub import Hub
from llamactl.llamaserver import fit_params
from llamactl.llamaserver.fit_params import Advice
from llamactl.store import FitParams, Fits

log = logging.getLogger(__name__)


class Analyst:
    def __init__(self, launch: Launch, needs: Needs, catalogue: Catalogue, fits: Fits) -> None:
        self._launch = launch
        self.needs = needs
        self._catalogue = catalogue
        self._fits = fits

    async def run(self, hub: Hub, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Analyse what comes into the catalogue, one after the other, where llama-fit-params is there."""
        with hub.watch() as watcher:
            task_status.started()
            async for numbered in watcher:
                event = numbered.event
                if isinstance(event, CatalogueChanged):
                    for name in (*event.added, *event.changed):
                        await self._afterwards(name)

    async def _afterwards(self, name: str) -> None:
        try:
            model = self._catalogue.resolve(name)
            if fit_params.tool(self._launch.executable()) and not self.needs.plan(model).measured:
                await self.analyse(model, {}, {})
        except LlamactlError as error:  # it may be gone by now
            log.debug("%s was not analysed: %s", name, error.message)

    async def analyse(
        self, model: Model, instead: Mapping[str, Setting], reach: Mapping[str, int]
    ) -> tuple[Plan, Advice]:
        """How it would be loaded with other settings, and what is advised for it where so much memory can be had.

        What is said of the model as it is set is kept. Raises a `LlamactlError` when there is no llama-server.
        """
        engine = self._launch.executable()
        await self.needs.engine(engine)
        await self.needs.look(model)
        plan = self.needs.planned(model, instead)
        program = fit_params.tool(engine)
        found = await fit_params.analyse(program, model.path, plan.settings) if program else None
        if found and found.projected:
            self.needs.analysed(plan, found.projected)
            plan = self.needs.planned(model, instead)
        advice = found.advice if found and found.projected else _advice(plan, self.needs.devices(plan.settings), reach)
        if not instead:
            trouble = found.trouble if found else f"{fit_params.NAME} is not beside {engine.path}"
            self._keep(model, plan, advice, found.projected if found else {}, trouble, found.raw if found else None)
        return plan, advice

    def _keep(
        self, model: Model, plan: Plan, advice: Advice, projected: Footprint, trouble: str, raw: str | None
    ) -> None:
        facts, sizes = plan.subject.facts or Facts(), projected or plan.projected
        gpu = sum(parts.total for device, parts in sizes.items() if device != HOST)
        self._fits.put(
            model.name,
            FitParams(
                recommended_ctx_size=advice.ctx_size,
                recommended_gpu_layers=advice.gpu_layers,
                recommended_tensor_split=advice.tensor_split,
                file_size_bytes=model.size,
                quantization_type=facts.quantisation or None,
                parameter_count=facts.parameters,
                architecture=facts.architecture or None,
                context_window=facts.context_length,
                fit_params_analyzed_at=time.time_ns() // 1_000_000,
                fit_params_success=bool(projected),
                fit_params_error=trouble or None,
                fit_params_raw_output=raw,
                projected_cpu_memory_mb=sizes[HOST].total / (1 << 20) if HOST in sizes else 0.0,
                projected_gpu_memory_mb=gpu / (1 << 20),
            ),
        )


def _advice(plan: Plan, devices: list[Device], reach: Mapping[str, int]) -> Advice:
    """The largest context that fits, and how the layers are shared out then."""
    facts = plan.subject.facts
    if facts is None:
        return Advice()  # nothing is known of its context
    resolved = setup(facts, plan.settings)
    chosen = used(resolved, devices)
    places = place(facts.layers or 0, resolved, devices)
    layers = [places.count(device.name) for device in chosen]
    return Advice(
        ctx_size=largest_context(plan.subject, plan.settings, devices, reach),
        gpu_layers=sum(layers) if chosen else None,
        tensor_split=",".join(map(str, layers)) if len(layers) > 1 else None,
    )
