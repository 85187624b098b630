"""A shell that is typed into: what one command sets, the next one finds."""

import os
import selectors
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import NamedTuple


class Done(NamedTuple):
    code: int
    text: str
    """Both outputs, in their order."""


class Shell:
    def __init__(self, place: Path, environment: dict[str, str]) -> None:
        self._typed = place / ".typed"
        self._end = uuid.uuid4().hex
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=place,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, command: str, patience: float) -> Done:
        """Raises `TimeoutError` with what was written until then; the shell is at its end then."""
        assert self._process.stdin and self._process.stdout
        self._typed.write_text(command)
        self._process.stdin.write(f". {self._typed} </dev/null; printf '%s %s\\n' {self._end} $?\n".encode())
        self._process.stdin.flush()
        read = b""
        deadline = time.monotonic() + patience
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not read.endswith(b"\n") or self._end.encode() not in read:
                if not selector.select(deadline - time.monotonic()):
                    raise TimeoutError(f"{command}\n{read.decode(errors='replace')}")
                piece = os.read(self._process.stdout.fileno(), 65536)
                assert piece, f"the shell ended at {command}\n{read.decode(errors='replace')}"
                read += piece
        text, _, code = read.decode(errors="replace").partition(self._end)
        return Done(int(code), text)

    def close(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream
            stream.close()
