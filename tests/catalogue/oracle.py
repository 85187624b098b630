"""What the `gguf` package, which reads all of a file into objects, makes of it."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import gguf

from llamactl.core.facts import Facts

T = TypeVar("T")

EMBEDDINGS = {
    gguf.TENSOR_NAMES[gguf.MODEL_TENSOR[name]]
    for name in ("TOKEN_EMBD", "TOKEN_EMBD_NORM", "TOKEN_TYPES", "POS_EMBD", "PER_LAYER_TOKEN_EMBD")
}


def told(path: Path) -> Facts:
    """The facts of a sound file with one architecture, by another way than ours."""
    reader = gguf.GGUFReader(path)
    values = {name: field.contents() for name, field in reader.fields.items()}
    arch = values["general.architecture"]
    prefix = arch
    modalities: tuple[str, ...] = ("text",)
    if arch == "clip":
        modalities = tuple(
            name
            for name, key in (("image", "clip.has_vision_encoder"), ("audio", "clip.has_audio_encoder"))
            if values.get(key)
        )
        prefix = "clip.vision" if "image" in modalities else "clip.audio"

    def of(key: str, kind: Callable[[object], T], default: T) -> T:
        full = key.format(arch=prefix)
        return kind(values[full]) if full in values else default

    def several(key: str) -> tuple[int, ...]:
        found = values.get(key.format(arch=prefix), ())
        return tuple(found) if isinstance(found, list | tuple) else (found,)

    def one(key: str) -> int | None:
        found = values.get(key.format(arch=prefix))
        assert found is None or isinstance(found, int)
        return found

    llm, attention, ssm = gguf.Keys.LLM, gguf.Keys.Attention, gguf.Keys.SSM
    heads = several(attention.HEAD_COUNT)
    width = one(llm.EMBEDDING_LENGTH)
    head = width // heads[0] if width and heads and heads[0] else None
    layers: Counter[int] = Counter()
    experts: Counter[int] = Counter()
    embeddings = rest = 0
    types: Counter[str] = Counter()
    for tensor in reader.tensors:
        types[tensor.tensor_type.name] += int(tensor.n_elements)
        block = re.search(r"(?:^|\.)blk\.(\d+)\.", tensor.name)
        if block:
            layers[int(block[1])] += int(tensor.n_bytes)
            experts[int(block[1])] += int(tensor.n_bytes) if "exps" in tensor.name else 0
        elif tensor.name.removesuffix(".weight").removesuffix(".bias") in EMBEDDINGS:
            embeddings += int(tensor.n_bytes)
        else:
            rest += int(tensor.n_bytes)
    names = {tensor.name for tensor in reader.tensors}
    by_layer = range(max(layers, default=-1) + 1)
    pattern = values.get(attention.SLIDING_WINDOW_PATTERN.format(arch=prefix), ())
    if isinstance(pattern, int):
        pattern = [(layer + 1) % pattern != 0 for layer in range(one(llm.BLOCK_COUNT) or 0)]
    file_type = values.get("general.file_type")
    pooling = one(llm.POOLING_TYPE)
    return Facts(
        architecture=arch,
        kind="mmproj" if arch == "clip" else of("general.type", str, "model"),
        title=of("general.name", str, ""),
        parameters=sum(int(tensor.n_elements) for tensor in reader.tensors) if reader.tensors else None,
        size_label=of("general.size_label", str, ""),
        licence=of("general.license", str, ""),
        quantisation=(
            gguf.LlamaFileType(file_type).name.removeprefix("MOSTLY_").removeprefix("ALL_").removesuffix("_MOE")
            if file_type is not None
            else types.most_common(1)[0][0]
        ),
        context_length=one(llm.CONTEXT_LENGTH),
        vocabulary=len(values["tokenizer.ggml.tokens"]) if "tokenizer.ggml.tokens" in values else one(llm.VOCAB_SIZE),
        embedding_length=width,
        layers=one(llm.BLOCK_COUNT),
        nextn_layers=one(llm.NEXTN_PREDICT_LAYERS),
        feed_forward=several(llm.FEED_FORWARD_LENGTH),
        heads=heads,
        kv_heads=several(attention.HEAD_COUNT_KV) or heads,
        key_length=one(attention.KEY_LENGTH) or head,
        value_length=one(attention.VALUE_LENGTH) or head,
        key_length_swa=one(attention.KEY_LENGTH_SWA),
        value_length_swa=one(attention.VALUE_LENGTH_SWA),
        kv_lora_rank=one(attention.KV_LORA_RANK),
        rope_dimensions=one(gguf.Keys.Rope.DIMENSION_COUNT),
        shared_kv_layers=one(attention.SHARED_KV_LAYERS),
        sliding_window=one(attention.SLIDING_WINDOW),
        sliding_pattern=tuple(pattern),
        full_attention_interval=one(llm.FULL_ATTENTION_INTERVAL),
        experts=one(llm.EXPERT_COUNT),
        experts_used=one(llm.EXPERT_USED_COUNT),
        expert_feed_forward=one(llm.EXPERT_FEED_FORWARD_LENGTH),
        ssm_conv_kernel=one(ssm.CONV_KERNEL),
        ssm_inner_size=one(ssm.INNER_SIZE),
        ssm_state_size=one(ssm.STATE_SIZE),
        ssm_group_count=one(ssm.GROUP_COUNT),
        ssm_time_step_rank=one(ssm.TIME_STEP_RANK),
        wkv_head_size=one(gguf.Keys.WKV.HEAD_SIZE),
        token_shift_count=one(llm.TOKEN_SHIFT_COUNT),
        shortconv_cache=one(gguf.Keys.ShortConv.L_CACHE),
        causal=of(attention.CAUSAL, bool, True),
        pooling=gguf.PoolingType(pooling).name.lower() if pooling is not None else "",
        chat_template=of("tokenizer.chat_template", bool, False),
        modalities=modalities,
        layer_bytes=tuple(layers[layer] for layer in by_layer),
        expert_bytes=tuple(experts[layer] for layer in by_layer) if any(experts.values()) else (),
        input_bytes=embeddings,
        output_bytes=rest,
        tied_output="token_embd.weight" in names and "output.weight" not in names,
    )
