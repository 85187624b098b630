"""What was asked of models: requests that have ended are understood, kept and told of once a second."""

import logging
import time
from collections.abc import Callable

import anyio
import msgspec
from anyio.abc import TaskStatus

from llamactl.config.sections import Config
from llamactl.core.errors import StoreFailed
from llamactl.core.events import RequestsFinished
from llamactl.core.requests import ModelRequest
from llamactl.hub import Hub
from llamactl.proxy.record import ROOM, Journal, Record
from llamactl.store import Requests

log = logging.getLogger(__name__)

SLICE = 64
"""Requests whose answers are read at once: a millisecond in which nothing else happens."""

TRIM = 60.0
"""Seconds after which requests that are too old go, also if there are no new ones."""

TOLD = 100
"""Requests in one event; of more only their number."""


class Live(msgspec.Struct, frozen=True):
    """Of one model: its requests under way, and the tokens a second that it streamed in the last one."""

    requests: int = 0
    rate: float = 0.0


class History:
    def __init__(
        self,
        config: Callable[[], Config],
        journal: Journal,
        store: Requests,
        hub: Hub,
        clock: Callable[[], float] = time.monotonic,
        *,
        observe: Callable[[list[ModelRequest]], None] = lambda ended: None,
    ) -> None:
        """`observe` is told of all that have ended, whether they are kept or not."""
        self._config = config
        self._journal = journal
        self._store = store
        self._hub = hub
        self._unwritten: list[ModelRequest] = []
        self._trimmed = 0.0
        self._failing = False
        self._rates: dict[str, float] = {}
        self._clock = clock
        self._observe = observe
        self._counted = clock()
        self._lost = 0

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; what has ended by then is kept, too."""
        task_status.started()
        try:
            while True:
                await anyio.sleep(1.0)
                await self._turn()
        finally:
            await self._turn()

    def recent(self) -> list[ModelRequest]:
        """Those under way, and those that have ended and cannot be found in the store yet; each the newest first."""
        zero = epoch()
        under_way = sorted(self._journal.under_way, key=lambda record: record.arrived, reverse=True)
        ended = [*self._unwritten, *(record.told(zero) for record in self._journal.ended())]
        return [*(record.told(zero) for record in under_way), *reversed(ended)]

    def live(self) -> dict[str, Live]:
        """By model, those that have something to do."""
        requests: dict[str, int] = {}
        for record in self._journal.under_way:
            requests[record.model] = requests.get(record.model, 0) + 1
        names = requests.keys() | self._rates.keys()
        return {name: Live(requests.get(name, 0), self._rates.get(name, 0.0)) for name in names}

    def rates(self) -> dict[str, float]:
        """Tokens a second that each model streamed in the last one."""
        return {name: live.rate for name, live in self.live().items()}

    async def _turn(self) -> None:
        with anyio.CancelScope(shield=True):  # what has been taken from the journal is nowhere else
            await self._take()

    async def _take(self) -> None:
        records = self._journal.take()
        self._count(records)
        ended: list[ModelRequest] = []
        zero = epoch()
        for start in range(0, len(records), SLICE):
            ended += [record.told(zero) for record in records[start : start + SLICE]]
            await anyio.lowlevel.checkpoint()
        if self._config().requests.rows:
            self._unwritten = [*self._unwritten, *ended][-ROOM:]
        await self._keep()
        if ended:
            self._observe(ended)
            self._hub.publish(RequestsFinished(tuple(ended[-TOLD:]), max(0, len(ended) - TOLD)))
        lost, self._lost = self._journal.lost - self._lost, self._journal.lost
        if lost:
            log.warning("%d requests are not remembered: more than %d have ended in a second", lost, ROOM)

    async def _keep(self) -> None:
        """What cannot be written now is tried again the next time."""
        now, requests = time.time(), self._config().requests
        if not self._unwritten and abs(now - self._trimmed) < TRIM:
            return
        try:
            if self._unwritten:
                await self._store.put(self._unwritten)
                self._unwritten = []
            await self._store.trim(now - requests.keep, requests.rows)
            self._trimmed, self._failing = now, False
        except StoreFailed as error:
            if not self._failing:
                log.error("requests are not kept for now: %s", error.message)
            self._failing = True

    def _count(self, ended: list[Record]) -> None:
        """The events that have come since this was last done, by model."""
        now = self._clock()
        events: dict[str, int] = {}
        for record in (*ended, *self._journal.under_way):
            if record.events > record.counted:
                events[record.model] = events.get(record.model, 0) + record.events - record.counted
                record.counted = record.events
        passed, self._counted = max(now - self._counted, 0.1), now
        self._rates = {model: count / passed for model, count in events.items()}


def epoch() -> float:
    """When the monotonic clock was at zero, in seconds since 1970."""
    return time.time() - time.monotonic()
