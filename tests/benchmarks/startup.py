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
NOTHING, IMPORT = "nothing", "import"
BOUND = {NOTHING: 2.5, IMPORT: 1.6}
"""How often the time of each a command may take."""
COMMANDS = {
    "--version": NOTHING,
    "ps -o json": NOTHING,
    "ps -o name": NOTHING,
    "completion bash": NOTHING,
    "--help": IMPORT,
    "ps": IMPORT,
    "status": IMPORT,
}
"""What each is measured against: Python itself, or the imports that any typer and rich program pays."""


def startup(place: Place, names: Sequence[str]) -> None:
    """Quick commands (a daemon running) against Python itself, the others against the imports of typer and rich."""
    lines = {
        NOTHING: [sys.executable, "-c", "pass"],
        IMPORT: [sys.executable, "-c", "import typer, rich.console, rich.table"],
        **{command: [*llamactl(), *command.split()] for command in COMMANDS},
    }
    with daemon(place) as running:
        measures = {name: partial(taken, line, running.environment) for name, line in lines.items()}
        for once in measures.values():
            once()  # the first run writes the byte code
        rounds: Rounds[float] = Rounds()
        rounds.take(RUNS, measures)
    show(
        f"startup, median of {RUNS}",
        ["", "ms", "× python -c pass", "× import"],
        [
            (name, rounds.median(name, ms), rounds.ratio(name, NOTHING, ms), rounds.ratio(name, IMPORT, ms))
            for name in lines
        ],
    )
    for command, base in COMMANDS.items():
        rounds.check("time", command, base, ms, BOUND[base])


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
