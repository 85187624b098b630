"""Bytes on one device, by what they are for; a footprint is such parts by device."""

from collections.abc import Iterable, Mapping

import msgspec


class Parts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bytes. `state` is that of recurrent layers, `output` what is kept of the last layer for sampling; `overhead`
    is everything that llama-server does not call a buffer: its code, its vocabulary, a driver's own memory.
    """

    weights: int = 0
    kv: int = 0
    state: int = 0
    compute: int = 0
    output: int = 0
    overhead: int = 0

    @property
    def total(self) -> int:
        return sum(msgspec.structs.astuple(self))

    def __add__(self, other: "Parts") -> "Parts":
        both = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)
        return Parts(**dict(zip(self.__struct_fields__, (one + two for one, two in both), strict=True)))


Footprint = Mapping[str, Parts]
"""By device."""


def together(footprints: Iterable[Footprint]) -> dict[str, Parts]:
    """All of them at once."""
    found: dict[str, Parts] = {}
    for footprint in footprints:
        for device, parts in footprint.items():
            found[device] = found.get(device, Parts()) + parts
    return found


def totals(footprint: Footprint) -> dict[str, int]:
    """Bytes per device."""
    return {device: parts.total for device, parts in footprint.items()}
