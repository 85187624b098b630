"""One model in earnest: is everything there, sound, and as it was when it was taken in? Blocks on the disk."""

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from llamactl.catalogue import gguf, look
from llamactl.catalogue.gguf import NotUsable
from llamactl.core.model import Model

_CHECKSUM = re.compile(r"(?:sha256[-:])?([0-9a-f]{64})")
"""Caches call a file by its SHA-256: Hugging Face's `blobs/<sum>`, Ollama's `blobs/sha256-<sum>`."""

_PIECE = 8 << 20


class Finding(NamedTuple):
    """`ok` is None where there was nothing to compare with."""

    check: str
    ok: bool | None
    detail: str = ""


def verify(model: Model, *, deep: bool, go_on: Callable[[], object] = lambda: None) -> Iterator[Finding]:
    """The findings, one after the other; later ones are left out where they make no sense.

    `deep` reads all of the files whose checksum is known. `go_on` is called between pieces; what it raises ends it.
    """
    try:
        files = look.files(Path(model.path))
    except NotUsable as error:
        yield Finding("files", False, error.reason)
        return
    count = len(files.paths)
    yield Finding("files", True, "" if count == 1 else f"all {count} parts are there")
    same = files.size == model.size
    yield Finding("size", same, "" if same else f"{files.size} bytes, and it was {model.size}")
    seen = look.read(files)
    yield Finding("header", not seen.reason, seen.reason)
    if not seen.reason:
        known = model.fingerprint
        same = seen.fingerprint == known
        changed = "its contents are others than when it was last read: llamactl models scan"
        yield Finding("fingerprint", same if known else None, "" if same else changed if known else "not known yet")
    for name, companion in (("mmproj", model.projector), ("draft", model.draft)):
        if companion is not None:
            reason = _unreadable(Path(companion.path))
            yield Finding(name, not reason, f"{companion.path}: {reason}" if reason else companion.path)
    if deep:
        yield from (_checksum(path, go_on) for path in files.paths)


def _unreadable(path: Path) -> str:
    try:
        gguf.read(path)
    except NotUsable as error:
        return error.reason
    return ""


def _checksum(path: Path, go_on: Callable[[], object]) -> Finding:
    known = _CHECKSUM.fullmatch(path.resolve().name)
    if known is None:
        return Finding("checksum", None, f"{path.name}: none is known")
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                go_on()
    except OSError as error:
        return Finding("checksum", False, f"{path.name} cannot be read ({error.strerror})")
    same = digest.hexdigest() == known[1]
    return Finding("checksum", same, f"{path.name}: SHA-256 {'as it should be' if same else 'is another'}")
