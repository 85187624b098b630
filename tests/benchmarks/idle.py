"""What a daemon costs that nobody asks anything."""

from __future__ import annotations

import time
from collections.abc import Sequence

from .daemon import daemon
from .place import Place
from .processes import cpu_seconds, resident
from .report import show, verdict

SETTLE = 5
"""Seconds left to it after the start."""
WATCH = 20
"""Seconds it is watched."""


def idle(place: Place, names: Sequence[str]) -> None:
    """Resident memory and CPU of the daemon without models, over 20 s."""
    with daemon(place) as running:
        time.sleep(SETTLE)
        own = [running.process, *running.process.children(recursive=True)]
        before, begun = cpu_seconds(own), time.monotonic()
        time.sleep(WATCH)
        share = 100 * (cpu_seconds(own) - before) / (time.monotonic() - begun)
        memory = resident(own) / 1e6
        threads = sum(process.num_threads() for process in own)
    show(
        f"idle, {WATCH} s",
        ["", "MB", "core %", "processes", "threads"],
        [("llamactl", memory, share, len(own), threads)],
    )
    verdict("MB resident", memory, 60)
    verdict("per cent of a core", share, 0.3)
