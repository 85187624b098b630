"""A daemon that only answers: what the command line asks is kept, what it gets is chosen by the test."""

import json
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from llamactl.core.errors import LlamactlError, NotFound
from llamactl.rpc.calls import DaemonStatus, InstanceRow, ModelRow, ServiceRow
from llamactl.rpc.messages import answer, fault

STATUS = DaemonStatus(
    version="0.0.stub",
    pid=4711,
    uptime=3661.0,
    http=["http://127.0.0.1:1"],
    config="/c/config.toml",
    data="/d",
    log="/l",
    models=2,
    services=[ServiceRow(name="door", state="up", age=3660.0)],
    last_event=7,
)
QWEN = InstanceRow(
    name="qwen3:8b",
    state="ready",
    pid=12,
    age=65.0,
    load_seconds=1.25,
    memory={"host": 3 << 29},
    leases=1,
    context=4096,
    slots=4,
    rate=31.5,
)
FAILED = InstanceRow(name="broken", state="failed", problem=NotFound("the file is gone").problem())


def model(name: str, **more: Any) -> ModelRow:
    return ModelRow(name=name, path=f"/models/{name}.gguf", size=1 << 30, **more)


class Stub:
    """A context manager; listens at `path` on threads of its own.

    `answers` has a value, an error or a function of the parameters for each method; at any other it hangs up.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, object] = {
            "daemon.status": STATUS,
            "daemon.stop": None,
            "models.list": [model("qwen3:8b", state="ready"), model("gemma-2b")],
            "instances.list": [QWEN],
        }
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> "Stub":
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines, suppress(OSError):
            for line in lines:
                request = json.loads(line)
                method, parameters = request["method"], request.get("params", {})
                self.asked.append((method, parameters))
                if method not in self.answers:
                    return
                connection.sendall(answer(request["id"], self._outcome(method, parameters)))

    def _outcome(self, method: str, parameters: dict[str, Any]) -> object:
        outcome: Any = self.answers[method]
        if callable(outcome):
            try:
                outcome = outcome(**parameters)
            except LlamactlError as error:
                outcome = error
        return fault(outcome) if isinstance(outcome, LlamactlError) else msgspec.to_builtins(outcome)
