"""Small files that say something of themselves."""

from pathlib import Path

from .files import BOOL, U32, number, strings, text, whole


def language_model(path: Path, *, tokens: int = 8, size: int = 0, **more: bytes) -> Path:
    """One with a vocabulary of so many tokens, filled up to `size` bytes; more keys with `__` for the dots."""
    about = {
        "general.architecture": text("llama"),
        "general.name": text(path.stem),
        "llama.context_length": number(U32, 4096),
        "tokenizer.ggml.tokens": strings([b"%d" % token for token in range(tokens)]),
    }
    return _write(path, about, more, size)


def projector(path: Path, **more: bytes) -> Path:
    about = {"general.architecture": text("clip"), "clip.has_vision_encoder": number(BOOL, True)}
    return _write(path, about, more)


def _write(path: Path, about: dict[str, bytes], more: dict[str, bytes], size: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    about |= {key.replace("__", "."): value for key, value in more.items()}
    path.write_bytes(whole(about).ljust(size, b"\0"))
    return path
