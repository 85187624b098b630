"""Everything at once: sixteen clients, six models with room for three, and somebody who breaks things meanwhile.

What it draws follows from a seed, when it happens does not: a failure names the seed and tells what was done, and is
a bug of which a small test can be made elsewhere.
"""

import contextlib
import http.client
import json
import logging
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psutil

from llamactl.core.errors import LlamactlError, Unreachable
from llamactl.rpc.calls import ListInstances, Lost, StartModel
from llamactl.rpc.client import Client
from tests.e2e.conftest import Begin
from tests.e2e.running import PATIENCE, Home, until
from tests.e2e.test_real import SMALL
from tests.engines.tiny_model import write_tiny_model

SECONDS = float(os.environ.get("LLAMACTL_CHAOS", "25"))
"""How long it lasts. 120 is what a release should survive."""

CLIENTS = 16
ROOM = 3
ALPHABETS = {"alpha": "abcd", "beta": "efgh", "gamma": "ijkl", "delta": "mnop", "epsilon": "qrst", "zeta": "uvwx"}
"""The models, and what each of them says: a letter tells whose answer it is part of."""

BOUND = 60.0
"""Seconds within which each request has come to its end, whatever happens to its model and the daemon."""

ERRORS = {404, 429, 502, 503, 504}
"""What a request may be answered with besides 200; 404 while the file of its model is away."""

MIB = 1 << 20
MODEL, ERROR = 48 * MIB, 16 * MIB
"""A little more than one model takes, so that memory alone leaves room for three; how far one may be off."""

CHAOS = {
    **SMALL,
    "llama_server_ctx_size": "4096",  # what all requests at once need, so that none fails for it
    "residency_max_models": str(ROOM),
    "residency_memory": str(ROOM * MODEL),
    "residency_max_wait": "2",
    "residency_drain": "5",
    "restart_wedge_after": "60",  # looked at every 6 s: a server that was told to end may keep a request for ever
    "restart_first": "0.1",
    "restart_longest": "1",
    "restart_crashes": "1000",
}


class Chaos:
    """What goes on, what came of it (`outcomes`), and what must not have (`wrong`)."""

    def __init__(self, home: Home, begin: Begin, seed: int) -> None:
        self.home, self.seed = home, seed
        self._begin = begin
        self.daemon = begin(**CHAOS)
        self.life = 0
        """Rises when the daemon is killed and when the next one is there; odd while none is."""
        self.over = threading.Event()
        self.outcomes: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.deeds: list[str] = []
        self._logs = ""
        self._begun = time.monotonic()

    def must(self, holds: object, what: str) -> None:
        if not holds:
            self.wrong.append(f"{time.monotonic() - self._begun:.2f} s: {what}")

    def did(self, what: str) -> None:
        self.deeds.append(f"{time.monotonic() - self._begun:.2f} s: {what}")

    def kill_the_daemon(self) -> None:
        self.life += 1
        self.daemon.process.kill()
        self.daemon.process.wait()
        self._logs += self.daemon.log()
        self.daemon = self._begin(**CHAOS)
        self.life += 1

    def servers(self) -> list[psutil.Process]:
        """The llama-servers that were all there at one moment; one that only tells its version is none."""
        return [process for process in self.home.processes("llama-server") if _serves(process)]

    def report(self) -> str:
        last = (self._logs + self.daemon.log()).splitlines()[-60:]
        parts = [f"seed {self.seed}", *self.wrong, "— deeds —", *self.deeds[-40:], "— outcomes —", str(self.outcomes)]
        return "\n".join([*parts, "— the daemon —", *last])


