"""What becomes of a model whose llama-server died though it was wanted.

It is started again after a pause, which grows with every death until it has been ready for a while. So many
deaths within so much time, and it is given up: requests are refused until enough of them lie that far back, or
somebody starts it by name. What would die of the same cause again is not started again by itself.

Times are seconds on the daemon's monotonic clock.
"""

import msgspec

from llamactl.core.exits import OF_MEMORY, Kind

NEVER: frozenset[Kind] = frozenset(
    {
        "bad_argument",
        "missing_file",
        "corrupt_file",
        "unsupported",
        "cannot_bind",
        "illegal_instruction",
        "library_missing",
        "refused",
        "stalled",
    }
)
"""Time does not help against these. The next request tries again all the same: somebody may have mended it."""

ONCE: frozenset[Kind] = OF_MEMORY | {"assertion", "worker_lost"}
"""While it loads, these rarely pass: a device may have been late to give memory back, a worker may only now be started
again. Tried once more."""

SPREAD = 0.1
"""A pause is that part longer or shorter, so that models that died together do not come back together."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The section `restart` of the configuration; all but `factor` and `crashes` in seconds."""

    first: float = 1.0
    factor: float = 2.0
    longest: float = 60.0
    healthy_after: float = 120.0
    crashes: int = 5
    window: float = 600.0


class Record(msgspec.Struct, frozen=True):
    """What a model has behind it.

    `crashes` are the times of those that may still count, `pauses` how many it had since it was last well,
    `spared`: it was given the one more try of those that rarely pass.
    """

    crashes: tuple[float, ...] = ()
    pauses: int = 0
    spared: bool = False


class Again(msgspec.Struct, frozen=True):
    """Start it again at this time."""

    at: float


class GiveUp(msgspec.Struct, frozen=True):
    """It has failed. No request starts it before `until`; `why` is for people, or empty if the cause says it all."""

    until: float = 0.0
    why: str = ""


def judge(
    policy: Policy, record: Record, kind: Kind, now: float, served: float | None, jitter: float
) -> tuple[Record, Again | GiveUp]:
    """What to do after a death at `now`, and what to remember of it.

    `served`: for how long it had been ready, None if it never was. `jitter` is a random number from 0 to 1.
    """
    if kind in NEVER:
        return record, GiveUp()
    well = served is not None and served >= policy.healthy_after
    pauses = 0 if well else record.pauses
    crashes = (*(at for at in record.crashes if at > now - policy.window), now)[-policy.crashes :]
    rarely = served is None and kind in ONCE
    if rarely and record.spared:
        return Record(crashes, pauses), GiveUp()
    if len(crashes) >= policy.crashes:
        until = crashes[0] + policy.window
        return Record(crashes, pauses, rarely), GiveUp(until, f"died {_times(policy)}")
    return Record(crashes, pauses + 1, rarely), Again(now + pause(policy, pauses, jitter))


def pause(policy: Policy, before: int, jitter: float) -> float:
    """Seconds to wait, after `before` pauses."""
    exact = policy.first * policy.factor ** min(before, 64)
    return min(policy.longest, exact * (1 + SPREAD * (2 * jitter - 1)))


def _times(policy: Policy) -> str:
    times = "once" if policy.crashes == 1 else f"{policy.crashes} times"
    return f"{times} within {policy.window:g} s"
