"""A look at the files of one model: what the file system says of them, and what stands in them."""

import hashlib
from pathlib import Path

import msgspec

from llamactl.catalogue import gguf
from llamactl.catalogue.candidates import Identity, parts
from llamactl.catalogue.gguf import NotUsable, regular
from llamactl.core.facts import Facts

_EDITION = 1
"""One more whenever the reader learns to read more, so that all files are read again."""


class Files(msgspec.Struct, frozen=True):
    """The files of one model, as the file system has them. `changed` is the newest of their times, in seconds since the
    epoch; `stamp` is another one once any of them was written, replaced or has grown."""

    paths: tuple[Path, ...]
    identity: Identity
    size: int
    changed: float
    stamp: str


class Look(msgspec.Struct, frozen=True):
    """What stood in the files when `stamp` was theirs; `reason` says why they are not usable, if they are not."""

    stamp: str
    facts: Facts | None = None
    fingerprint: str = ""
    reason: str = ""


def files(path: Path) -> Files:
    """Those of the model whose first file is `path`. Raises `NotUsable`, which says what is missing."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise NotUsable(path, "its path is not valid UTF-8") from None
    paths = parts(path)
    found = []
    for part in paths:
        try:
            found.append(regular(part))
        except NotUsable as error:
            raise _of_part(error, paths) from None
    said = hashlib.blake2b(digest_size=8)
    for status in found:
        said.update(f"{_EDITION} {status.st_ino} {status.st_size} {status.st_mtime_ns};".encode())
    return Files(
        paths=tuple(paths),
        identity=(found[0].st_dev, found[0].st_ino),
        size=sum(status.st_size for status in found),
        changed=max(status.st_mtime for status in found),
        stamp=said.hexdigest(),
    )


def read(files: Files) -> Look:
    """Never raises for what stands in a file."""
    try:
        facts = gguf.read_all(list(files.paths))
        return Look(files.stamp, facts, gguf.fingerprint(files.paths[0]))
    except NotUsable as error:
        return Look(files.stamp, reason=_of_part(error, list(files.paths)).reason)


def _of_part(error: NotUsable, paths: list[Path]) -> NotUsable:
    """The same for the whole model, which goes by its first file."""
    if len(paths) == 1 or error.path not in paths:
        return error
    which = f"of part {paths.index(error.path) + 1} of {len(paths)}: "
    return NotUsable(paths[0], which + error.reason, error.hint)
