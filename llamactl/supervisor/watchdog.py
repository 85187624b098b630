"""Marks instances in which nothing moves any more, and restarts them where that is wanted.

It looks ten times in a window, at what costs nothing: how far the answers are, and how much was logged. Only when
nothing has moved between two looks is the llama-server itself asked, which then has a request and so does not sleep.
One that no longer listens, or is caught in its own end, is put down at once: it was told to end by somebody else, and
will not serve again.
Before it is called wedged it is asked for one token: who gives one works, and only that request hangs.
"""

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import anyio
from anyio.abc import TaskStatus

from llamactl.core.instance import Ready
from llamactl.core.wedge import Look, Watch, compare
from llamactl.supervisor.server import Server
from llamactl.supervisor.supervisor import Supervisor

PROBED = 30.0
"""Seconds that one token may take of an instance that seems to be wedged, or the window if that is shorter."""

LOOKS, SOONEST = 10, 2.0
"""In a window, and seconds between two: more often llama-server would not notice when clients leave."""


class Watchdog:
    """`window` in seconds; 0: it does not look.

    Of an endpoint, `listens` tells whether connections are taken there, `answers` how far its answers are (see
    `core.wedge.Look`), `decodes` how many decodes it has counted (None: no answer), `probe` whether it gives a token
    within so many seconds.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        listens: Callable[[str], Awaitable[bool]],
        answers: Callable[[str], Mapping[int, object]],
        decodes: Callable[[str], Awaitable[int | None]],
        probe: Callable[[str, float], Awaitable[bool]],
        *,
        window: float = 300.0,
        then: Literal["mark", "restart"] = "mark",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._supervisor = supervisor
        self._listens = listens
        self._answers = answers
        self._decodes = decodes
        self._probe = probe
        self._window = window
        self._then = then
        self._clock = clock
        self._configured = anyio.Event()
        self._watches: dict[tuple[str, int], Watch] = {}
        """By name and pid: another process is another matter."""

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        while True:
            self._configured = anyio.Event()
            with anyio.move_on_after(max(SOONEST, self._window / LOOKS) if self._window else math.inf):
                await self._configured.wait()
                continue
            await self._look_at_all()

    def configure(self, window: float, then: Literal["mark", "restart"]) -> None:
        """Other rules than it was made with."""
        self._window, self._then = window, then
        self._configured.set()

    async def _look_at_all(self) -> None:
        busy: dict[tuple[str, int], bool] = {}
        for instance in self._supervisor.instances():
            doubted = instance.wedged is not None
            if isinstance(instance.phase, Ready) and instance.leases:
                busy[instance.model, instance.phase.pid] = doubted
            elif doubted:  # whoever has nothing to do is not wedged
                self._supervisor.doubt(instance.model, None)
        self._watches = {key: watch for key, watch in self._watches.items() if key in busy}
        async with anyio.create_task_group() as group:
            for (name, pid), doubted in busy.items():
                group.start_soon(self._look_at, name, pid, doubted)

    async def _look_at(self, name: str, pid: int, doubted: bool) -> None:
        server = self._supervisor.serving(name)
        if server is None:
            return
        endpoint = server.endpoint
        before = self._watches.get((name, pid))
        logged = server.progress()
        watch = compare(before, Look(self._answers(endpoint), logged), self._clock())
        if before is not None and watch.since == before.since:  # not a sign of life: now it is worth a question
            if server.ending() or not await self._listens(endpoint):
                if self._supervisor.serving(name) is server:  # it has not ended while it was asked
                    self._supervisor.doubt(name, watch.since)
                    server.kill()
                return
            look = Look(watch.look.answers, logged, await self._decodes(endpoint))
            watch = compare(before, look, self._clock())
        self._watches[name, pid] = watch
        if self._clock() - watch.since < self._window:
            if doubted:
                self._supervisor.doubt(name, None)
        elif not doubted:
            await self._doubt(name, server, watch)

    async def _doubt(self, name: str, server: Server, watch: Watch) -> None:
        if await self._probe(server.endpoint, min(PROBED, self._window)):
            self._watches.pop((name, server.pid), None)
        elif self._supervisor.serving(name) is server:  # it has not ended while it was asked
            self._supervisor.doubt(name, watch.since)
            if self._then == "restart":
                server.kill()
