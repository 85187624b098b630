"""Files of many architectures, written by the `gguf` package: small, with the keys and tensors of real ones."""

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np

WIDTH, INNER, LAYERS = 64, 128, 4

Kind = gguf.GGMLQuantizationType


def _weights(writer: gguf.GGUFWriter, name: str, rows: int, columns: int, kind: Kind = Kind.F32) -> None:
    noise = np.random.default_rng(len(name)).standard_normal((rows, columns)).astype(np.float32)
    if kind is Kind.F32:
        writer.add_tensor(name, noise)
    else:
        writer.add_tensor(name, gguf.quants.quantize(noise, kind), raw_dtype=kind)


def _layers(writer: gguf.GGUFWriter, *parts: str, kind: Kind = Kind.F32) -> None:
    for layer in range(LAYERS):
        for part in parts:
            _weights(writer, f"blk.{layer}.{part}.weight", INNER, WIDTH, kind)


def _common(writer: gguf.GGUFWriter, heads: int = 4, kv_heads: int | list[int] = 4) -> None:
    writer.add_name("A model \N{HEAVY CHECK MARK}")
    writer.add_size_label("7B")
    writer.add_license("apache-2.0")
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_token_list([f"token {number}" for number in range(600)])
    writer.add_token_scores([0.5] * 600)
    writer.add_token_types([1] * 600)
    writer.add_token_merges([f"tok en{number}" for number in range(333)])
    writer.add_chat_template("{{ messages }}")
    _weights(writer, "token_embd.weight", 600, WIDTH)


def llama(writer: gguf.GGUFWriter) -> None:
    _common(writer)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_rope_dimension_count(16)
    _weights(writer, "output.weight", 600, WIDTH, Kind.Q8_0)
    _layers(writer, "attn_q", "attn_k", "ffn_up", kind=Kind.Q8_0)


def qwen2(writer: gguf.GGUFWriter) -> None:
    _common(writer, 8, 2)
    _layers(writer, "attn_q", "attn_k", kind=Kind.Q4_0)


def qwen3(writer: gguf.GGUFWriter) -> None:
    _common(writer, 8, 2)
    writer.add_key_length(128)
    writer.add_value_length(96)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)
    _layers(writer, "attn_q", "attn_k_norm", kind=Kind.BF16)


def gemma3(writer: gguf.GGUFWriter) -> None:
    _common(writer)
    writer.add_sliding_window(1024)
    writer.add_sliding_window_pattern(3)
    _layers(writer, "attn_q")


def gemma4(writer: gguf.GGUFWriter) -> None:
    _common(writer, 4, [2, 2, 1, 2])
    writer.add_sliding_window(512)
    writer.add_sliding_window_pattern([True, True, False, True])
    writer.add_shared_kv_layers(2)
    writer.add_uint32("gemma4.attention.key_length_swa", 32)
    writer.add_uint32("gemma4.attention.value_length_swa", 32)
    _weights(writer, "per_layer_token_embd.weight", 600, 32)
    _layers(writer, "attn_q")


def mamba(writer: gguf.GGUFWriter) -> None:
    writer.add_context_length(1 << 20)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(LAYERS)
    writer.add_vocab_size(777)
    writer.add_ssm_conv_kernel(4)
    writer.add_ssm_inner_size(128)
    writer.add_ssm_state_size(16)
    writer.add_ssm_time_step_rank(8)
    writer.add_ssm_group_count(1)
    _weights(writer, "token_embd.weight", 777, WIDTH)
    _layers(writer, "ssm_in", "ssm_out")


def qwen3next(writer: gguf.GGUFWriter) -> None:
    _common(writer, 8, 2)
    writer.add_full_attention_interval(4)
    writer.add_ssm_conv_kernel(4)
    writer.add_expert_count(16)
    writer.add_expert_used_count(4)
    writer.add_uint32("qwen3next.nextn_predict_layers", 1)
    _layers(writer, "attn_q", "ffn_gate_exps", "ffn_gate_shexp", "ffn_gate_inp")


def deepseek2(writer: gguf.GGUFWriter) -> None:
    _common(writer, 8, 1)
    writer.add_kv_lora_rank(512)
    writer.add_rope_dimension_count(64)
    writer.add_expert_count(8)
    writer.add_expert_used_count(2)
    _layers(writer, "attn_kv_b", "ffn_up_exps", "ffn_down_exps", kind=Kind.Q5_0)


def openelm(writer: gguf.GGUFWriter) -> None:
    _common(writer, 4, [1, 2, 2, 4])
    _layers(writer, "attn_qkv")


def bert(writer: gguf.GGUFWriter) -> None:
    _common(writer)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.CLS)
    _weights(writer, "token_types.weight", 2, WIDTH)
    _weights(writer, "position_embd.weight", 64, WIDTH)
    _layers(writer, "attn_q")


def rwkv7(writer: gguf.GGUFWriter) -> None:
    writer.add_block_count(LAYERS)
    writer.add_embedding_length(WIDTH)
    writer.add_wkv_head_size(64)
    writer.add_token_shift_count(2)
    writer.add_head_count(0)
    _layers(writer, "time_mix_key")


def lfm2(writer: gguf.GGUFWriter) -> None:
    _common(writer, 4, [0, 2, 0, 2])
    writer.add_shortconv_l_cache(3)
    _layers(writer, "shortconv.conv")


def clip(writer: gguf.GGUFWriter) -> None:
    writer.add_type("mmproj")
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_has_audio_encoder(True)
    writer.add_vision_embedding_length(WIDTH)
    writer.add_vision_block_count(LAYERS)
    writer.add_vision_head_count(4)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    for layer in range(LAYERS):
        _weights(writer, f"v.blk.{layer}.attn_q.weight", WIDTH, WIDTH, Kind.F16)


ARCHITECTURES: dict[str, Callable[[gguf.GGUFWriter], None]] = {
    fill.__name__: fill
    for fill in (
        llama,
        qwen2,
        qwen3,
        gemma3,
        gemma4,
        mamba,
        qwen3next,
        deepseek2,
        openelm,
        bert,
        rwkv7,
        lfm2,
        clip,
    )
}


def write(path: Path, architecture: str) -> Path:
    writer = gguf.GGUFWriter(path, architecture)
    ARCHITECTURES[architecture](writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