def _serves(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "--model" in process.cmdline() and process.is_running()
    return False


def test_chaos(home: Home, begin: Begin, real_engine: str) -> None:
    del real_engine  # it is found by the daemon
    chaos = Chaos(home, begin, seed := random.SystemRandom().randrange(1 << 32))
    for number, (name, says) in enumerate(ALPHABETS.items()):
        write_tiny_model(home.place / f"{name}.gguf", seed=number, says=says)
    home.run("models", "scan", str(home.place))
    work: list[Callable[[random.Random], None]] = [
        *[lambda draw: client(chaos, draw)] * CLIENTS,
        lambda draw: breaker(chaos, draw),
        lambda draw: watcher(chaos),
        lambda draw: auditor(chaos),
    ]

    def guarded(number: int) -> None:
        try:
            work[number](random.Random(seed + number))
        except Exception as error:
            chaos.must(False, f"{type(error).__name__}: {error}")
            raise

    threads = [threading.Thread(target=guarded, args=(number,), daemon=True) for number in range(len(work))]
    for thread in threads:
        thread.start()
    chaos.over.wait(SECONDS)
    chaos.over.set()
    for thread in threads:
        thread.join(2 * BOUND)
        chaos.must(not thread.is_alive(), "a request, or who breaks things, has not come to an end")
    logging.getLogger(__name__).info("seed %d, %d deeds: %s", seed, len(chaos.deeds), chaos.outcomes)
    if not chaos.wrong:
        recovered(chaos)
    assert not chaos.wrong, chaos.report()


def recovered(chaos: Chaos) -> None:
    """Once nobody breaks anything any more, every model is there for who asks, and nothing is left after the end."""
    for name in ALPHABETS:
        until(lambda: started(chaos.home, name))  # noqa: B023
        before = chaos.outcomes["answered"]
        request(chaos, random.Random(0), name, cancel=False)
        chaos.must(chaos.outcomes["answered"] == before + 1, f"{name} does not answer after all is well again")
    rows = chaos.home.instances()
    chaos.must(not any(row.leases or row.waiting for row in rows), f"leases are left: {rows}")
    chaos.must(chaos.daemon.end() == 0, "the daemon has not ended well")
    chaos.must(not chaos.home.processes("llama-server"), "a llama-server is left")
    chaos.must(not [*(chaos.home.runtime / "sockets").iterdir()], "a socket or a record is left")


def started(home: Home, name: str) -> bool:
    """False if the daemon left meanwhile: the last SIGUSR2 may still be waiting for its good moment."""
    try:
        home.tell(StartModel(name))
    except Unreachable:
        return False
    return True


# --- those who ask -----------------------------------------------------------------------------------


def client(chaos: Chaos, draw: random.Random) -> None:
    while not chaos.over.wait(draw.random() * 0.1):
        name = draw.choice([*ALPHABETS])
        begun = time.monotonic()
        request(chaos, draw, name, cancel=draw.random() < 0.25)
        took = time.monotonic() - begun
        chaos.must(took < BOUND, f"a request to {name} took {took:.1f} s")


def request(chaos: Chaos, draw: random.Random, name: str, *, cancel: bool) -> None:
    """One request; how it ended is counted."""
    tokens, stream = draw.randint(1, 150), draw.random() < 0.5
    body = {"model": name, "stream": stream, "max_tokens": tokens}
    body["messages"] = [{"role": "user", "content": "hello"}]
    life = chaos.life
    connection = chaos.daemon.connect(BOUND)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        if cancel and not stream:
            assert connection.sock is not None
            connection.sock.settimeout(draw.random())
            with contextlib.suppress(TimeoutError):
                connection.sock.recv(1)
            outcome = "cancelled"
        else:
            outcome = answer(chaos, name, connection.getresponse(), tokens, stream, cancel)
    except TimeoutError:
        outcome = "timeout"
        chaos.must(False, f"no answer and no error from {name} within {BOUND} s: {body}")
    except (OSError, http.client.HTTPException) as error:
        outcome = f"broken: {type(error).__name__}"
        alone = life % 2 == 0 and life == chaos.life
        chaos.must(not alone, f"{name}, stream {stream}: {error!r}, though the daemon was not killed")
    finally:
        connection.close()
    chaos.outcomes[outcome] += 1


def answer(chaos: Chaos, name: str, response: http.client.HTTPResponse, tokens: int, stream: bool, cancel: bool) -> str:
    """What it was; the body is checked to be the whole answer of this model, or an error that says so."""
    with response:
        if response.status != 200:
            error = json.loads(response.read())["error"]
            chaos.must(response.status in ERRORS, f"{name} was answered with {response.status}: {error}")
            chaos.must(error["message"], f"an error without a reason: {error}")
            return f"error {response.status}"
        if not stream:
            whole = json.loads(response.read())
            _check(chaos, name, whole, whole["choices"][0]["message"]["content"], tokens)
            return "answered"
        text, done = "", False
        for data in events(response):
            if data == "[DONE]":
                done = True
                continue
            event = json.loads(data)
            if error := event.get("error"):
                chaos.must(error["message"], f"an error without a reason: {error}")
                return "error in a stream"
            for choice in event["choices"]:
                text += choice["delta"].get("content") or ""
            _check(chaos, name, event, text)
            if cancel and text:
                return "cancelled"
        chaos.must(done, f"a stream of {name} ended well without having been told to: {text!r}")
        _check(chaos, name, {"model": name}, text, tokens)
        return "answered"


def events(response: http.client.HTTPResponse) -> Iterator[str]:
    """The data of a stream's events. By `read1`, since `readline` takes a connection that broke for a good end."""
    rest = b""
    while piece := response.read1():
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.removeprefix(b"data: ").decode() for line in lines if line.startswith(b"data: "))


