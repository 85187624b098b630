"""What each feature costs that can be switched off, and whether memory grows with the requests served."""

from __future__ import annotations

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
from .traffic import MB, Measured, doubts, measure

OFF: Mapping[str, Mapping[str, str]] = {"history": {"LLAMACTL_REQUESTS_ROWS": "0"}}
"""Settings that switch a feature off, beside those of every daemon that is measured."""

REQUESTS = 200_000
WARM = 20_000


def features(place: Place, names: Sequence[str]) -> None:
    """Requests over 64 connections with everything on, and with each feature off: what it costs."""
    body = place.body()

    def drive(address: str) -> Seen:
        return load.drive(place, address, body, connections=64, seconds=place.seconds, expect=ANSWER)

    with ExitStack() as stack:
        up = {"all": stack.enter_context(llamactl(place))}
        up |= {f"no {name}": stack.enter_context(llamactl(place, settings)) for name, settings in OFF.items()}
        if "nginx" in names:
            up["nginx"] = stack.enter_context(nginx(place))
        for who in up.values():
            drive(who.address)
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
        yield load.drive(place, who.address, place.body(), connections=64, seconds=1.0, expect=ANSWER)
