"""What computing takes: room for the largest set of values that a graph of llama.cpp needs at once.

llama.cpp lays out its graphs for one full batch at a full context. The formulae below are measured, not derived: on
build b10434 they hold within 5 MiB for widths from 512 to 2048 with `--ubatch-size` 128 to 2048, and err upwards for
layers whose inner size is less than three times their width.
"""

from llamactl.core.facts import Facts
from llamactl.core.footprint.cache import Layer, cells
from llamactl.core.footprint.setup import Setup

_FLOAT = 4


def compute_bytes(facts: Facts, layers: list[Layer], setup: Setup) -> int:
    """On each device that has a layer."""
    masks, scores = _attention(facts, layers, setup)
    width = facts.embedding_length or 0
    heads, kv_heads = max(facts.heads, default=0), max(facts.kv_heads, default=0)
    queries, keys = heads * (facts.key_length or 0), kv_heads * (facts.key_length or 0)
    attention = 3 * width + 2 * queries + 2 * keys
    largest = max(_feed_forward(facts, width), attention, _recurrent(facts)) * setup.ubatch * _FLOAT
    if scores:
        largest = max(largest, attention * setup.ubatch * _FLOAT + scores)
    states = max((layer.state for layer in layers), default=0) * setup.slots * _FLOAT
    logits = setup.outputs * (facts.vocabulary or 0) * _FLOAT + 2 * width * setup.ubatch * _FLOAT
    return max(largest + masks, logits) + states


def input_bytes(facts: Facts, layers: list[Layer], setup: Setup) -> int:
    """On the host while the layers are elsewhere: what is handed over to them."""
    masks, _ = _attention(facts, layers, setup)
    return (facts.embedding_length or 0) * setup.ubatch * _FLOAT + masks


def output_bytes(facts: Facts, setup: Setup) -> int:
    """What is kept for sampling; with embeddings, of the slots only all the same."""
    return min(setup.outputs, setup.slots) * (facts.vocabulary or 0) * _FLOAT


def _attention(facts: Facts, layers: list[Layer], setup: Setup) -> tuple[int, int]:
    """Of the masks, one for each kind of cache, and of all scores, which flash attention never keeps."""
    kinds = {layer.windowed for layer in layers if layer.keys}
    pairs = {kind: cells(setup, facts, kind) * setup.ubatch for kind in kinds}
    mask = 2 if setup.flash else _FLOAT
    scores = 0 if setup.flash else max(pairs.values(), default=0) * max(facts.heads, default=0) * _FLOAT
    return sum(pairs.values()) * mask, scores


def _feed_forward(facts: Facts, width: int) -> int:
    """Numbers per token."""
    inner = max(facts.feed_forward, default=0)
    dense = 3 * inner + 4 * width
    if not facts.experts:
        return dense
    used = facts.experts_used or 1
    inner = facts.expert_feed_forward or inner
    return max(3 * used * inner + 4 * width, 2 * used * width + 2 * width)


def _recurrent(facts: Facts) -> int:
    inner, state = facts.ssm_inner_size or 0, facts.ssm_state_size or 0
    return 13 * inner // 2 + 4 * state * max(1, facts.ssm_group_count or 0) if inner else 0
