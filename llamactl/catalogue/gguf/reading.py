"""From a path to what the file there says."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from llamactl.catalogue.gguf.header import Contents, contents
from llamactl.catalogue.gguf.meaning import facts
from llamactl.catalogue.gguf.opening import NotUsable, check, regular, unreadable
from llamactl.catalogue.gguf.window import Malformed, Window
from llamactl.core.facts import Facts

_SAMPLE = 256 << 10


def read(path: Path) -> Facts:
    """What the file says of its model. Raises `NotUsable`.

    Blocks for as long as the disk does, and computes for 15 ms for a vocabulary of 150,000 tokens; never more than
    1 s or 100 MB, whatever is in the file. A header that is longer than that allows is read as far as it does.
    """
    found = _contents(path)
    return facts(found.values, found.tensors)


def read_all(paths: Sequence[Path]) -> Facts:
    """Of all files of a split model, the first of which has the values. Raises `NotUsable`, which names the file."""
    found = [_contents(path) for path in paths]
    return facts(found[0].values, [tensor for part in found for tensor in part.tensors])


def fingerprint(path: Path) -> str:
    """The same for the same file wherever it is, and hardly for two: 32 hexadecimal digits. Raises `NotUsable`.

    Made of the size, the beginning (the values) and the end (weights, which tell one training from the next).
    """
    size = regular(path).st_size
    digest = hashlib.blake2b(size.to_bytes(8, "little"), digest_size=16)
    try:
        with path.open("rb", buffering=0) as file:
            digest.update(os.pread(file.fileno(), _SAMPLE, 0))
            digest.update(os.pread(file.fileno(), _SAMPLE, max(size - _SAMPLE, 0)))
    except OSError as error:
        raise unreadable(path, error) from None
    return digest.hexdigest()


def _contents(path: Path) -> Contents:
    header = check(path)
    try:
        with path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            return contents(Window(file.fileno(), size), header, size)
    except Malformed as error:
        raise NotUsable(path, str(error)) from None
    except OSError as error:
        raise unreadable(path, error) from None
