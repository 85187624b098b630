"""What a llama-server counts, as it says at `/metrics` (pure).

Its gauges of tokens a second are averages since anybody asked last; so rates are made of the counters here. Those of
tokens move when a request ends, `n_decode_total` alone moves while one is worked at.
"""

import re
from collections.abc import Mapping

import msgspec

_LINE = re.compile(rb"^llamacpp:(\w+) (\S+)$", re.MULTILINE)
TOTAL = "_total"


def read(body: bytes) -> dict[str, float]:
    """By name, without `llamacpp:`; what has labels is left out, and what is no number."""
    found: dict[str, float] = {}
    for name, number in _LINE.findall(body):
        try:
            found[name.decode()] = float(number)
        except ValueError:
            continue
    return found


class Counted(msgspec.Struct, frozen=True):
    """What one process said at a moment (seconds), and what all before it said to the end."""

    pid: int
    at: float
    values: Mapping[str, float]
    earlier: Mapping[str, float] = {}
    rates: Mapping[str, float] = {}

    def total(self, name: str) -> int | None:
        """Over all processes."""
        value = self.values.get(name)
        return None if value is None else int(value + self.earlier.get(name, 0.0))


def counted(before: Counted | None, pid: int, at: float, values: Mapping[str, float]) -> Counted:
    """With the rates since the question before, a second; a process that began anew has none, and loses nothing."""
    if before is None:
        return Counted(pid, at, values)
    names = [name for name in values if name.endswith(TOTAL)]
    if pid != before.pid or any(values[name] < before.values.get(name, 0.0) for name in names):
        earlier = {name: before.earlier.get(name, 0.0) + before.values.get(name, 0.0) for name in names}
        return Counted(pid, at, values, earlier)
    passed, rates = at - before.at, before.rates
    if passed > 0:
        rates = {name: (values[name] - before.values[name]) / passed for name in names if name in before.values}
    return Counted(pid, at, values, before.earlier, rates)
