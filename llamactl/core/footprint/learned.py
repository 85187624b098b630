"""What is made of measurements (pure)."""

import math
from collections.abc import Mapping, Sequence

import msgspec

from llamactl.core.model import HOST
from llamactl.core.parts import Footprint, Parts, totals

SHARE = 0.95
"""Of the measured, so many per cent took no more than what is reckoned with."""

GROWTH = 1.25
"""What llama-server grows by beyond what it set aside is cache that it would do without; no more of it is counted."""

CORRECTION = 1.25
"""What died of memory is taken to need so much more."""


def need(samples: Sequence[Footprint]) -> dict[str, int]:
    """Bytes per device that are enough for most of them; there must be one."""
    found = [totals(sample) for sample in samples]
    rank = math.ceil(SHARE * len(found)) - 1
    devices = dict.fromkeys(device for sample in found for device in sample)
    return {device: sorted(sample.get(device, 0) for sample in found)[rank] for device in devices}


def taken(buffers: Footprint, projected: Footprint, seen: Mapping[str, int]) -> dict[str, Parts]:
    """What a llama-server took: its buffers, and beside them what was seen of it there, or else is to be expected.

    `buffers` are by its own word; where it said nothing, the projected ones stand for them. `seen` is bytes per device.
    """
    found: dict[str, Parts] = {}
    for device in dict.fromkeys((*(buffers or projected), HOST)):
        expected = projected.get(device, Parts()).overhead
        own = (buffers or projected).get(device, Parts())
        own = msgspec.structs.replace(own, overhead=0)
        beside = min(seen.get(device, 0) - own.total, int((own.total + expected) * GROWTH) - own.total)
        found[device] = msgspec.structs.replace(own, overhead=max(expected, beside))
    return found


def corrected(known: Mapping[str, int], device: str, asked: int | None) -> dict[str, Parts]:
    """After a death for lack of memory on `device`, which asked for so many bytes in one piece."""
    found = {name: Parts(overhead=size) for name, size in known.items()}
    found[device] = Parts(overhead=max(int(known.get(device, 0) * CORRECTION), asked or 0))
    return found
