"""A thread that brings records to where they go. Whoever hands them over never waits for it."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from llamactl.logs.daily import Entry

ROOM = 10_000
"""Records that may wait. One more is dropped, and counted."""
BATCH = 1000


class Outlet:
    """`write` is called in the thread, with some records in their order and how many were dropped before them.

    It must not raise. The thread does not keep the process alive.
    """

    def __init__(self, name: str, write: Callable[[Sequence[Entry], int], None]) -> None:
        self._write = write
        self._waiting: deque[Entry] = deque()
        self._dropped = 0
        self._busy = False
        self._ending = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, entry: Entry) -> None:
        with self._changed:
            if len(self._waiting) < ROOM:
                self._waiting.append(entry)
                self._changed.notify_all()
            else:
                self._dropped += 1

    def flush(self, patience: float) -> None:
        """Return when all is out, or after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._busy, patience)

    def close(self, patience: float) -> None:
        self.flush(patience)
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join(patience)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._ending)
                if not self._waiting:
                    return
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                dropped, self._dropped = self._dropped, 0
                self._busy = True
            self._write(batch, dropped)
