"""Which layer goes to which device.

Source: llama.cpp's `llama_model::load_tensors`: the last `--gpu-layers`, of which the output layer is one, are shared
out in order, in proportion to `--tensor-split` or to what is free. The embeddings of tokens stay with the host.
"""

from collections.abc import Sequence
from itertools import accumulate

from llamactl.core.devices import Device
from llamactl.core.footprint.setup import Setup
from llamactl.core.model import HOST


def used(setup: Setup, devices: Sequence[Device]) -> list[Device]:
    """The devices that a model is shared among; none where it stays with the host."""
    if setup.devices is not None:
        wanted = [name.casefold() for name in setup.devices]
        devices = sorted(
            (device for device in devices if device.name.casefold() in wanted),
            key=lambda device: wanted.index(device.name.casefold()),
        )
    if setup.split_mode == "none" and devices:
        devices = devices[setup.main_gpu : setup.main_gpu + 1] or devices[:1]
    return [] if setup.gpu_layers == 0 else list(devices)


def place(layers: int, setup: Setup, devices: Sequence[Device]) -> list[str]:
    """The device of each layer; the last item is that of the output layer."""
    every = layers + 1
    chosen = used(setup, devices)
    if not chosen:
        return [HOST] * every
    away = every if setup.gpu_layers is None else min(setup.gpu_layers, every)
    ends = shares(setup, chosen)
    return [HOST] * (every - away) + [
        chosen[next((number for number, end in enumerate(ends) if layer / away < end), len(chosen) - 1)].name
        for layer in range(away)
    ]


def shares(setup: Setup, devices: Sequence[Device]) -> list[float]:
    """Up to which part of the layers each device has them, the last 1."""
    weights = list(setup.tensor_split[: len(devices)])
    weights += [0.0] * (len(devices) - len(weights))
    if not any(weights):
        weights = [float(device.free or device.total or 1) for device in devices]
    whole = sum(weights)
    return [end / whole for end in accumulate(weights)]
