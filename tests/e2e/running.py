"""A daemon as a user has it: its own directories, a free port, the command line to talk to it, HTTP from outside."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import psutil

from llamactl.rpc.calls import AddModel, Call, InstanceRow, ListInstances
from llamactl.rpc.client import Client
from tests.engines import FAKE
from tests.engines.fake.state import Vices

A = TypeVar("A")

PATIENCE = 30.0
"""Seconds; a bound for what is awaited, generous for a busy machine."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json()["error"]


class Home:
    """Directories and environment of one user; commands run in it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.runtime = place / "run" / "llamactl"
        self.env = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(place),
            "XDG_CONFIG_HOME": str(place / "config"),
            "XDG_DATA_HOME": str(place / "data"),
            "XDG_STATE_HOME": str(place / "state"),
            "XDG_RUNTIME_DIR": str(place / "run"),
            "LLAMACTL_HTTP_PORT": "0",
            "STARTED_BY_TESTS": os.environ["STARTED_BY_TESTS"],
        }
        (place / "run").mkdir(mode=0o700)

    def run(self, *arguments: str, input: str = "", check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        """`llamactl …`; what it says is in the failure when `check` fails."""
        done = subprocess.run(
            [sys.executable, "-m", "llamactl", *arguments],
            env={**self.env, **env},
            input=input,
            capture_output=True,
            text=True,
            timeout=4 * PATIENCE,
        )
        if check:
            assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        done = self.run("--json", *arguments, check=False)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def model(self, name: str, **vices: Any) -> Path:
        """A file that passes for a model, for the fake llama-server to be like this with."""
        path = self.place / f"{name.replace('/', '_')}.gguf"
        path.write_bytes(b"GGUF" + (3).to_bytes(4, "little") + bytes(16))
        Vices(**vices, record=str(self.record_of(name))).of_model(path)
        return path

    def add(self, name: str, **vices: Any) -> None:
        """A model for the fake llama-server, in the catalogue of the daemon that runs."""
        self.tell(AddModel(str(self.model(name, **vices)), name))

    def tell(self, call: Call[A]) -> A:
        """What the command line would ask the daemon, without the time that starting Python takes."""
        with Client([str(self.runtime / "control.sock")], PATIENCE) as client:
            return client.call(call)

    def instances(self) -> list[InstanceRow]:
        return self.tell(ListInstances(all=True))

    def record_of(self, name: str) -> Path:
        return self.place / f"{name.replace('/', '_')}.jsonl"

    def record(self, name: str, event: str = "") -> list[Any]:
        """What the fake llama-servers of a model noted."""
        path = self.record_of(name)
        lines = path.read_text().splitlines() if path.exists() else []
        return [note for note in map(json.loads, lines) if not event or note["event"] == event]

    def processes(self, of: str) -> list[psutil.Process]:
        """Those with `of` in their command line that belong to this home."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = any(of in part for part in process.cmdline()) and process.environ()["HOME"] == str(self.place)
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, OSError, KeyError):
                continue
        return found


class Daemon:
    """`llamactl daemon run`, in the foreground of this test."""

    def __init__(self, home: Home, **settings: str) -> None:
        self.home = home
        home.env |= {f"LLAMACTL_{name.upper()}": value for name, value in settings.items()}
        self._log = (home.place / "daemon.log").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "llamactl", "daemon", "run"],
            env=home.env,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.url = ""

    def wait_until_up(self) -> "Daemon":
        def up() -> bool:
            assert self.process.poll() is None, self.log()
            return " serves on http" in self.log()

        until(up)
        self.url = self.log().partition(" serves on ")[2].split(",")[0].split()[0]
        return self

    def log(self) -> str:
        return (self.home.place / "daemon.log").read_text()

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self._log.close()

    # --- HTTP ------------------------------------------------------------------------------------

    def connect(self, timeout: float = PATIENCE) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=timeout)

    def ask(self, path: str, body: object = None, method: str = "", **headers: str) -> Answer:
        """One request on a connection of its own; what is not bytes is sent as JSON."""
        connection = self.connect()
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            kind = {} if data is None else {"Content-Type": "application/json"}
            connection.request(method or ("GET" if data is None else "POST"), path, data, kind | headers)
            with connection.getresponse() as answer:
                return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def chat(self, model: str, text: str = "hello", **more: Any) -> Answer:
        body = {"messages": [{"role": "user", "content": text}], "model": model, **more}
        return self.ask("/v1/chat/completions", body)

    @contextmanager
    def stream(self, model: str, key: str = "", **more: Any) -> Iterator[http.client.HTTPResponse]:
        """A streamed answer that has begun; leaving the block hangs up."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        connection = self.connect()
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "stream": True, **more}
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            with connection.getresponse() as answer:
                assert answer.status == 200, answer.read()
                yield answer
        finally:
            connection.close()

    def state(self, name: str) -> str:
        return next(row.state for row in self.home.instances() if row.name == name)


def until(true: Callable[[], object], seconds: float = PATIENCE, pause: float = 0.005) -> None:
    """Returns as soon as it is true; fails when that takes too long. It is looked at after each pause."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(pause)  # what another process does wakes nobody here


def together(count: int, one: Callable[[int], Any]) -> list[Any]:
    """What `one(0) … one(count - 1)` return, done at the same time, each in a thread."""
    results: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def work(number: int) -> None:
        barrier.wait()
        try:
            results[number] = one(number)
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(4 * PATIENCE)
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def fake_engine() -> dict[str, str]:
    return {"llama_server_path": str(FAKE)}
