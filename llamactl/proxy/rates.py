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
        self._windows: dict[str, tuple[int, float, int]] = {}  # how many, and its end by both clocks; the oldest first

    def __len__(self) -> int:
        return len(self._windows)

    def seen(self, key: str) -> tuple[int, float, int]:
        """How many, and the end by both clocks, of one that was just counted."""
        return self._windows[key]

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        window, now = self._windows.get(key), self._now()
        if window is not None and window[1] > now:
            count, end, reset = window
            self._windows[key] = count + amount, end, reset
            return count + amount
        self._windows.pop(key, None)
        if len(self._windows) >= MOST:
            del self._windows[next(iter(self._windows))]
        self._windows[key] = amount, now + expiry, ceil(self._clock() + expiry)
        return amount

    def get(self, key: str) -> int:
        window = self._windows.get(key)
        return 0 if window is None or window[1] <= self._now() else window[0]

    def get_expiry(self, key: str) -> float:
        window = self._windows.get(key)
        return self._now() if window is None else window[1]

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        count = len(self._windows)
        self._windows.clear()
        return count

    def clear(self, key: str) -> None:
        self._windows.pop(key, None)


class _Limit(RateLimitItemPerSecond):
    """So many in so many seconds. What `limits` would make of the key takes longer than all the rest."""

    def key_for(self, *identifiers: bytes | str | int | float) -> str:
        return str(identifiers[0])


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

        0 seconds: it may go on.
        """
        limit = self._limits.get(rate) or self._known(rate)
        ok = self._hit(limit, who)
        count, end, reset = self.windows.seen(who)
        if ok:
            return _LINES % (limit.amount, limit.amount - count, reset), 0.0
        return _LINES % (limit.amount, 0, reset), max(0.001, end - self._now())

    def left(self, who: str, rate: float) -> tuple[bytes, float]:
        """What `hit` would say to one who has none left, but not counted; else no headers and 0 seconds."""
        limit = self._limits.get(rate) or self._known(rate)
        if self._test(limit, who):
            return b"", 0.0
        _, end, reset = self.windows.seen(who)
        return _LINES % (limit.amount, 0, reset), max(0.001, end - self._now())

    def _known(self, rate: float) -> _Limit:
        limit = self._limits[rate] = _limit(rate)
        return limit


_LINES = b"X-RateLimit-Limit: %d\r\nX-RateLimit-Remaining: %d\r\nX-RateLimit-Reset: %d\r\n"
"""As GitHub and many others tell it: the last one in whole seconds since the epoch."""


def _limit(rate: float) -> _Limit:
    """A minute, or as many as it takes for a whole number of requests; an hour, if that lets one through."""
    for minutes in (1, 2, 3, 5, 6, 10, 12, 15, 20, 30, 60):
        if (rate * minutes) % 1 < 1e-9 * rate and rate * minutes >= 1:
            return _Limit(round(rate * minutes), 60 * minutes)
    return _Limit(1, ceil(60 / rate)) if rate < 1 / 60 else _Limit(int(rate * 60), 3600)
