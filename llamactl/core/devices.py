"""The devices beside the host's own memory: GPUs, and what other machines lend."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from llamactl.core.model import HOST
from llamactl.core.sample import Gpu

T = TypeVar("T")


class Device(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`name` is what llama-server calls it (`CUDA0`), `total` and `free` are bytes, when it was looked at."""

    name: str
    description: str = ""
    total: int = 0
    free: int = 0


def named(given: Mapping[str, T], devices: Iterable[Device]) -> dict[str, T]:
    """`given` under the names that devices have; people write them in any case. Unknown ones are kept as they are."""
    known = {name.casefold(): name for name in (HOST, *(device.name for device in devices))}
    return {known.get(name.casefold(), name): value for name, value in given.items()}


_VENDOR = {"cuda": "nvidia", "rocm": "amd", "hip": "amd"}
"""Of the devices of a backend; the others drive any."""

_NEARLY = 0.9
"""Of the memory that the driver tells of, a backend sees so much at least: it has set some aside."""


def matched(devices: Iterable[Device], gpus: Sequence[Gpu]) -> dict[str, int]:
    """Which GPU each of llama-server's devices is, as its place in `gpus`, by what the two are called and have.

    One GPU may be a device of several backends. Of those that are alike, the first is taken for the first, which need
    not be so where the environment puts CUDA's in another order.
    """
    found: dict[str, int] = {}
    taken: set[tuple[str, int]] = set()
    for device in devices:
        backend = device.name.casefold().rstrip("0123456789")
        likeness = {
            number: _likeness(device, gpu)
            for number, gpu in enumerate(gpus)
            if (backend, number) not in taken and _VENDOR.get(backend, gpu.vendor) == gpu.vendor
        }
        best = max(likeness, key=lambda number: likeness[number], default=None)
        if best is not None and likeness[best] > 0:
            found[device.name] = best
            taken.add((backend, best))
    return found


def _likeness(device: Device, gpu: Gpu) -> int:
    said, name = device.description.casefold(), gpu.name.casefold()
    if gpu.vendor not in said and not any(word in said for word in name.split()[:1]) and said:
        return 0
    sized = gpu.memory_total is not None and gpu.memory_total * _NEARLY <= device.total <= gpu.memory_total
    return 2 * (bool(said) and (name in said or said in name)) + sized
