"""All GPUs of the machine, under the names that llama-server has for them."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from llamactl.core.devices import Device, matched
from llamactl.core.sample import Gpu
from llamactl.metrics.amd import Amd
from llamactl.metrics.gpu import Nvml


class Gpus:
    """May be called by several threads. `devices` are those that llama-server finds; `root` is what stands for `/`."""

    def __init__(
        self, devices: Callable[[], Sequence[Device]], clock: Callable[[], float], root: Path = Path("/")
    ) -> None:
        self._devices = devices
        self._nvml = Nvml(clock)
        self._amd = Amd(root)

    def measure(self, pids: Iterable[int]) -> tuple[Gpu, ...]:
        """As they are now; of processes, these at least."""
        gpus = [*self._nvml.measure(), *self._amd.measure(pids)]
        names: dict[int, str] = {}
        for device, number in matched(self._devices(), gpus).items():
            names.setdefault(number, device)
        return tuple(msgspec.structs.replace(gpu, device=names.get(number, "")) for number, gpu in enumerate(gpus))

    def budgets(self, pids: Sequence[int]) -> dict[str, int]:
        """Bytes that these llama-servers have or may have of each device, by what is free of it and what they hold.

        Left out are those of which this cannot be told: of memory that is in use nobody says by whom, as in a container
        with a process namespace of its own.
        """
        gpus = [*self._nvml.measure(only_memory=True), *self._amd.measure(pids)]
        found: dict[str, int] = {}
        for device, number in matched(self._devices(), gpus).items():
            gpu = gpus[number]
            if gpu.memory_total is None or gpu.memory_used is None or gpu.processes is None:
                continue
            ours = by_session(gpu.processes)
            if not pids or any(pid in ours for pid in pids):
                held = sum(ours.get(pid, 0) for pid in pids)
                found[device] = gpu.memory_total - gpu.memory_used + held
        return found

    def held(self, pid: int) -> dict[str, int]:
        """Bytes that a llama-server has of each device; what it does not use is left out."""
        gpus = [*self._nvml.measure(only_memory=True), *self._amd.measure([pid])]
        found = {}
        for device, number in matched(self._devices(), gpus).items():
            if size := by_session(gpus[number].processes or {}).get(pid):
                found[device] = size
        return found

    def close(self) -> None:
        self._nvml.close()


def by_session(processes: Mapping[int, int]) -> dict[int, int]:
    """Bytes by the leader of the session: a llama-server leads one, and may be started by a script of its own."""
    found: dict[int, int] = {}
    for pid, memory in processes.items():
        with suppress(OSError):  # it has ended since, or is of another namespace
            session = os.getsid(pid)
            found[session] = found.get(session, 0) + memory
    return found
