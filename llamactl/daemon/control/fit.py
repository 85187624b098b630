"""Memory: what a model needs, what there is."""

from collections.abc import Callable, Iterable, Mapping

import anyio.to_thread

from llamactl.catalogue import Catalogue
from llamactl.core.devices import Device
from llamactl.core.errors import BadRequest, DoesNotFit, Problem
from llamactl.core.eviction import exceeds
from llamactl.core.facts import Facts
from llamactl.core.footprint import Parts, setup
from llamactl.core.instance import Alive
from llamactl.core.model import HOST, Setting
from llamactl.core.outlook import Outlook
from llamactl.core.parameters import parse
from llamactl.core.sample import Gpu
from llamactl.core.units import show_size
from llamactl.daemon.analysis import Analyst
from llamactl.daemon.budget import Budget
from llamactl.daemon.control.noun import Handlers
from llamactl.daemon.lending import Lending
from llamactl.llamaserver.fit_params import Advice
from llamactl.metrics import host
from llamactl.rpc import calls
from llamactl.supervisor import Supervisor


class FitCalls:
    """`models.fit` and `devices.…`"""

    def __init__(
        self,
        catalogue: Catalogue,
        supervisor: Supervisor,
        analyst: Analyst,
        budget: Budget,
        lending: Lending,
        gpus: Callable[[], Iterable[Gpu]] = tuple,
    ) -> None:
        """`gpus` are those whose drivers tell of them, as they are now."""
        self._catalogue = catalogue
        self._supervisor = supervisor
        self._analyst = analyst
        self._budget = budget
        self._lending = lending
        self._gpus = gpus
        self.handlers: Handlers = {calls.FitModel: self._fit_model, calls.ListDevices: self._list_devices}

    async def _fit_model(self, call: calls.FitModel) -> calls.FitReport:
        model = self._catalogue.resolve(call.name)
        instead: dict[str, Setting] = {}
        for name, value in (("ctx_size", call.ctx_size), ("n_parallel", call.parallel)):
            if value is not None:
                instead[name] = parse(name, value)
        if call.ctx_size == 0:
            raise BadRequest("a context of no tokens", "leave --ctx out for what it would be started with")
        reach = self._supervisor.outlook(model.name, {}).reach
        await self._lending.learn_all(self._lending.of(model))
        plan, advice = await self._analyst.analyse(model, instead, reach)
        facts = plan.subject.facts or Facts()
        view = self._supervisor.outlook(model.name, plan.need)
        resolved = setup(facts, plan.settings)
        return calls.FitReport(
            model=model.name,
            source=plan.source,
            context=resolved.context,
            slots=resolved.slots,
            trained=facts.context_length,
            devices=[
                calls.FitDevice(
                    name=device,
                    need=plan.need.get(device, 0),
                    projected=plan.projected.get(device, Parts()),
                    measured=plan.need.get(device, 0) if plan.measured else None,
                    free=max(0, view.free.get(device, 0)),
                    budget=view.budget.get(device, 0),
                )
                for device in dict.fromkeys((HOST, *plan.need, *plan.projected))
            ],
            added=plan.added,
            recommended=_settings(advice),
            evicts=view.evicts,
            problem=None if view.problem is None else _problem(model.name, plan.need, view, view.problem, advice),
        )

    async def _list_devices(self, _: calls.ListDevices) -> list[calls.DeviceRow]:
        await self._lending.learn_all(dict.fromkeys((*self._lending.named(), *self._budget.lent)))
        running = [one for one in self._supervisor.instances() if isinstance(one.phase, Alive)]
        budget = self._supervisor.outlook("", {}).budget

        def row(name: str, description: str, total: int, free: int) -> calls.DeviceRow:
            return calls.DeviceRow(
                name=name,
                description=description,
                total=total,
                free=free,
                budget=budget.get(name, 0),
                reserved=sum(one.need.get(name, 0) for one in running),
                models=tuple(one.model for one in running if one.need.get(name, 0)),
            )

        found = [row(HOST, "memory of this machine", host.total_memory(), host.available_memory())]
        free = {
            gpu.device: gpu.memory_total - gpu.memory_used
            for gpu in await anyio.to_thread.run_sync(self._gpus)
            if gpu.memory_total is not None and gpu.memory_used is not None
        }
        found += [
            row(gpu.name, gpu.description, gpu.total, free.get(gpu.name, gpu.free)) for gpu in self._budget.devices
        ]
        for address in dict.fromkeys((*self._lending.named(), *self._budget.lent)):
            trouble = self._lending.troubles.get(address, "")
            for device in self._budget.lent.get(address) or [Device(name=f"RPC0[{address}]")]:
                found.append(row(device.name, trouble or device.description, device.total, device.free))
        return found


def _settings(advice: Advice) -> dict[str, Setting]:
    found = {
        "ctx_size": advice.ctx_size,
        "gpu_layers": advice.gpu_layers,
        "tensor_split": advice.tensor_split,
        "override_tensor": advice.overrides,
    }
    return {name: value for name, value in found.items() if value is not None}


def _problem(name: str, need: Mapping[str, int], view: Outlook, why: DoesNotFit, advice: Advice) -> Problem:
    short = [device for device, size in need.items() if exceeds({device: size}, view.reach)]
    told = "; ".join(
        f"{show_size(need[device])} on {device}, where {show_size(max(0, view.free.get(device, 0)))} is free and "
        f"{show_size(max(0, view.reach.get(device, 0)))} can be had"
        for device in short
    )
    if not short:
        return DoesNotFit(f"{name} finds no place: {why.message}", why.hint).problem()
    smaller = f"llamactl models set {name} ctx_size={advice.ctx_size}" if advice.ctx_size else "choose a smaller model"
    return DoesNotFit(f"{name} needs {told}", smaller).problem()
