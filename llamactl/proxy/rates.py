"""How many requests a minute: windows counted by `limits`, which is loaded only where there is a limit."""

import time
from collections.abc import Callable
from math import ceil

from limits import RateLimitItemPerSecond
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

MOST = 10_000
"""Windows that are counted at once; it takes 10,000 addresses in a minute to push one out before its end."""


class _Windows(Storage):
    """Counters in memory. The one of `limits` starts a thread after each request, and keeps all there ever were."""

    STORAGE_SCHEME = None
    base_exceptions = ValueError

    def __init__(self, now: Callable[[], float], clock: Callable[[], float]) -> None:
        super().__init__()
        self._now = now
        self._clock = clock
        self.by_who: dict[str, _Window] = {}  # the oldest first

    def __len__(self) -> int:
        return len(self.by_who)

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        window, now = self.by_who.get(key), self._now()
        if window is not None and window.end > now:
            window.count += amount
            return window.count
        self.by_who.pop(key, None)
        if len(self.by_who) >= MOST:
            del self.by_who[next(iter(self.by_who))]
        self.by_who[key] = _Window(amount, now + expiry, ceil(self._clock() + expiry))
        return amount

    def get(self, key: str) -> int:
        window = self.by_who.get(key)
        return 0 if window is None or window.end <= self._now() else window.count

    def get_expiry(self, key: str) -> float:
        window = self.by_who.get(key)
        return self._now() if window is None else window.end

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        count = len(self.by_who)
        self.by_who.clear()
        return count

    def clear(self, key: str) -> None:
        self.by_who.pop(key, None)


class _Window:
    """How many were counted until its `end` on the monotonic clock. `told` is what headers say of that end."""

    __slots__ = ("count", "end", "told")

    def __init__(self, count: int, end: float, reset: int) -> None:
        """`reset` is that end in seconds since the epoch."""
        self.count = count
        self.end = end
        self.told = b"\r\nX-RateLimit-Reset: %d\r\n" % reset


class _Limit(RateLimitItemPerSecond):
    """So many in so many seconds. What `limits` would make of the key takes longer than all the rest."""

    __slots__ = ("told",)

    def __init__(self, amount: int, seconds: int) -> None:
        super().__init__(amount, seconds)
        self.told = b"X-RateLimit-Limit: %d\r\nX-RateLimit-Remaining: " % amount

    def key_for(self, *identifiers: bytes | str | int | float) -> str:
        return identifiers[0]  # type: ignore[return-value]  # all of ours are texts

    def get_expiry(self) -> int:
        return self.multiples


class Rates:
    """A window of a minute (longer for slow rates) begins with the first request; after its end there is another."""

    def __init__(self, now: Callable[[], float] = time.monotonic, clock: Callable[[], float] = time.time) -> None:
        """`now` is monotonic, `clock` seconds since the epoch."""
        self._now = now
        self.windows = _Windows(now, clock)
        limiter = FixedWindowRateLimiter(self.windows)
        self._hit, self._test = limiter.hit, limiter.test
        self._limits: dict[float, _Limit] = {}

    def hit(self, who: str, rate: float) -> tuple[bytes, float]:
        """Count a request of `who`, who may send `rate` a minute: headers that tell what is left, and how long to wait.

        0 seconds: it may go on. The headers are as GitHub and many others have them: the window ends in whole seconds
        since the epoch.
        """
        limit = self._limits.get(rate) or self._known(rate)
        window = self.windows.by_who.get(who)
        if window is not None and window.count < limit.amount and window.end > self._now():  # nothing is to be decided
            window.count += 1
        else:
            ok = self._hit(limit, who)
            window = self.windows.by_who[who]
            if not ok:
                return self._spent(limit, window)
        return b"%b%d%b" % (limit.told, limit.amount - window.count, window.told), 0.0

    def left(self, who: str, rate: float) -> tuple[bytes, float]:
        """What `hit` would say to one who has none left, but not counted; else no headers and 0 seconds."""
        limit = self._limits.get(rate) or self._known(rate)
        if self._test(limit, who):
            return b"", 0.0
        return self._spent(limit, self.windows.by_who[who])

    def _spent(self, limit: _Limit, window: _Window) -> tuple[bytes, float]:
        return b"%b0%b" % (limit.told, window.told), max(0.001, window.end - self._now())

    def _known(self, rate: float) -> _Limit:
        limit = self._limits[rate] = _limit(rate)
        return limit


def _limit(rate: float) -> _Limit:
    """A minute, or as many as it takes for a whole number of requests; an hour, if that lets one through."""
    for minutes in (1, 2, 3, 5, 6, 10, 12, 15, 20, 30, 60):
        if (rate * minutes) % 1 < 1e-9 * rate and rate * minutes >= 1:
            return _Limit(round(rate * minutes), 60 * minutes)
    return _Limit(1, ceil(60 / rate)) if rate < 1 / 60 else _Limit(int(rate * 60), 3600)