def _check(chaos: Chaos, name: str, event: Any, text: str, tokens: int | None = None) -> None:
    chaos.must(event["model"] == name, f"{name} was asked, {event['model']} says it answers")
    chaos.must(set(text) <= {*ALPHABETS[name]}, f"{name} was asked, and that is not how it speaks: {text!r}")
    chaos.must(tokens in (None, len(text)), f"{name} was asked for {tokens} tokens, and said {text!r}")


# --- who breaks things -------------------------------------------------------------------------------


def breaker(chaos: Chaos, draw: random.Random) -> None:
    deeds = {kill: 6, halt: 2, take_away: 2, reexec: 2, kill_the_daemon: 1}
    while not chaos.over.wait(draw.random()):
        [deed] = draw.choices([*deeds], [*deeds.values()])
        deed(chaos, draw)


def _victim(chaos: Chaos, draw: random.Random) -> psutil.Process | None:
    servers = sorted(chaos.servers(), key=lambda process: process.pid)
    return draw.choice(servers) if servers else None


def kill(chaos: Chaos, draw: random.Random) -> None:
    if process := _victim(chaos, draw):
        number = draw.choice([signal.SIGTERM, signal.SIGKILL])
        chaos.did(f"{number.name} to {process.pid}")
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def halt(chaos: Chaos, draw: random.Random) -> None:
    """SIGSTOP, and SIGCONT some time later."""
    if process := _victim(chaos, draw):
        chaos.did(f"SIGSTOP to {process.pid}")
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
            chaos.over.wait(draw.uniform(0.1, 3))
            process.resume()
            chaos.did(f"SIGCONT to {process.pid}")


def take_away(chaos: Chaos, draw: random.Random) -> None:
    """The file of a model, which is put back some time later."""
    name = draw.choice([*ALPHABETS])
    path = chaos.home.place / f"{name}.gguf"
    away = path.with_suffix(".away")
    chaos.did(f"file of {name} away")
    path.rename(away)
    chaos.over.wait(draw.uniform(0.1, 2))
    away.rename(path)
    chaos.did(f"file of {name} back")


def reexec(chaos: Chaos, draw: random.Random) -> None:
    chaos.did(f"SIGUSR2 to the daemon {chaos.daemon.process.pid}")
    chaos.daemon.process.send_signal(signal.SIGUSR2)
    chaos.over.wait(draw.random() * 3)
    chaos.must(chaos.daemon.process.poll() is None, "the daemon has not survived SIGUSR2")


def kill_the_daemon(chaos: Chaos, draw: random.Random) -> None:
    chaos.did("SIGKILL to the daemon")
    chaos.kill_the_daemon()
    chaos.did(f"the daemon is back, as {chaos.daemon.process.pid}")


# --- those who look on -------------------------------------------------------------------------------


def watcher(chaos: Chaos) -> None:
    """Numbers of events rise by one, over every re-execution too."""
    life, last = -1, 0
    while not chaos.over.is_set():
        with contextlib.suppress(LlamactlError), Client([str(chaos.home.runtime / "control.sock")], 1.0) as client:
            now = chaos.life
            snapshot, notices = client.watch()
            if now != chaos.life:
                continue
            chaos.must(now != life or snapshot.last_event >= last, f"event {last} was told, then {snapshot.last_event}")
            life, last = now, snapshot.last_event
            for notice in notices:
                if isinstance(notice, Lost):
                    chaos.must(False, f"{notice.lost} events were lost")
                    break
                chaos.must(notice.id == last + 1, f"event {notice.id} follows event {last}")
                last = notice.id
                if chaos.over.is_set():
                    break
        chaos.over.wait(0.02)


def auditor(chaos: Chaos) -> None:
    """Never more models than there is room for, by what the daemon says and by what runs."""
    budget = ROOM * MODEL + ERROR
    while not chaos.over.wait(0.1):
        with contextlib.suppress(LlamactlError), Client([str(chaos.home.runtime / "control.sock")], PATIENCE) as client:
            rows = [row for row in client.call(ListInstances()) if row.memory]
            total = sum(sum(row.memory.values()) for row in rows)
            chaos.must(total <= budget, f"{total} bytes are promised of {budget}: {rows}")
            chaos.must(len(rows) <= ROOM, f"{len(rows)} have a place: {rows}")
        servers = chaos.servers()
        chaos.must(len(servers) <= ROOM, f"{len(servers)} llama-servers: {servers}")
