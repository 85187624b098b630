"""Files that look like models, as far as the catalogue looks."""

import struct
from pathlib import Path

SIZE = 100


def gguf(path: Path, size: int = SIZE, version: int = 3, tensors: int = 1, values: int = 1) -> Path:
    """A file of `size` bytes with a sound header; its directories are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("=4sIQQ", b"GGUF", version, tensors, values).ljust(size, b"\0")[:size])
    return path
