"""What goes through the door: requests, streams, streams held, large bodies."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from . import load
from .contenders import Contender, running
from .load import Seen
from .place import ANSWER, Place
from .processes import core_seconds, cpu_seconds, resident
from .report import Rounds, Row, show, verdict

MB = 1_000_000


@dataclass(frozen=True)
class Measured:
    """What the load saw of one contender in one round, and what that cost it."""

    seen: Seen
    cpu: float
    """CPU seconds of the contender's processes, the upstream's not among them."""
    company: float
    """CPU seconds that others took on the same core."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.seen.answers / self.seen.seconds

    @property
    def p50(self) -> float:
        """µs."""
        return self.seen.p50 / 1e3

    @property
    def p99(self) -> float:
        """µs."""
        return self.seen.p99 / 1e3

    @property
    def busy(self) -> float:
        """Per cent of a core."""
        return 100 * self.cpu / self.seen.seconds

    @property
    def each(self) -> float:
        """CPU µs an answer or chunk."""
        return 1e6 * self.cpu / max(self.seen.answers + self.seen.events, 1)


def measure(place: Place, contender: Contender, drive: Callable[[Contender], Seen]) -> Measured:
    cpu, core = cpu_seconds(contender.processes), core_seconds(place.proxy_core)
    seen = drive(contender)
    cpu, core = cpu_seconds(contender.processes) - cpu, core_seconds(place.proxy_core) - core
    return Measured(seen, cpu, max(core - cpu, 0))


def against(place: Place, contenders: Sequence[Contender], drive: Callable[[Contender], Seen]) -> Rounds[Measured]:
    """All rounds of one kind of load."""
    rounds: Rounds[Measured] = Rounds()
    rounds.take(place.rounds, {who.name: partial(measure, place, who, drive) for who in contenders})
    return rounds


def doubts(rounds: Rounds[Measured]) -> None:
    """Name what went wrong; a benchmark of wrong answers, or on a core shared with others, is worth nothing."""
    for name, samples in rounds.of.items():
        bad, reconnects = sum(m.seen.bad for m in samples), sum(m.seen.reconnects for m in samples)
        if bad or reconnects:
            print(f"  {name}: {bad} BAD answers, {reconnects} connections closed by it")
        if name != "direct" and (share := max(100 * m.company / m.seen.seconds for m in samples)) > 8:
            print(f"  {name}: other work took up to {share:.0f} % of its core: measure again on a quiet machine")


def requests(place: Place, names: Sequence[str]) -> None:
    """600-byte JSON answers to 300-byte chat requests over 1, 16 and 64 kept-alive connections."""
    body = place.body()
    with running(place, names) as contenders:
        for connections in (1, 16, 64):

            def drive(who: Contender, connections: int = connections) -> Seen:
                return load.drive(place, who, body, connections=connections, seconds=place.seconds, expect=ANSWER)

            rounds = against(place, contenders, drive)
            base = rounds.median("direct", lambda m: m.p50) if "direct" in rounds.of else None
            show(
                f"requests, {connections} connection{'s' * (connections > 1)}",
                ["", "req/s", "× nginx", "p50 µs", "× nginx", "added µs", "p99 µs", "CPU µs/req", "core %"],
                [
                    (
                        name,
                        rounds.median(name, lambda m: m.rate),
                        rounds.ratio(name, "nginx", lambda m: m.rate),
                        p50 := rounds.median(name, lambda m: m.p50),
                        rounds.ratio(name, "nginx", lambda m: m.p50),
                        "" if base is None or name == "direct" else p50 - base,
                        rounds.median(name, lambda m: m.p99),
                        rounds.median(name, lambda m: m.each) or "",
                        rounds.median(name, lambda m: m.busy) or "",
                    )
                    for name in rounds.of
                ],
            )
            doubts(rounds)
            if connections == 1:
                rounds.check("median latency", "llamactl", "nginx", lambda m: m.p50, 1.3)
            else:
                rounds.check("requests/s", "llamactl", "nginx", lambda m: m.rate, 0.7, least=True)


