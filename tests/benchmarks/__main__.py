"""`python -m tests.benchmarks [NAME …]`: see `tests/benchmarks/__init__.py`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

from .catalogue import catalogue
from .contenders import CONTENDERS
from .deciding import deciding
from .features import crowd, features, growth
from .headers import headers
from .idle import idle
from .logs import logs
from .measuring import measuring
from .outliving import adoption, reexec
from .place import Place, Unavailable, place
from .processes import end_leftovers, warn_of_company
from .startup import startup
from .swap import swap
from .traffic import bodies, hold, requests, streams
from .watching import watching
from .writing import writing

BENCHMARKS: dict[str, Callable[[Place, Sequence[str]], None]] = {
    "requests": requests,
    "streams": streams,
    "hold": hold,
    "bodies": bodies,
    "features": features,
    "crowd": crowd,
    "growth": growth,
    "swap": swap,
    "adoption": adoption,
    "reexec": reexec,
    "idle": idle,
    "startup": startup,
    "headers": headers,
    "catalogue": catalogue,
    "writing": writing,
    "measuring": measuring,
    "deciding": deciding,
    "watching": watching,
    "logs": logs,
}


def main() -> int:
    described = "\n".join(f"  {name:9} {(run.__doc__ or '').splitlines()[0]}" for name, run in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=f"Benchmarks of llamactl; without a NAME all of them, in this order:\n{described}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}")
    parser.add_argument("--only", default=",".join(CONTENDERS), metavar="A,B", help="contenders (default: %(default)s)")
    parser.add_argument(
        "--rounds", type=int, default=5, help="how often each contender has its turn (default: %(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=1.5, help="length of one turn (default: %(default)s)")
    parser.add_argument("--limit", type=int, default=480, help="give up after so many seconds (default: %(default)s)")
    chosen = parser.parse_args()
    contenders = [name for name in chosen.only.split(",") if name]
    for name, known in [(n, BENCHMARKS) for n in chosen.names] + [(n, CONTENDERS) for n in contenders]:
        if name not in known:
            parser.error(f"{name!r} is none of {', '.join(known)}")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, stop)
    signal.alarm(chosen.limit)
    begun = time.monotonic()
    failed = False
    print(f"{' '.join(os.uname()[0:3:2])}, {len(os.sched_getaffinity(0))} cores, Python {sys.version.split()[0]}")
    with place(chosen.seconds, chosen.rounds) as here:
        try:
            for name in chosen.names or BENCHMARKS:
                warn_of_company()
                try:
                    BENCHMARKS[name](here, contenders)
                except Unavailable as reason:
                    failed = True
                    print(f"\n{name}: not measured: {reason}", flush=True)
        finally:
            signal.alarm(0)
            end_leftovers(here.directory)
    print(f"\n{time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


def stop(number: int, frame: FrameType | None) -> NoReturn:
    """Leave through every `finally`, so that nothing stays behind."""
    signal.alarm(0)
    raise SystemExit("time is up" if number == signal.SIGALRM else f"ended by {signal.Signals(number).name}")


if __name__ == "__main__":
    sys.exit(main())
