"""The C load generator, run once: what it was asked and what it saw."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .place import CHAT, Place, Unavailable
from .processes import pinned

if TYPE_CHECKING:
    from .contenders import Contender


class Seen(msgspec.Struct, frozen=True):
    """What `load.c` prints, times in ns: `p50` and `p99` are of whole answers, for streams of one chunk's delay."""

    seconds: float
    answers: int
    bad: int
    """Answers (or streams) with the wrong status or size, and connections lost in the middle."""
    reconnects: int
    p50: int
    p99: int
    first: int
    """Median time from the request to its first chunk."""
    events: int
    lost: int
    """Chunks whose number was not the one expected."""
    malformed: int
    """Events that were not one `data:` line and one empty line."""
    reads: int
    """read() calls that brought at least one whole chunk."""
    merged: int
    """… more than one."""
    split: int
    """… and a part of another."""
    ended: int
    """Streams that came whole, to [DONE]."""


def command(
    place: Place, address: str, body: Path, *, connections: int, seconds: float, expect: int, stream: bool = False
) -> list[str]:
    """`expect` is bytes of body in each answer, for streams the number of chunks."""
    words = [str(place.load), address, CHAT, str(body), str(connections), str(seconds), str(expect)]
    return [*words, "streams"] if stream else words


def start(place: Place, words: list[str], key: str = "") -> subprocess.Popen[str]:
    """Begin on the core of the load."""
    environment = {**os.environ, "LOAD_KEY": key} if key else None
    with pinned(place.load_core):
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def finish(process: subprocess.Popen[str]) -> Seen:
    """Wait for its end and read its report."""
    with process:
        out, err = process.communicate(timeout=180)
    if process.returncode:
        raise Unavailable(err.strip() or f"load ended with {process.returncode}")
    return msgspec.json.decode(out, type=Seen)


def drive(
    place: Place, who: Contender, body: Path, *, connections: int, seconds: float, expect: int, stream: bool = False
) -> Seen:
    """Start and finish."""
    words = command(place, who.address, body, connections=connections, seconds=seconds, expect=expect, stream=stream)
    return finish(start(place, words, who.key))
