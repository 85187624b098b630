"""The real daemon, in directories of its own, for as long as a benchmark needs it."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from .place import ROOT, Place, Unavailable, free_port
from .processes import end_leftovers, started, tail, wait_until


@dataclass(frozen=True)
class Daemon:
    """A running daemon: its process, its door, and how to speak to it."""

    process: psutil.Process
    port: int
    environment: Mapping[str, str]
    output: Path

    def run(self, *arguments: str) -> str:
        """What `llamactl ARGUMENTS` prints; `Unavailable` if it fails."""
        done = subprocess.run(
            [*llamactl(), *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise Unavailable(
                f"`llamactl {' '.join(arguments)}` exited with {done.returncode}: {done.stderr.strip()[-300:]}"
            )
        return done.stdout

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """One request through the door, on a connection of its own: status and body."""
        door = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            door.request(method, path, body, {"Content-Type": "application/json"})
            answer = door.getresponse()
            return answer.status, answer.read()
        finally:
            door.close()

    def load(self, path: str, body: bytes) -> None:
        """A request that must be answered with 200: it brings its model up."""
        status, answer = self.ask("POST", path, body)
        if status != 200:
            raise Unavailable(f"the first request was answered with {status} {answer[:300]!r}: {tail(self.output)}")

    def family(self, binary: Path) -> tuple[list[psutil.Process], list[psutil.Process]]:
        """The daemon's own processes, and those of its llama-servers (started from `binary`)."""
        own = [self.process]
        servers: list[psutil.Process] = []
        for child in self.process.children(recursive=True):
            (servers if Path(child.exe()).samefile(binary) else own).append(child)
        return own, servers


def llamactl() -> list[str]:
    """The `llamactl` command as a user has it: the installed script, or the module where none is installed."""
    script = Path(sys.executable).parent / "llamactl"
    return [str(script)] if script.exists() else [sys.executable, "-m", "llamactl"]


@contextmanager
def daemon(place: Place, settings: Mapping[str, str] | None = None, core: int | None = None) -> Iterator[Daemon]:
    """A daemon of this checkout in fresh directories, on one core (`None`: on any), with these LLAMACTL_… settings."""
    home = place.fresh("d")
    port = free_port()
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LLAMACTL_", "LLAMA_ARG_", "PYTHONDONTWRITEBYTECODE"))  # as where it is installed
    }
    for name in ("CONFIG_HOME", "DATA_HOME", "STATE_HOME", "RUNTIME_DIR"):
        directory = home / name[0].lower()
        directory.mkdir(0o700)
        environment[f"XDG_{name}"] = str(directory)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment["LLAMACTL_HTTP_PORT"] = str(port)
    environment |= settings or {}
    output = home / "output"
    command = [sys.executable, "-m", "llamactl", "daemon", "run"]
    try:
        with started(command, output, core=core, environment=environment) as process:
            running = Daemon(psutil.Process(process.pid), port, environment, output)
            wait_until(lambda: answers(running), "the daemon", process, output)
            yield running
    finally:
        end_leftovers(home)


def answers(running: Daemon) -> bool:
    """Whether `GET /health` is answered with 200."""
    try:
        return running.ask("GET", "/health")[0] == 200
    except (OSError, http.client.HTTPException):
        return False
