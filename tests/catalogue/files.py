"""Files that look like models, as far as the catalogue looks, written by hand: quickly, or wrongly."""

import hashlib
import os
import random
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

SIZE = 100

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
LETTERS = dict(zip(range(13), "BbHhIif?  Qqd", strict=True))


def gguf(path: Path, size: int = SIZE, version: int = 3, tensors: int = 0, values: int = 0) -> Path:
    """A file of `size` bytes with a sound header, and contents as at no other path; its directories are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    own = hashlib.sha256(os.fsencode(path)).digest()
    path.write_bytes((struct.pack("<4sIQQ", b"GGUF", version, tensors, values) + own).ljust(size, b"\0")[:size])
    return path


def string(text: bytes | str) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw


def number(kind: int, value: float) -> bytes:
    """A value that is one number, with its type before it."""
    return struct.pack(f"<I{LETTERS[kind]}", kind, value)


def text(value: bytes | str) -> bytes:
    return struct.pack("<I", STRING) + string(value)


def array(kind: int, items: Sequence[float]) -> bytes:
    return struct.pack(f"<IIQ{len(items)}{LETTERS[kind]}", ARRAY, kind, len(items), *items)


def strings(items: Sequence[bytes]) -> bytes:
    return struct.pack("<IIQ", ARRAY, STRING, len(items)) + b"".join(map(string, items))


def tensor(name: bytes | str, shape: Sequence[int], kind: int, offset: int) -> bytes:
    return string(name) + struct.pack(f"<I{len(shape)}qIQ", len(shape), *shape, kind, offset)


def whole(
    values: Mapping[str, bytes],
    tensors: Iterable[bytes] = (),
    data: bytes = b"",
    *,
    version: int = 3,
    aligned: int = 32,
) -> bytes:
    """A file of values, as the functions above make them, and of tensors with their data."""
    listed = list(tensors)
    head = struct.pack("<4sIQQ", b"GGUF", version, len(listed), len(values))
    head += b"".join([*(string(key) + value for key, value in values.items()), *listed])
    return head + bytes(-len(head) % aligned if listed else 0) + data


def vocabulary(tokens: int, merges: int, seed: int = 0) -> dict[str, bytes]:
    """Values of a tokenizer as large as those of today's models: tokens of 1 to 40 bytes, a few far longer."""
    chance = random.Random(seed)
    lengths = [min(40, max(1, int(chance.gammavariate(3, 2.4)))) for _ in range(tokens + merges)]
    lengths[7 : tokens : tokens // 20 + 1] = [300] * len(lengths[7 : tokens : tokens // 20 + 1])
    noise = chance.randbytes(sum(lengths)).translate(bytes(33 + byte % 90 for byte in range(256)))
    words, at = [], 0
    for length in lengths:
        words.append(noise[at : at + length])
        at += length
    return {
        "tokenizer.ggml.model": text("gpt2"),
        "tokenizer.ggml.tokens": strings(words[:tokens]),
        "tokenizer.ggml.scores": array(F32, [0.0] * tokens),
        "tokenizer.ggml.token_type": array(I32, [1] * tokens),
        "tokenizer.ggml.merges": strings(words[tokens:]),
    }
