"""AMD's GPUs, as the amdgpu driver tells of them in sysfs, and what processes have of them in procfs.

Source: the kernel's Documentation/gpu/amdgpu/thermal.rst and drm-usage-stats.rst.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from llamactl.core.sample import Gpu

AMD = "0x1002"


class Amd:
    """May be called by several threads. `root` is what stands for `/`."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._cards = root / "sys/class/drm"
        self._processes = root / "proc"

    def measure(self, pids: Iterable[int]) -> list[Gpu]:
        """In the order of the PCI bus, with what these processes have of them."""
        devices = sorted({place.resolve() for place in self._devices()}, key=lambda place: place.name)
        memory = self._memory(pids) if devices else {}
        return [_one(device, memory.get(device.name, {})) for device in devices]

    def _devices(self) -> Iterator[Path]:
        for card in self._cards.glob("card[0-9]*"):  # connectors, like card0-DP-1, have no device of this kind
            if _text(card / "device" / "vendor") == AMD:
                yield card / "device"

    def _memory(self, pids: Iterable[int]) -> dict[str, dict[int, int]]:
        """By PCI address and pid. A client that is open twice counts once."""
        found: dict[str, dict[int, int]] = {}
        for pid in pids:
            clients: dict[tuple[str, str], int] = {}
            with suppress(OSError):
                for entry in os.scandir(self._processes / str(pid) / "fdinfo"):
                    told = dict(line.split(":", 1) for line in _text(Path(entry.path)).splitlines() if ":" in line)
                    if "drm-pdev" in told:
                        said = told.get("drm-memory-vram") or told.get("drm-resident-vram") or "0"
                        client = told["drm-pdev"].strip(), told.get("drm-client-id", "").strip()
                        clients[client] = _sized(said)
            for (address, _), size in clients.items():
                of = found.setdefault(address, {})
                of[pid] = of.get(pid, 0) + size
        return found


def _one(device: Path, processes: dict[int, int]) -> Gpu:
    sensors = next(iter(sorted(device.glob("hwmon/hwmon*"))), device)
    power = _number(sensors / "power1_average")
    return Gpu(
        id=device.name,
        name=_text(device / "product_name") or "AMD Radeon",
        vendor="amd",
        usage=_number(device / "gpu_busy_percent"),
        memory_total=_whole(device / "mem_info_vram_total"),
        memory_used=_whole(device / "mem_info_vram_used"),
        temperature=_number(sensors / "temp1_input", 1e-3),
        power=_number(sensors / "power1_input", 1e-6) if power is None else power * 1e-6,
        power_limit=_number(sensors / "power1_cap", 1e-6),
        clock=_number(sensors / "freq1_input", 1e-6),
        memory_clock=_number(sensors / "freq2_input", 1e-6),
        processes=processes,
    )


def _text(path: Path) -> str:
    with suppress(OSError):  # a GPU that sleeps, or has gone, answers with an error
        return path.read_text(errors="replace").strip()
    return ""


def _number(path: Path, factor: float = 1.0) -> float | None:
    with suppress(ValueError):
        return int(_text(path)) * factor
    return None


def _whole(path: Path) -> int | None:
    number = _number(path)
    return None if number is None else int(number)


def _sized(said: str) -> int:
    number, _, unit = said.strip().partition(" ")
    return int(number) * {"KiB": 1 << 10, "MiB": 1 << 20}.get(unit.strip(), 1) if number.isdigit() else 0
