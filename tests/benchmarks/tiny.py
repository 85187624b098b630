"""A real model of 1 MB: two random layers that say printable nonsense, loaded by llama-server in a quarter second."""

from __future__ import annotations

from pathlib import Path

from .place import Unavailable

WIDTH, LAYERS, HEADS, INNER = 128, 2, 4, 256
TOKENS = [b"<unk>", b"<s>", b"</s>", b"\n", "\u2581".encode(), *(bytes([code]) for code in range(0x21, 0x7F))]
"""Printable characters only: llama-server's chat parser refuses broken UTF-8 with a 500."""


def tiny_model(file: Path, seed: int) -> None:
    """Write one, in F32: the quantised kernels of some builds use instructions that not every machine has."""
    try:
        import gguf
        import numpy
    except ImportError:
        raise Unavailable("the package gguf is not installed (extra `dev`)") from None
    random = numpy.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(file), "llama")
    writer.add_name(file.stem)
    writer.add_context_length(2048)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(TOKENS)
    writer.add_token_scores([0.0] * len(TOKENS))
    writer.add_token_types([2, 3, 3] + [1] * (len(TOKENS) - 3))  # unknown, control, control, normal …
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    shapes = {"token_embd": (len(TOKENS), WIDTH), "output": (len(TOKENS), WIDTH), "output_norm": (WIDTH,)}
    for layer in range(LAYERS):
        shapes |= {f"blk.{layer}.{name}": (WIDTH,) for name in ("attn_norm", "ffn_norm")}
        shapes |= {f"blk.{layer}.attn_{name}": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
        shapes |= {f"blk.{layer}.ffn_{name}": (INNER, WIDTH) for name in ("gate", "up")}
        shapes[f"blk.{layer}.ffn_down"] = (WIDTH, INNER)
    for name, shape in shapes.items():
        values = numpy.ones(shape) if len(shape) == 1 else 0.05 * random.standard_normal(shape)
        writer.add_tensor(f"{name}.weight", values.astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
