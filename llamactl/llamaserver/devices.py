"""The GPUs that a llama-server finds."""

import re

from llamactl.core.devices import Device
from llamactl.llamaserver import capabilities
from llamactl.llamaserver.locate import Engine

_DEVICE = re.compile(
    r"^ +(?P<name>[^\s:][^:]*(?::\d+\])?): (?P<description>.*) \((?P<total>\d+) MiB, (?P<free>\d+) MiB free\)$", re.M
)


PATIENCE = 5.0
"""Seconds. It takes 15 ms without a GPU; with several, CUDA needs a while for each."""


async def look(engine: Engine, rpc: str = "") -> list[Device]:
    """In its order, with what is free at this moment; none where it cannot say. Those of a worker too, if one is given.

    A worker that another llama-server uses does not answer.
    """
    words = ["--rpc", rpc, "--list-devices"] if rpc else ["--list-devices"]
    text, _ = await capabilities.answer(engine, *words, patience=PATIENCE)
    return devices_in(text)


def devices_in(text: str) -> list[Device]:
    """`  CUDA0: NVIDIA GeForce RTX 4090 (24080 MiB, 23650 MiB free)`, one a line."""
    return [
        Device(
            name=match["name"],
            description=match["description"],
            total=int(match["total"]) << 20,
            free=int(match["free"]) << 20,
        )
        for match in _DEVICE.finditer(text)
    ]
