"""How long the daemon is away when it goes and comes back while its models stay."""

from __future__ import annotations

import re
import signal
import statistics
import sys
import threading
import time
from collections.abc import Sequence

from .daemon import Daemon, answers, daemon
from .place import Place, Unavailable
from .processes import started, tail, wait_until
from .report import show, verdict
from .swap import PATH, engine, question
from .tiny import tiny_model

MODELS = 20
RUNS = 5
VISITORS = 4
"""Clients that come again and again, each time on a connection of its own."""


def adoption(place: Place, names: Sequence[str]) -> None:
    """A daemon with 20 real llama-servers is killed and started again: until they are adopted, until it serves."""
    adopted, up = [], []
    settings = {"LLAMACTL_RESIDENCY_TTL": "-1", "LLAMACTL_LLAMA_SERVER_THREADS": "1"}
    with daemon(place, settings | engine()) as running:
        for number in range(MODELS):
            bring_up(place, running, f"m{number}")
        running.process.kill()
        running.process.wait()
        for turn in range(RUNS):
            output = running.output.with_name(f"output{turn}")
            begun = time.monotonic()
            command = [sys.executable, "-m", "llamactl", "daemon", "run"]
            with started(command, output, core=None, environment=running.environment) as process:
                wait_until(lambda: answers(running), "the next daemon", process, output)
                up.append(1e3 * (time.monotonic() - begun))
                found = re.search(rf"adopted {MODELS} in ([\d.]+) s", output.read_text())
                if not found:
                    raise Unavailable(f"not all of the models were adopted: {tail(output)}")
                adopted.append(1e3 * float(found[1]))
                process.kill()
    show(
        f"adoption of {MODELS} running models, {RUNS} times, ms",
        ["", "median", "longest"],
        [
            ("adopted", statistics.median(adopted), max(adopted)),
            ("exec to first answer", statistics.median(up), max(up)),
        ],
    )
    verdict("ms until adopted", max(adopted), 1000)


def reexec(place: Place, names: Sequence[str]) -> None:
    """The longest that anybody waits for an answer of a ready model while the daemon executes itself anew."""
    longest: list[float] = []
    usual: list[float] = []
    with daemon(place, {"LLAMACTL_LLAMA_SERVER_THREADS": "1"} | engine()) as running:
        bring_up(place, running, "a")
        for turn in range(RUNS + 1):
            waits: list[float] = []
            over = threading.Event()
            visitors = [threading.Thread(target=visit, args=(running, over, waits)) for _ in range(VISITORS)]
            for visitor in visitors:
                visitor.start()
            try:
                if turn:
                    running.process.send_signal(signal.SIGUSR2)
                    end = time.monotonic() + 30
                    while running.output.read_text().count(" serves on ") <= turn:
                        if time.monotonic() > end:
                            raise Unavailable(f"it has not come back: {tail(running.output)}")
                        time.sleep(0.05)
                else:
                    time.sleep(2)
            finally:
                over.set()
                for visitor in visitors:
                    visitor.join()
            (longest if turn else usual).append(1e3 * max(waits))
    show(
        f"re-execution, {RUNS} times, {VISITORS} clients, ms",
        ["", "median of the longest", "longest"],
        [("without", usual[0], usual[0]), ("meanwhile", statistics.median(longest), max(longest))],
    )
    verdict("ms that a new connection waited", max(longest), 1500)


def bring_up(place: Place, running: Daemon, name: str) -> None:
    file = place.directory / f"{name}.gguf"
    tiny_model(file, 0)
    running.run("models", "add", str(file), "--name", name)
    running.load(PATH, question(name))


def visit(running: Daemon, over: threading.Event, waits: list[float]) -> None:
    while not over.is_set():
        begun = time.monotonic()
        running.load(PATH, question("a"))
        waits.append(time.monotonic() - begun)