def streams(place: Place, names: Sequence[str], many: int = 64, rate: int = 500) -> None:
    """64 streams at once, 500 chunks/s each: how late a chunk is, and whether all came, each as its own event."""
    chunks = round(rate * max(place.seconds, 1))
    body = place.body(stream=(rate, chunks))

    def drive(who: Contender) -> Seen:
        limit = 3 * chunks / rate + 5
        return load.drive(place, who, body, connections=many, seconds=limit, expect=chunks, stream=True)

    with running(place, names) as contenders:
        rounds = against(place, contenders, drive)
    show(
        f"streams, {many} at once, {rate} chunks/s each",
        [
            "",
            "p50 µs",
            "× nginx",
            "p99 µs",
            "first µs",
            "chunks/s",
            "lost",
            "merged reads",
            "split",
            "CPU µs/chunk",
            "core %",
        ],
        [
            (
                name,
                rounds.median(name, lambda m: m.p50),
                rounds.ratio(name, "nginx", lambda m: m.p50),
                rounds.median(name, lambda m: m.p99),
                rounds.median(name, lambda m: m.seen.first / 1e3),
                rounds.median(name, lambda m: m.seen.events / m.seen.seconds),
                sum(missing(m.seen, many, chunks) for m in samples),
                f"{100 * sum(m.seen.merged for m in samples) / max(sum(m.seen.reads for m in samples), 1):.2f} %",
                sum(m.seen.split for m in samples),
                rounds.median(name, lambda m: m.each) or "",
                rounds.median(name, lambda m: m.busy) or "",
            )
            for name, samples in rounds.of.items()
        ],
    )
    doubts(rounds)
    rounds.check("median chunk delay", "llamactl", "nginx", lambda m: m.p50, 1.3)
    if "llamactl" in rounds.of:
        verdict("chunks lost or malformed", sum(missing(m.seen, many, chunks) for m in rounds.of["llamactl"]), 0)


def missing(seen: Seen, many: int, chunks: int) -> int:
    """Chunks that did not come, not in order or not as an event of their own; at least one per stream broken off."""
    return max(many * chunks - seen.events, many - seen.ended) + seen.lost + seen.malformed


def hold(place: Place, names: Sequence[str], many: int = 256, rate: int = 5) -> None:
    """256 streams open at once for four seconds: what each contender, freshly started, grows by."""
    chunks = 4 * rate
    body = place.body(stream=(rate, chunks))
    rows: list[Row] = []
    grown: dict[str, float] = {}
    with running(place, names, warm=1) as contenders:
        for who in contenders:
            if not who.processes:
                continue
            before = peak = resident(who.processes)
            words = load.command(place, who.address, body, connections=many, seconds=30, expect=chunks, stream=True)
            process = load.start(place, words)
            while process.poll() is None:
                peak = max(peak, resident(who.processes))
                time.sleep(0.1)
            seen = load.finish(process)
            grown[who.name] = (peak - before) / MB
            rows.append(
                (who.name, before / MB, peak / MB, grown[who.name], (peak - before) / many / 1e3,
                 missing(seen, many, chunks), seen.bad)
            )  # fmt: skip
    show(
        f"hold, {many} streams at {rate} chunks/s",
        ["", "MB before", "MB at most", "MB grown", "kB a stream", "chunks lost", "bad"],
        rows,
    )
    if "llamactl" in grown:
        verdict("MB grown, llamactl", grown["llamactl"], 15)


def bodies(place: Place, names: Sequence[str], megabytes: int = 10) -> None:
    """Requests of 10 MB, `model` at their end, one after another on one connection."""
    body = place.body(characters=megabytes * MB)

    def drive(who: Contender) -> Seen:
        return load.drive(place, who, body, connections=1, seconds=place.seconds, expect=ANSWER)

    with running(place, names) as contenders:
        rounds = against(place, contenders, drive)
    show(
        f"bodies, {megabytes} MB a request, 1 connection",
        ["", "MB/s", "× nginx", "p50 ms", "p99 ms", "CPU ms/req"],
        [
            (
                name,
                megabytes * rounds.median(name, lambda m: m.rate),
                rounds.ratio(name, "nginx", lambda m: m.rate),
                rounds.median(name, lambda m: m.p50) / 1e3,
                rounds.median(name, lambda m: m.p99) / 1e3,
                rounds.median(name, lambda m: m.each) / 1e3 or "",
            )
            for name in rounds.of
        ],
    )
    doubts(rounds)
    rounds.check("MB/s", "llamactl", "nginx", lambda m: m.rate, 0.5, least=True)
