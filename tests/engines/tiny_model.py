"""A random model of 0.4 MB that a real llama-server loads and answers with, and files it cannot load.

Architecture `llama`, two layers, 64 dimensions, 259 tokens: unknown, begin, end and the 256 bytes. It
never ends by itself: an answer has exactly the asked number of tokens, each of them one printable ASCII
character, or it fills the context (`CONTEXT` tokens unless `--ctx-size` says otherwise).

Start it with `--threads 1`: more threads wait for each other in a loop, so that on a busy machine 200 tokens
take 20 s instead of 0.1 s. And with `--skip-chat-parsing`: what it says fits no chat format.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import gguf
import numpy as np
from numpy.typing import NDArray

CONTEXT = 4096
"""Tokens of context that the file names as what the model was trained with."""

LAYERS = 2
WIDTH = 64
INNER = 128
HEADS = 4

Tensors: TypeAlias = Iterator[tuple[str, NDArray[np.float32]]]
"""Weights by name."""

SPECIAL = ["<unk>", "<s>", "</s>"]
TOKENS = len(SPECIAL) + 256
SAYABLE = range(len(SPECIAL) + ord(" "), len(SPECIAL) + ord("~") + 1)
"""The tokens it may answer with: printable ASCII. Any other byte could be an invalid character."""


def write_tiny_model(path: Path, *, seed: int = 0, says: str = "") -> Path:
    """Write the model to `path` and return that. The same seed gives the same file.

    `says` are the characters that it may answer with, printable ASCII, so that its answers tell which model it was.
    """
    sayable = [len(SPECIAL) + ord(character) for character in says] or [*SAYABLE]
    _write(path, "llama", _tensors(np.random.default_rng(seed), sayable))
    return path


def write_scripted_model(path: Path, answer: str) -> Path:
    """One that answers whatever ends with a line break with exactly this (ASCII), and ends.

    Each token is followed by the next, whatever came before: a dimension says which is the last one, and no layer adds
    anything to that. So a chat template that ends with a line break gets thoughts and tool calls that are known.
    """
    pieces = _pieces(answer)
    assert len(pieces) <= WIDTH - 2, f"{len(pieces)} pieces"
    tokens = TOKENS + len(pieces)
    embedding = np.zeros((tokens, WIDTH), dtype=np.float32)
    output = np.zeros((tokens, WIDTH), dtype=np.float32)
    embedding[:, WIDTH - 1] = 1.0
    end = SPECIAL.index("</s>")
    places = [len(SPECIAL) + ord("\n"), *range(TOKENS, tokens)]
    for place, (token, following) in enumerate(zip(places, [*places[1:], end], strict=True)):
        embedding[token, WIDTH - 1] = 0.0
        embedding[token, place] = 1.0
        output[following, place] = 10.0
    _write(path, "llama", _silent(embedding, output), pieces)
    return path


def _pieces(text: str) -> list[str]:
    """Of at least four characters, each of them once: a token is known by its text."""
    pieces: list[str] = []
    while text:
        size = 4
        while text[:size] in pieces:
            size += 1
        pieces.append(text[:size])
        text = text[size:]
    return [piece.replace(" ", "\u2581") for piece in pieces]


def write_unsupported_model(path: Path) -> Path:
    """A sound GGUF of an architecture that no llama-server knows."""
    _write(path, "nonesuch", iter(()))
    return path


def write_misshapen_model(path: Path) -> Path:
    """One of its tensors is half as large as the others say it must be."""
    tensors = _tensors(np.random.default_rng(0))
    _write(path, "llama", ((name, value[::2] if name == "blk.0.attn_q.weight" else value) for name, value in tensors))
    return path


def write_truncated_model(path: Path, keep: int | float) -> Path:
    """A tiny model cut off after `keep` bytes, or after that part of it if `keep` is a float below 1."""
    write_tiny_model(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(len(whole) * keep)])
    return path


def write_garbage(path: Path, *, size: int = 65536, magic: bool = False) -> Path:
    """Random bytes; with `magic` they begin as a GGUF does."""
    noise = np.random.default_rng(1).bytes(size)
    path.write_bytes(b"GGUF" + noise[4:] if magic else noise)
    return path


def _write(path: Path, architecture: str, tensors: Tensors, pieces: Sequence[str] = ()) -> None:
    """`pieces` are further tokens."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("tiny")
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_pooling_type(gguf.PoolingType.MEAN)  # with `--embeddings` it answers /v1/embeddings
    writer.add_tokenizer_model("llama")
    writer.add_token_list(SPECIAL + [f"<0x{byte:02X}>" for byte in range(256)] + [*pieces])
    writer.add_token_scores([0.0] * (TOKENS + len(pieces)))
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    writer.add_token_types([*kinds, *[gguf.TokenType.BYTE] * 256, *[gguf.TokenType.NORMAL] * len(pieces)])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_space_prefix(False)
    for name, values in tensors:
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tensors(
    random: np.random.Generator, sayable: Sequence[int] = SAYABLE
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Every weight by its name.

    The first dimension of a token is a constant far above the noise of the others, so that the output
    layer finds it there whatever the layers add, and can hold down what must not be said.
    """

    def noise(*shape: int, scale: float = 0.1) -> NDArray[np.float32]:
        return (random.standard_normal(shape) * scale).astype(np.float32)

    embedding = noise(TOKENS, WIDTH, scale=1.0)
    embedding[:, 0] = 20.0
    output = noise(TOKENS, WIDTH, scale=1.0)
    output[:, 0] = -100.0
    output[sayable, 0] = 0.0
    yield from _layers(embedding, output, noise)


def _silent(embedding: NDArray[np.float32], output: NDArray[np.float32]) -> Tensors:
    """The layers add nothing."""
    return _layers(embedding, output, lambda *shape: np.zeros(shape, dtype=np.float32))


def _layers(
    embedding: NDArray[np.float32], output: NDArray[np.float32], weights: Callable[..., NDArray[np.float32]]
) -> Tensors:
    one = np.ones(WIDTH, dtype=np.float32)
    yield "token_embd.weight", embedding
    yield "output_norm.weight", one
    yield "output.weight", output
    for layer in range(LAYERS):
        yield f"blk.{layer}.attn_norm.weight", one
        yield f"blk.{layer}.ffn_norm.weight", one
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield f"blk.{layer}.{part}.weight", weights(WIDTH, WIDTH)
        yield f"blk.{layer}.ffn_gate.weight", weights(INNER, WIDTH)
        yield f"blk.{layer}.ffn_up.weight", weights(INNER, WIDTH)
        yield f"blk.{layer}.ffn_down.weight", weights(WIDTH, INNER)
