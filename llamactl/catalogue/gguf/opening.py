"""The beginning of a GGUF file: is it one at all?

llama.cpp refuses version 1 and everything after 3. Numbers are in the byte order of the machine that the file was
written for: of any that llama-server runs on, little endian.
"""

import os
import stat
import struct
from pathlib import Path

import msgspec

from llamactl.core.errors import BadRequest

OLDEST, NEWEST = 2, 3
"""The versions that llama-server loads."""

_HEADER = struct.Struct("<4sIQQ")
_VALUE, _TENSOR = 13, 24
"""Bytes that one key with its value, and the description of one tensor, take at least."""

_LEGACY = {b"lmgg": "GGML", b"fmgg": "GGMF", b"tjgg": "GGJT", b"algg": "GGLA"}
"""What came before GGUF, by the first four bytes."""


class NotUsable(BadRequest):
    """A file that cannot be a model. `reason` goes on after "because"."""

    def __init__(self, path: Path, reason: str, hint: str = "") -> None:
        hint = hint or f"llamactl models scan {printable(path.parent)}"
        super().__init__(f"{printable(path)} is not usable because {reason}", hint)
        self.path = path
        self.reason = reason


class Header(msgspec.Struct, frozen=True):
    version: int
    tensor_count: int
    kv_count: int


def check(path: Path) -> Header:
    """The header of a GGUF file that may be whole, from its first 24 bytes and its size.

    Raises `NotUsable` for anything else. Blocks for as long as the disk does, never on a pipe.
    """
    size = regular(path).st_size
    try:
        with path.open("rb", buffering=0) as file:
            head = file.read(_HEADER.size)
    except OSError as error:
        raise unreadable(path, error) from None
    reason = _objection(head, size)
    if reason:
        raise NotUsable(path, reason)
    _, version, tensor_count, kv_count = _HEADER.unpack(head)
    return Header(version, tensor_count, kv_count)


def has_magic(path: Path) -> bool:
    """Does it say that it is a GGUF, or what came before? Not if it cannot be read. Never blocks on a pipe."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb", buffering=0) as file:
            return file.read(4) in (b"GGUF", *_LEGACY)
    except OSError:
        return False


def _objection(head: bytes, size: int) -> str:
    """Why a file of `size` bytes that begins with `head` is none; empty if it may be one."""
    magic = head[:4]
    if not head:
        return "it is empty"
    if magic in _LEGACY:
        return f"it is in the old {_LEGACY[magic]} format, which llama-server no longer reads; get it as GGUF"
    if head.startswith(b"version https://git-lfs."):
        return "it only stands for a file in Git LFS; get the file itself with `git lfs pull`"
    if magic != b"GGUF"[: len(magic)]:
        return f"it is not a GGUF file (starts with {ascii(magic)[1:]})"
    if len(head) < _HEADER.size:
        return f"it is truncated ({size} bytes)"
    _, version, tensors, values = _HEADER.unpack(head)
    if not version & 0xFFFF:
        return "it was written for machines of the other byte order"
    if not OLDEST <= version <= NEWEST:
        return f"it is of GGUF version {version}, and llama-server reads {OLDEST} and {NEWEST}"
    if _HEADER.size + values * _VALUE + tensors * _TENSOR > size:
        return f"it is truncated or corrupt ({size} bytes cannot hold {values} values and {tensors} tensors)"
    return ""


def regular(path: Path) -> os.stat_result:
    """What the file system says of a regular file; raises `NotUsable` for anything else."""
    try:
        found = path.stat()
    except OSError as error:
        raise unreadable(path, error) from None
    if stat.S_ISDIR(found.st_mode):
        raise NotUsable(path, "it is a directory", f"llamactl models scan {path}")
    if not stat.S_ISREG(found.st_mode):
        raise NotUsable(path, "it is not a regular file")
    return found


def unreadable(path: Path, error: OSError) -> NotUsable:
    if not isinstance(error, FileNotFoundError):
        return NotUsable(path, f"it cannot be read ({error.strerror})")
    return NotUsable(path, "it points to a file that does not exist" if path.is_symlink() else "it does not exist")


def printable(path: Path) -> str:
    """`path` as text that can be sent and shown, whatever bytes a file name is made of."""
    return os.fsencode(path).decode("utf-8", "replace")
