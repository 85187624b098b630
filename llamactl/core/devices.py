"""The devices beside the host's own memory: GPUs, and what other machines lend."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from llamactl.core.model import HOST

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
