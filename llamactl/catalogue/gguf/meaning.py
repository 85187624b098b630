"""What values and tensors mean. Source of the keys: llama.cpp's `llama-arch.cpp` and, of projectors, `clip-impl.h`.

A value of another type than llama.cpp takes, or out of all reason, is as good as none.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from llamactl.catalogue.gguf.header import Array, Tensor, Value
from llamactl.catalogue.gguf.types import GUESSED, POOLINGS, QUANTISATIONS, TENSOR_TYPES
from llamactl.core.facts import Facts

_NUMBERS = {
    "context_length": "context_length",
    "embedding_length": "embedding_length",
    "layers": "block_count",
    "key_length": "attention.key_length",
    "value_length": "attention.value_length",
    "key_length_swa": "attention.key_length_swa",
    "value_length_swa": "attention.value_length_swa",
    "kv_lora_rank": "attention.kv_lora_rank",
    "rope_dimensions": "rope.dimension_count",
    "shared_kv_layers": "attention.shared_kv_layers",
    "sliding_window": "attention.sliding_window",
    "full_attention_interval": "full_attention_interval",
    "nextn_layers": "nextn_predict_layers",
    "experts": "expert_count",
    "experts_used": "expert_used_count",
    "expert_feed_forward": "expert_feed_forward_length",
    "ssm_conv_kernel": "ssm.conv_kernel",
    "ssm_inner_size": "ssm.inner_size",
    "ssm_state_size": "ssm.state_size",
    "ssm_group_count": "ssm.group_count",
    "ssm_time_step_rank": "ssm.time_step_rank",
    "wkv_head_size": "wkv.head_size",
    "token_shift_count": "token_shift_count",
    "shortconv_cache": "shortconv.l_cache",
}
"""Facts that are one number, and the keys they stand under after the architecture."""

_MOST = 1 << 32
"""llama.cpp keeps each of these numbers in 32 bits."""

_MOST_LAYERS = 4096
_LAYER = re.compile(rb"(?:^|\.)blk\.(\d{1,4})\.")
_EXPERTS = re.compile(rb"_(?:ch)?exps(?:\.|$)")
_EMBEDDINGS = (b"token_embd", b"token_types", b"position_embd", b"per_layer_token_embd")


def facts(values: Mapping[bytes, Value], tensors: Sequence[Tensor]) -> Facts:
    """`tensors` are those of all files of the model, `values` those of the first."""
    architecture = _text(values.get(b"general.architecture"))
    projector = architecture == "clip"
    modalities = _modalities(values) if projector else ("text",)
    under = ("clip.vision." if "image" in modalities else "clip.audio.") if projector else f"{architecture}."

    def of(key: str) -> Value | None:
        return values.get((under + key).encode())

    numbers = {fact: number for fact, key in _NUMBERS.items() if (number := _number(of(key))) is not None}
    heads = _list(of("attention.head_count"))
    if heads and heads[0] and "embedding_length" in numbers:
        numbers.setdefault("key_length", numbers["embedding_length"] // heads[0])
        numbers.setdefault("value_length", numbers["embedding_length"] // heads[0])
    layer_bytes, expert_bytes, input_bytes, output_bytes = _bytes(tensors)
    return Facts(
        architecture=architecture,
        kind="mmproj" if projector else _text(values.get(b"general.type")) or "model",
        title=_text(values.get(b"general.name")),
        parameters=_parameters(tensors),
        size_label=_text(values.get(b"general.size_label")),
        quantisation=_quantisation(values.get(b"general.file_type"), tensors),
        licence=_text(values.get(b"general.license")),
        vocabulary=_vocabulary(values.get(b"tokenizer.ggml.tokens"), of("vocab_size")),
        feed_forward=_list(of("feed_forward_length")),
        heads=heads,
        kv_heads=_list(of("attention.head_count_kv")) or heads,
        sliding_pattern=_pattern(of("attention.sliding_window_pattern"), numbers.get("layers", 0)),
        causal=of("attention.causal") is not False,
        pooling=_pooling(_number(of("pooling_type"))),
        chat_template=isinstance(template := values.get(b"tokenizer.chat_template"), bytes) and template != b"",
        modalities=modalities,
        layer_bytes=layer_bytes,
        expert_bytes=expert_bytes,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        tied_output=any(one.name == b"token_embd.weight" for one in tensors)
        and not any(one.name == b"output.weight" for one in tensors),
        **numbers,
    )


def _text(value: Value | None) -> str:
    """One line that can be shown: no byte of a file moves a terminal's cursor."""
    if not isinstance(value, bytes):
        return ""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in value.decode("utf-8", "replace"))


def _number(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST:
        return value
    return None


def _list(value: Value | None) -> tuple[int, ...]:
    """Of a number or of numbers by layer; empty if one of them is none."""
    items = value.items if isinstance(value, Array) else (value,)
    found = tuple(number for item in items[: _MOST_LAYERS + 1] if (number := _number(item)) is not None)
    return found if len(found) == len(items) else ()


def _pattern(value: Value | None, layers: int) -> tuple[bool, ...]:
    """By layer, from the file's flags, or from a number n: each n-th layer is a full one."""
    if isinstance(value, Array):
        return tuple(bool(item) for item in value.items) if len(value.items) <= _MOST_LAYERS else ()
    period = _number(value)
    return tuple(layer % period < period - 1 for layer in range(layers)) if period and layers <= _MOST_LAYERS else ()


def _pooling(number: int | None) -> str:
    return "" if number is None else POOLINGS.get(number, "")


def _vocabulary(tokens: Value | None, size: Value | None) -> int | None:
    return tokens.length if isinstance(tokens, Array) else _number(size)


def _modalities(values: Mapping[bytes, Value]) -> tuple[str, ...]:
    """What a projector takes; those from before there were two kinds take images."""
    image, audio = (values.get(key) for key in (b"clip.has_vision_encoder", b"clip.has_audio_encoder"))
    has = {"image": image is True or (image is None and audio is not True), "audio": audio is True}
    return tuple(name for name, true in has.items() if true)


def _parameters(tensors: Sequence[Tensor]) -> int | None:
    elements = sum(one.elements for one in tensors)
    return elements if tensors and elements < 1 << 63 else None


def _quantisation(file_type: Value | None, tensors: Sequence[Tensor]) -> str:
    """As the file calls it, or after the type of most weights."""
    number = _number(file_type)
    if number is not None and (name := QUANTISATIONS.get(number & ~GUESSED)):
        return name
    elements: Counter[int] = Counter()
    for one in tensors:
        elements[one.type] += one.elements
    packing = TENSOR_TYPES.get(elements.most_common(1)[0][0]) if elements else None
    return packing.name if packing else ""


def _bytes(tensors: Sequence[Tensor]) -> tuple[tuple[int, ...], tuple[int, ...], int, int]:
    """Of each layer, of the experts in each, of the embeddings, of the rest."""
    layers: Counter[int] = Counter()
    experts: Counter[int] = Counter()
    embeddings = rest = 0
    for one in tensors:
        layer = _LAYER.search(one.name)
        if layer is not None and (number := int(layer[1])) < _MOST_LAYERS:
            layers[number] += one.size
            if _EXPERTS.search(one.name):
                experts[number] += one.size
        elif one.name.startswith(_EMBEDDINGS):
            embeddings += one.size
        else:
            rest += one.size
    by_layer = range(max(layers, default=-1) + 1)
    of_experts = tuple(experts[number] for number in by_layer) if experts else ()
    return tuple(layers[number] for number in by_layer), of_experts, embeddings, rest
