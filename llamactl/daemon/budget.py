"""What memory all models together may take."""

from collections.abc import Callable, Mapping, Sequence

from llamactl.config.sections import Residency
from llamactl.core.devices import Device, named
from llamactl.core.model import HOST
from llamactl.core.worker import addresses
from llamactl.metrics import host


class Budget:
    """Bytes per device: as configured, else what is free and what ours have taken of it, less the margin.

    Calling it with the pids of our llama-servers is what the supervisor wants. `last` is what it said last. `lent` is
    what workers have, by address. `gpus` tells, by device, what is free of it and what these processes hold; of a
    device that it does not tell of, what was free at the first look counts.
    """

    def __init__(
        self,
        residency: Callable[[], Residency],
        available: Callable[[], int] = host.available_memory,
        gpus: Callable[[list[int]], Mapping[str, int]] = lambda pids: {},
    ) -> None:
        self._residency = residency
        self._available = available
        self._gpus = gpus
        self.devices: Sequence[Device] = ()
        self.lent: dict[str, Sequence[Device]] = {}
        self.last = self([])

    def found(self, devices: Sequence[Device]) -> None:
        """The GPUs that llama-server finds. What was free of one at the first look counts, before ours took of it."""
        before = {(device.name, device.total): device for device in self.devices}
        self.devices = [before.get((device.name, device.total), device) for device in devices]
        self.last = {**self([]), HOST: self.last[HOST]}

    def lends(self, address: str, devices: Sequence[Device]) -> None:
        """What a worker has, while it serves nobody; nothing once it is gone."""
        self.lent[address] = devices
        if not devices:
            del self.lent[address]
        self.last = {**self([]), HOST: self.last[HOST]}

    def of(self, rpc: object) -> list[Device]:
        """What a model is shared among that has this setting `rpc`, in llama-server's order."""
        return [device for address in addresses(rpc) for device in self.lent.get(address, ())] + list(self.devices)

    def __call__(self, pids: list[int]) -> dict[str, int]:
        residency = self._residency()
        margin = residency.margin
        devices = [*self.devices, *(device for lent in self.lent.values() for device in lent)]
        configured: dict[str, int] = dict(named(residency.devices, devices))
        memory: int | None = residency.memory or configured.get(HOST)
        if memory is None:
            memory = self._available() + sum(map(host.private_memory, pids)) - margin
        measured = self._gpus(pids) if self.devices else {}
        free = {device.name: max(0, measured.get(device.name, device.free) - margin) for device in devices}
        self.last = {**free, **configured, HOST: memory}
        return self.last
