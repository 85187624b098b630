"""What each feature costs that can be switched off, and whether memory grows with the requests served."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial

from . import load
from .contenders import Contender, llamactl, nginx
from .load import Seen
from .place import ANSWER, Place, Unavailable
from .processes import resident
from .report import Rounds, show, verdict
from .traffic import MB, Measured, doubts, measure, missing

PLENTY = "1000000000/min"
LIMITED: Sequence[str] = ("--rate", PLENTY, "--parallel", "10000")

OFF: Mapping[str, tuple[Mapping[str, str], Sequence[str] | None]] = {
    "history": ({"LLAMACTL_REQUESTS_ROWS": "0"}, LIMITED),
    "keys": ({"LLAMACTL_ACCESS_RATE": PLENTY}, None),
    "limits": ({}, ()),
    "keys and limits": ({}, None),
}
"""What switches a feature off: settings, and what the key is that is shown."""

IDLE, STREAMS, CHUNKS = 2000, 500, 300
"""Connections, streams, and chunks of each at five a second: a minute."""

REQUESTS = 200_000
WARM = 20_000


def features(place: Place, names: Sequence[str]) -> None:
    """Requests over 64 connections with everything on, and with each feature off: what it costs."""
    body = place.body()

    def drive(who: Contender) -> Seen:
        return load.drive(place, who, body, connections=64, seconds=place.seconds, expect=ANSWER)

    with ExitStack() as stack:
        up = {"all": stack.enter_context(llamactl(place, key=LIMITED))}
        up |= {f"no {name}": stack.enter_context(llamactl(place, *off)) for name, off in OFF.items()}
        if "nginx" in names:
            up["nginx"] = stack.enter_context(nginx(place))
        for who in up.values():
            drive(who)
        rounds: Rounds[Measured] = Rounds()
        rounds.take(place.rounds, {name: partial(measure, place, who, drive) for name, who in up.items()})
    everything = rounds.median("all", lambda m: m.each)
    show(
        "features, 64 connections",
        ["", "req/s", "× nginx", "CPU µs/req", "costs µs"],
        [
            (
                name,
                rounds.median(name, lambda m: m.rate),
                rounds.ratio(name, "nginx", lambda m: m.rate),
                each := rounds.median(name, lambda m: m.each),
                everything - each if name.startswith("no ") else "",
            )
            for name in rounds.of
        ],
    )
    doubts(rounds)
    rounds.check("requests/s with everything on", "all", "nginx", lambda m: m.rate, 0.6, least=True)


def crowd(place: Place, names: Sequence[str]) -> None:
    """2,000 idle connections and 500 streams for a minute, with keys and limits: memory and errors."""
    body = place.body(stream=(5, CHUNKS))
    with llamactl(place, key=LIMITED) as who, ExitStack() as stack:
        before = peak = resident(who.processes)
        host, _, port = who.address.partition(":")
        idle = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(IDLE)]
        answered = sum(_asked(connection) for connection in idle)
        quiet = resident(who.processes)
        words = load.command(place, who.address, body, connections=STREAMS, seconds=90, expect=CHUNKS, stream=True)
        process = load.start(place, words, who.key)
        while process.poll() is None:
            peak = max(peak, resident(who.processes))
            time.sleep(0.2)
        seen = load.finish(process)
        answered_again = sum(_asked(connection) for connection in idle)
    lost = missing(seen, STREAMS, CHUNKS)
    show(
        f"crowd, {IDLE:,} idle connections and {STREAMS} streams",
        ["", "MB before", "MB idle", "MB at most", "chunks lost", "bad", "answered", "p99 ms"],
        [("llamactl", before / MB, quiet / MB, peak / MB, lost, seen.bad, answered_again, seen.p99 / 1e6)],
    )
    verdict("MB at most", peak / MB, 150)
    verdict("errors", lost + seen.bad + 2 * IDLE - answered - answered_again, 0)


def _asked(connection: socket.socket) -> bool:
    """Whether it is still good for a question."""
    try:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        return connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def growth(place: Place, names: Sequence[str]) -> None:
    """Resident memory of the daemon over 200,000 requests, after 20,000 to begin with."""
    with llamactl(place) as who:
        served = 0
        before = 0
        for seen in _rounds(place, who):
            served += seen.answers
            if seen.bad:
                raise Unavailable(f"{seen.bad} bad answers")
            if not before and served >= WARM:
                time.sleep(2)  # what has ended is written
                before, served = resident(who.processes), 0
            elif before and served >= REQUESTS:
                break
        time.sleep(2)
        after = resident(who.processes)
    show(f"growth, {served:,} requests", ["", "MB before", "MB after"], [("llamactl", before / MB, after / MB)])
    verdict("MB grown", (after - before) / MB, 5)


def _rounds(place: Place, who: Contender) -> Iterator[Seen]:
    while True:
        yield load.drive(place, who, place.body(), connections=64, seconds=1.0, expect=ANSWER)
