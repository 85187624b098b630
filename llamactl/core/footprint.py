"""How much memory a model will take, per device."""

from llamactl.core.model import HOST, Model

OVERHEAD = 64 << 20
"""Bytes a llama-server takes beside its weights; one with a 0.5 MB model was measured at 32 MB."""


def estimate(model: Model) -> dict[str, int]:
    """Bytes per device: the weights, a tenth of them for the KV cache and compute buffers, the overhead.

    Coarse on purpose and on the safe side for contexts up to a few thousand tokens; it holds until a
    start of the model has been measured.
    """
    return {HOST: model.size + model.size // 10 + OVERHEAD}
