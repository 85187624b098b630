"""How long the command line keeps one waiting."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial

from .daemon import daemon, llamactl
from .place import ROOT, Place, Unavailable
from .report import Rounds, show

RUNS = 15
BASE = "import"


def startup(place: Place, names: Sequence[str]) -> None:
    """`llamactl --help` and `llamactl ps` (a daemon running) against the imports any typer and rich program pays."""
    commands = {
        BASE: [sys.executable, "-c", "import typer, rich.console, rich.table"],
        "--help": [*llamactl(), "--help"],
        "ps": [*llamactl(), "ps"],
    }
    with daemon(place) as running:
        measures = {name: partial(taken, command, running.environment) for name, command in commands.items()}
        for once in measures.values():
            once()  # the first run writes the byte code
        rounds: Rounds[float] = Rounds()
        rounds.take(RUNS, measures)
    show(
        f"startup, median of {RUNS}",
        ["", "ms", "× import"],
        [
            (" ".join(commands[name][-2:])[-40:], rounds.median(name, ms), rounds.ratio(name, BASE, ms))
            for name in commands
        ],
    )
    for name in ("--help", "ps"):
        rounds.check("time", name, BASE, ms, 1.6)


def ms(seconds: float) -> float:
    return 1e3 * seconds


def taken(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Seconds from start to exit."""
    begun = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=30, check=False)
    seconds = time.monotonic() - begun
    if done.returncode:
        raise Unavailable(f"{command[-1]} exited with {done.returncode}: {done.stderr.decode(errors='replace')[-300:]}")
    return seconds
