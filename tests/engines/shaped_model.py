"""Models of a given shape, all weights zero: they load in a real llama-server and answer nonsense.

For what depends on shapes alone: memory. A file of 100 MB is written in 0.1 s.
"""

from pathlib import Path
from typing import Any

import gguf
import numpy as np

SPECIAL = ["<unk>", "<s>", "</s>"]


class Shape:
    """Dimensions of a model; `per_layer` heads may be given as lists."""

    def __init__(self, architecture: str = "llama", **dimensions: Any) -> None:
        self.architecture = architecture
        given: dict[str, Any] = {
            "context": 4096,
            "layers": 4,
            "width": 512,
            "inner": 1536,
            "heads": 8,
            "kv_heads": 4,
            "head": 64,
            "vocabulary": 8192,
            "tied": False,
            "experts": 0,
            "experts_used": 0,
            "window": 0,
            "kind": gguf.GGMLQuantizationType.F16,
            "state": 16,
            "values": {},
        }
        assert not dimensions.keys() - given.keys(), dimensions
        self.__dict__.update(given | dimensions)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def write_shaped_model(path: Path, shape: Shape) -> Path:
    """Write it to `path` and return that."""
    writer = gguf.GGUFWriter(path, shape.architecture)
    _values(writer, shape)
    _vocabulary(writer, shape.vocabulary)
    for name, dimensions, plain in _tensors(shape):
        kind = gguf.GGMLQuantizationType.F32 if plain else shape.kind
        block, size = gguf.GGML_QUANT_SIZES[kind]
        bytes_shape = (*dimensions[:-1], dimensions[-1] // block * size)
        writer.add_tensor(name, np.zeros(bytes_shape, dtype=np.uint8), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _values(writer: gguf.GGUFWriter, shape: Shape) -> None:
    arch = shape.architecture
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    if arch not in ("mamba", "mamba2"):
        writer.add_key_length(shape.head)
        writer.add_value_length(shape.head)
    if shape.experts:
        writer.add_expert_count(shape.experts)
        writer.add_expert_used_count(shape.experts_used)
        writer.add_expert_feed_forward_length(shape.inner)
    if shape.window:
        writer.add_sliding_window(shape.window)
    if arch in ("mamba", "mamba2", "jamba", "granitehybrid"):
        writer.add_ssm_conv_kernel(4)
        writer.add_ssm_inner_size(2 * shape.width)
        writer.add_ssm_state_size(shape.state)
        writer.add_ssm_time_step_rank(8 if arch in ("mamba2", "granitehybrid") else shape.width // 16)
        if arch in ("mamba2", "granitehybrid"):
            writer.add_ssm_group_count(1)
    for name, value in shape.values.items():
        writer.add_key_value(f"{arch}.{name}", *value)


def _vocabulary(writer: gguf.GGUFWriter, tokens: int) -> None:
    writer.add_tokenizer_model("llama")
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    words = [f"w{number}" for number in range(tokens - len(SPECIAL) - 256)]
    writer.add_token_list([*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *words])
    writer.add_token_scores([0.0] * tokens)
    writer.add_token_types([*kinds, *[gguf.TokenType.BYTE] * 256, *[gguf.TokenType.NORMAL] * len(words)])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def _tensors(shape: Shape) -> list[tuple[str, tuple[int, ...], bool]]:
    """Name, dimensions (rows first), and whether it is kept in full precision."""
    width = shape.width
    found = [("token_embd.weight", (shape.vocabulary, width), False), ("output_norm.weight", (width,), True)]
    if not shape.tied:
        found.append(("output.weight", (shape.vocabulary, width), False))
    for layer in range(shape.layers):
        for name, dimensions, plain in _layer(shape, layer):
            found.append((f"blk.{layer}.{name}", dimensions, plain))
    return found


def _layer(shape: Shape, layer: int) -> list[tuple[str, tuple[int, ...], bool]]:
    arch, width, inner = shape.architecture, shape.width, shape.inner
    kv_heads = shape.kv_heads[layer] if isinstance(shape.kv_heads, list) else shape.kv_heads
    parts: list[tuple[str, tuple[int, ...], bool]] = [("attn_norm.weight", (width,), True)]
    if arch in ("mamba", "mamba2", "jamba", "granitehybrid") and not kv_heads:
        parts += _recurrent(shape)
    else:
        parts += [
            ("attn_q.weight", (shape.heads * shape.head, width), False),
            ("attn_k.weight", (kv_heads * shape.head, width), False),
            ("attn_v.weight", (kv_heads * shape.head, width), False),
            ("attn_output.weight", (width, shape.heads * shape.head), False),
        ]
    if arch in ("mamba", "mamba2"):
        return parts
    if arch == "qwen2":
        parts += [
            ("attn_q.bias", (shape.heads * shape.head,), True),
            ("attn_k.bias", (kv_heads * shape.head,), True),
            ("attn_v.bias", (kv_heads * shape.head,), True),
        ]
    if arch in ("qwen3", "qwen3moe", "gemma3"):
        parts += [("attn_q_norm.weight", (shape.head,), True), ("attn_k_norm.weight", (shape.head,), True)]
    if arch in ("gemma2", "gemma3"):
        parts += [("post_attention_norm.weight", (width,), True), ("post_ffw_norm.weight", (width,), True)]
    parts.append(("ffn_norm.weight", (width,), True))
    if shape.experts:
        parts += [
            ("ffn_gate_inp.weight", (shape.experts, width), True),
            ("ffn_gate_exps.weight", (shape.experts, inner, width), False),
            ("ffn_up_exps.weight", (shape.experts, inner, width), False),
            ("ffn_down_exps.weight", (shape.experts, width, inner), False),
        ]
    else:
        parts += [
            ("ffn_gate.weight", (inner, width), False),
            ("ffn_up.weight", (inner, width), False),
            ("ffn_down.weight", (width, inner), False),
        ]
    return parts


def _recurrent(shape: Shape) -> list[tuple[str, tuple[int, ...], bool]]:
    width, inner, state = shape.width, 2 * shape.width, shape.state
    if shape.architecture in ("mamba2", "granitehybrid"):
        heads, convolved = 8, inner + 2 * state
        return [
            ("ssm_in.weight", (2 * inner + 2 * state + heads, width), False),
            ("ssm_conv1d.weight", (convolved, 4), True),
            ("ssm_conv1d.bias", (convolved,), True),
            ("ssm_dt.bias", (heads,), True),
            ("ssm_a", (heads, 1), True),
            ("ssm_d", (heads, 1), True),
            ("ssm_norm.weight", (1, inner), True),
            ("ssm_out.weight", (width, inner), False),
        ]
    rank = width // 16
    parts = [
        ("ssm_in.weight", (2 * inner, width), False),
        ("ssm_conv1d.weight", (inner, 4), True),
        ("ssm_conv1d.bias", (inner,), True),
        ("ssm_x.weight", (rank + 2 * state, inner), False),
        ("ssm_dt.weight", (inner, rank), False),
        ("ssm_dt.bias", (inner,), True),
        ("ssm_a", (inner, state), True),
        ("ssm_d", (inner,), True),
        ("ssm_out.weight", (width, inner), False),
    ]
    if shape.architecture == "jamba":
        parts += [
            ("ssm_dt_norm.weight", (rank,), True),
            ("ssm_b_norm.weight", (state,), True),
            ("ssm_c_norm.weight", (state,), True),
        ]
    return parts
