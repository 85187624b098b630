"""What a fake llama-server is told to be, and what it is doing."""

import contextlib
import dataclasses
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any


@dataclasses.dataclass
class Vices:
    """What it does that llama-server does not, or does only sometimes. Times in seconds, sizes in bytes."""

    lacks: list[str] = dataclasses.field(default_factory=list)
    """Flags that `--help` does not name (only from the environment, since there is no model yet)."""
    load_seconds: float = 0.0
    """Until then it answers 503."""
    never_listen: bool = False
    crash_at: str = ""
    """`start`, `ready`, `before_answer` (when a request has come) or `mid_stream` (half of the answer sent)."""
    error_lines: list[str] = dataclasses.field(default_factory=list)
    """Written to stderr before a crash."""
    exit_code: int = 1
    exit_signal: int = 0
    """Crash by this signal rather than with the exit code."""
    ignore_sigterm: bool = False
    linger: float = 30.0
    """How long it stays after SIGTERM while a request is in flight."""
    fork: str = ""
    """`server`: only a child serves, and no signal reaches it through the parent. `bystander`: a child that does
    nothing, ignores SIGTERM and keeps the output open."""
    own_group: bool = False
    """That child leaves the process group (not the session)."""
    chatter: int = 0
    """Lines of log each second, counted from 0, as long as it is ready."""
    sees: bool = False
    """It says that it takes images."""
    tokens: int = 8
    """Of an answer, unless the request says `max_tokens`."""
    token_interval: float = 0.0
    first_byte_delay: float = 0.0
    answer_size: int = 0
    """The text of an answer that is not streamed is filled up to this."""
    chunk_size: int = 0
    """A stream is cut into HTTP chunks of this size, whatever the events; 0: one event in a chunk."""
    close_after_headers: bool = False
    keepalive_max: int = 100
    """Requests on one connection."""
    keepalive_timeout: float = 5.0
    record: str = ""
    """A file to which it writes what happens, one JSON object a line: `{"event": "start" | "request" | "answered" |
    "aborted" | "sigterm", "at": monotonic seconds, "pid", …}`."""

    def environment(self) -> dict[str, str]:
        """To be added to the environment of every fake that shall be so."""
        return {"FAKE_LLAMA": self._text()}

    def of_model(self, model: Path) -> None:
        """Make the fake so that serves this model."""
        _sidecar(model).write_text(self._text())

    def _text(self) -> str:
        usual = dataclasses.asdict(Vices())
        return json.dumps({name: value for name, value in dataclasses.asdict(self).items() if value != usual[name]})


def _sidecar(model: Path) -> Path:
    return Path(f"{model}.json")


class State:
    """`busy` holds the numbers of the requests in flight."""

    def __init__(self, arguments: list[str]) -> None:
        self.model = Path(self._value(arguments, "--model", "-m"))
        self.alias = self._value(arguments, "--alias", "-a") or self.model.name
        self.host = self._value(arguments, "--host")
        self.ready = threading.Event()
        self.stopping = threading.Event()
        self.busy: set[int] = set()
        wishes = json.loads(os.environ.get("FAKE_LLAMA", "{}"))
        with contextlib.suppress(FileNotFoundError):
            wishes |= json.loads(_sidecar(self.model).read_text())
        self.vices = Vices(**wishes)

    @staticmethod
    def _value(arguments: list[str], *flags: str) -> str:
        following = zip(arguments, arguments[1:], strict=False)  # noqa: RUF007 (one import less)
        return next((value for flag, value in following if flag in flags), "")

    def log(self, level: str, text: str) -> None:
        self.say(f"0.00.000.000 {level} {text}")

    def say(self, line: str) -> None:
        os.write(sys.stderr.fileno(), f"{line}\n".encode())

    def record(self, event: str, **more: Any) -> None:
        if self.vices.record:
            line = json.dumps({"event": event, "at": time.monotonic(), "pid": os.getpid(), **more}) + "\n"
            with Path(self.vices.record).open("ab", buffering=0) as file:  # one write, so that lines never mix
                file.write(line.encode())

    def crash_if(self, point: str) -> None:
        if self.vices.crash_at != point:
            return
        for line in self.vices.error_lines:
            self.say(line)
        if self.vices.exit_signal:
            os.kill(os.getpid(), self.vices.exit_signal)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {self.vices.exit_signal})
            threading.Event().wait()
        os._exit(self.vices.exit_code)
