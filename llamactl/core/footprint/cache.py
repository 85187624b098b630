"""What llama-server keeps of what it has read: keys and values by layer, or the state of recurrent layers.

Source: llama.cpp's `llama_kv_cache`, `llama_kv_cache_iswa`, `llama_memory_recurrent`, `llama_hparams`.
"""

import msgspec

from llamactl.core.facts import Facts
from llamactl.core.footprint.setup import Setup, pad

# Numbers in a block of a type, and its bytes.
_F32, _F16, _Q8_0, _Q4_0, _Q4_1, _Q5_0, _Q5_1 = (1, 4), (1, 2), (32, 34), (32, 18), (32, 20), (32, 22), (32, 24)
TYPES = {"f32": _F32, "f16": _F16, "bf16": _F16, "q8_0": _Q8_0, "q4_0": _Q4_0, "q4_1": _Q4_1, "iq4_nl": _Q4_0}
TYPES |= {"q5_0": _Q5_0, "q5_1": _Q5_1}

_PERIODS = {
    **dict.fromkeys(("gemma2", "gpt-oss"), 2),
    **dict.fromkeys(("cohere2", "llama4", "olmo2", "exaone4", "exaone-moe", "afmoe"), 4),
    "gemma3n": 5,
    "gemma3": 6,
}
"""Each n-th layer has no window, of the architectures whose pattern is not in the file."""

_FIRST_FULL = {"smallthinker": 4}
"""The same where the full layer is the first of each n."""

_CHUNK = {"llama4": 8192}
"""The window of an architecture whose files do not name it."""

_INTERVALS = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4}
_BOTH = ("falcon-h1",)
"""Layers of attention with a recurrent state beside it."""


class Layer(msgspec.Struct, frozen=True):
    """`keys` and `values` are numbers per cell, `windowed` if it sees a window only; `state` is numbers per slot."""

    keys: int = 0
    values: int = 0
    windowed: bool = False
    state: int = 0


def layers(facts: Facts) -> list[Layer]:
    """What each layer keeps; those that only predict further tokens are left out."""
    count = max(0, (facts.layers or 0) - (facts.nextn_layers or 0))
    state = _state(facts)
    return [_layer(facts, number, count, state) for number in range(count)]


def cells(setup: Setup, facts: Facts, windowed: bool) -> int:
    """Of one stream, in a layer with a window or without."""
    if not windowed or setup.swa_full:
        return setup.cells
    window = facts.sliding_window or _CHUNK.get(facts.architecture, 0)
    return pad(min(setup.cells, window * (setup.slots if setup.unified else 1) + setup.ubatch))


def kv_bytes(layer: Layer, setup: Setup, facts: Facts) -> int:
    """Of all slots."""
    one = row(layer.keys, setup.key_type) + row(layer.values, setup.value_type)
    return one * cells(setup, facts, layer.windowed) * setup.streams


def state_bytes(layer: Layer, setup: Setup) -> int:
    """Of all slots."""
    return layer.state * 4 * setup.slots


def row(numbers: int, kind: str) -> int:
    """Bytes of so many numbers of a type; of one that is not known, as if it were f16."""
    block, size = TYPES.get(kind, _F16)
    return -(-numbers // block) * size


def _layer(facts: Facts, number: int, count: int, state: int) -> Layer:
    """`state` is what a recurrent layer keeps."""
    state = state if state and _is_recurrent(facts, number) else 0
    heads = at(facts.kv_heads, number)
    cached = number < count - (facts.shared_kv_layers or 0) and facts.causal
    if not heads or not cached or (state and facts.architecture not in _BOTH):
        return Layer(state=state)
    windowed = _is_windowed(facts, number)
    key, value = facts.key_length or 0, facts.value_length or 0
    if windowed:
        key, value = facts.key_length_swa or key, facts.value_length_swa or value
    if facts.kv_lora_rank and heads == 1:
        value = 0  # values are a part of the compressed keys
    return Layer(heads * key, heads * value, windowed, state)


def _is_windowed(facts: Facts, number: int) -> bool:
    if not facts.sliding_window and facts.architecture not in _CHUNK:
        return False
    if facts.sliding_pattern:
        return bool(at(facts.sliding_pattern, number))
    if facts.architecture in _FIRST_FULL:
        return number % _FIRST_FULL[facts.architecture] != 0
    period = _PERIODS.get(facts.architecture, 1)
    return number % period < period - 1


def _is_recurrent(facts: Facts, number: int) -> bool:
    interval = facts.full_attention_interval or _INTERVALS.get(facts.architecture)
    if interval:
        return (number + 1) % interval != 0
    if facts.architecture in _BOTH:
        return True
    if at(facts.kv_heads, number):
        return facts.wkv_head_size is not None
    return not (facts.architecture.startswith("nemotron_h") and at(facts.feed_forward, number))


def _state(facts: Facts) -> int:
    """Numbers that a recurrent layer keeps for one slot."""
    width = facts.embedding_length or 0
    if facts.wkv_head_size:
        return width * (facts.wkv_head_size + (facts.token_shift_count or 2))
    if facts.shortconv_cache:
        return width * (facts.shortconv_cache - 1)
    inner, size = facts.ssm_inner_size or 0, facts.ssm_state_size or 0
    convolved = max(0, (facts.ssm_conv_kernel or 0) - 1) * (inner + 2 * (facts.ssm_group_count or 0) * size)
    return convolved + inner * size


def at_layer(by_layer: tuple[int, ...], number: int) -> int:
    """The number of one layer; 0 of one that there is not."""
    return by_layer[number] if number < len(by_layer) else 0


def at(by_layer: tuple[int, ...], number: int) -> int:
    """The number of one layer, where there may be one for all."""
    if not by_layer:
        return 0
    return by_layer[number] if number < len(by_layer) and len(by_layer) > 1 else by_layer[0]
