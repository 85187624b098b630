"""Keys that were used as they may not be: counted here, and told of once a minute at the most for each."""

import time
from collections.abc import Callable

from llamactl.core.events import KeyMisused, Misuse

EVERY = 60.0
"""Seconds between two events about the same."""
MOST = 1000
"""Keys and causes that are told apart. Ids come from the keys there are, but subjects of tokens from elsewhere."""


class _Noted:
    __slots__ = ("address", "count", "due")

    def __init__(self) -> None:
        self.address = ""
        self.count = 0
        self.due = 0.0


class Misuses:
    """Keys that are not known are counted together: whoever guesses ids fills neither the memory nor the events."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._noted: dict[tuple[str, Misuse], _Noted] = {}

    def note(self, key: str, what: Misuse, address: str) -> None:
        """`key` is the id of one that there is, or was, or the subject of a token; or empty."""
        noted = self._noted.get((key, what))
        if noted is None:
            if len(self._noted) >= MOST and key:
                self.note("", what, address)
                return
            noted = self._noted[key, what] = _Noted()
        noted.count += 1
        noted.address = address

    def take(self) -> list[KeyMisused]:
        """What is to be told now."""
        if not self._noted:
            return []
        now, told = self._now(), []
        for (key, what), noted in list(self._noted.items()):
            if noted.due > now:
                continue
            if noted.count:
                told.append(KeyMisused(key, what, noted.address, noted.count))
                noted.count, noted.due = 0, now + EVERY
            else:
                del self._noted[key, what]
        return told
