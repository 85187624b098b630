"""Where a run happens: a temporary directory, two cores, and the compiled programs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent
ROOT = SOURCES.parents[1]
"""The directory `llamactl` and `tests` are imported from."""

CHAT = "/v1/chat/completions"
ANSWER = 600
"""Bytes of body in every answer of `upstream.c` that is not a stream."""


class Unavailable(Exception):
    """Something this benchmark needs is not here; the text says what."""


@dataclass(frozen=True)
class Place:
    """What all benchmarks of a run share."""

    directory: Path
    proxy_core: int
    load_core: int
    seconds: float
    """How long one contender is under load in one round."""
    rounds: int

    @property
    def upstream(self) -> Path:
        return compiled(self.directory, "upstream")

    @property
    def load(self) -> Path:
        return compiled(self.directory, "load")

    def fresh(self, prefix: str) -> Path:
        """A new, empty, private directory with a short path."""
        return Path(tempfile.mkdtemp(prefix=prefix, dir=self.directory))

    def body(self, *, characters: int = 170, stream: tuple[int, int] | None = None) -> Path:
        """A chat request in a file, `messages` before `model` as the OpenAI SDK writes it.

        `stream` is (chunks a second, chunks in all).
        """
        chat: dict[str, object] = {
            "messages": [
                {"role": "system", "content": "You are terse."},
                {"role": "user", "content": "w" * characters},
            ],
            "temperature": 0.7,
            "max_tokens": 64,
        }
        if stream:
            chat |= {"stream": True, "bench_rate": stream[0], "bench_chunks": stream[1]}
        text = json.dumps(chat | {"model": "bench"}, separators=(",", ":"))
        file = self.directory / f"body-{characters}-{stream}.json".replace(" ", "")
        file.write_text(text)
        return file

    def model(self) -> Path:
        """The smallest file with the head of a GGUF: no tensors, no metadata. Enough for `upstream.c`."""
        file = self.directory / "bench.gguf"
        file.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
        return file


@contextmanager
def place(seconds: float, rounds: int) -> Iterator[Place]:
    """Take the first two cores this process may use and a directory whose socket paths stay under 107 bytes."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("only one core: the load takes its share of what the contenders get; compare nothing with other runs")
    parent = tempfile.gettempdir()
    with tempfile.TemporaryDirectory(prefix="lb-", dir=parent if len(parent) < 30 else "/tmp") as directory:
        yield Place(Path(directory), cores[0], cores[1 % len(cores)], seconds, rounds)


def compiled(directory: Path, name: str) -> Path:
    """The program made of NAME.c, compiled on first use."""
    program = directory / name
    if not program.exists():
        if not shutil.which("gcc"):
            raise Unavailable("gcc is not installed")
        command = ["gcc", "-O2", "-o", str(program), str(SOURCES / f"{name}.c")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise Unavailable(f"gcc could not compile {name}.c: {done.stderr.strip()[-300:]}")
    return program


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
