"""Measures each `interval`: into the store, then to whoever watches.

What takes long is measured in a thread, so that nobody waits for it; llama-servers are asked meanwhile, all at once.
"""

import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus

from llamactl.core.errors import StoreFailed
from llamactl.core.events import SamplesTaken
from llamactl.core.sample import Gpu, Host, Sample, Served
from llamactl.hub import Hub
from llamactl.llamaserver.counters import Counted
from llamactl.metrics.gpus import Gpus, by_session
from llamactl.metrics.host import HostMeter, Process, ProcessMeter
from llamactl.metrics.servers import Running, Servers, connections

log = logging.getLogger(__name__)

LEAST = 0.25
"""Seconds: the shortest interval."""

TOGETHER = 1.0
"""Seconds between two transactions, at least."""

MINUTE = 60.0


class Sampler:
    """`latest` is what was measured last.

    `running` are the llama-servers that serve, `requests` how many requests there were since the daemon began. `live`
    gives the tokens a second of each model now, as its clients see them; until it is set nothing is known of that. The
    daemon `began` then, on the clock; None: now.
    """

    def __init__(
        self,
        hub: Hub,
        put: Callable[[Sequence[Sample]], Awaitable[None]],
        running: Callable[[], list[Running]],
        requests: Callable[[], int],
        host: HostMeter,
        gpus: Gpus,
        servers: Servers,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        began: float | None = None,
    ) -> None:
        self._hub = hub
        self._put = put
        self._running = running
        self._requests = requests
        self._host = host
        self._processes = ProcessMeter(clock)
        self._gpus = gpus
        self.servers = servers
        self._clock = clock
        self._now = now
        self._began = clock() if began is None else began
        self._interval = 2.0
        self._changed = anyio.Event()
        self._counts: deque[tuple[float, int]] = deque()
        self._waiting: list[Sample] = []
        self._written = float("-inf")
        self._failed = False
        self.live: Callable[[], Mapping[str, float]] = dict
        self.latest: Sample | None = None

    def configure(self, interval: float) -> None:
        """Seconds from one measurement to the next."""
        self._interval = max(interval, LEAST)
        self._changed.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        await self.take()
        task_status.started()
        try:
            due = self._clock()
            while True:
                due = max(due + self._interval, self._clock())  # what was missed is not made up for
                self._changed = anyio.Event()
                with anyio.move_on_after(due - self._clock()):
                    await self._changed.wait()
                    due = self._clock()
                    continue
                await self.take()
        finally:
            with anyio.CancelScope(shield=True):
                await self._write()

    def rate(self, model: str) -> float | None:
        """Tokens a second, when it was measured last."""
        served = () if self.latest is None else self.latest.models
        return next((one.rate for one in served if one.model == model), None)

    async def take(self) -> Sample:
        """Measure now: store before hub."""
        running = self._running()
        measured: list[_Measured] = []

        async def measure() -> None:
            measured.append(await anyio.to_thread.run_sync(self._measure, running))

        async with anyio.create_task_group() as group:
            group.start_soon(measure)
            counted = await self.servers.look(running)
        sample = self._sample(running, *measured[0], counted)
        self.latest = sample
        self._waiting.append(sample)
        if self._clock() - self._written >= TOGETHER:
            await self._write()
        self._hub.publish(SamplesTaken(sample))
        return sample

    async def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._written = self._clock()
        try:
            if waiting:
                await self._put(waiting)
            self._failed = False
        except StoreFailed as error:  # a gap in the history; the next may go through
            if not self._failed:
                log.error("measurements are not kept: %s", error.message)
            self._failed = True

    def _measure(self, running: Sequence[Running]) -> "_Measured":
        """In a thread."""
        pids = [server.pid for server in running]
        return (
            self._host.measure(),
            self._gpus.measure(pids),
            self._processes.measure(pids),
            connections(server.endpoint for server in running),
        )

    def _sample(
        self,
        running: Sequence[Running],
        host: Host,
        gpus: tuple[Gpu, ...],
        processes: Mapping[int, Process],
        open_: Mapping[str, int],
        counted: Mapping[str, Counted],
    ) -> Sample:
        live = self.live()
        held = {gpu.label: by_session(gpu.processes) for gpu in gpus if gpu.processes}
        return Sample(
            at=round(self._now() * 1000),
            host=host,
            gpus=gpus,
            models=tuple(
                _served(
                    server,
                    processes.get(server.pid),
                    open_.get(server.endpoint),
                    {name: sizes[server.pid] for name, sizes in held.items() if server.pid in sizes},
                    counted.get(server.model),
                    live.get(server.model),
                )
                for server in running
            ),
            active_models=len(running),
            uptime=round(self._clock() - self._began),
            requests_per_minute=self._per_minute(),
        )

    def _per_minute(self) -> float:
        """Of the last minute; less than that after the start."""
        now, count = self._clock(), self._requests()
        self._counts.append((now, count))
        while len(self._counts) > 1 and self._counts[1][0] <= now - MINUTE:
            self._counts.popleft()
        return float(max(0, count - self._counts[0][1]))


_Measured = tuple[Host, tuple[Gpu, ...], Mapping[int, Process], Mapping[str, int]]


def _served(
    server: Running,
    process: Process | None,
    open_: int | None,
    gpu_memory: dict[str, int],
    counted: Counted | None,
    live: float | None,
) -> Served:
    values = counted.values if counted else {}
    rates = counted.rates if counted else {}

    def whole(name: str) -> int | None:
        return int(values[name]) if name in values else None

    return Served(
        model=server.model,
        pid=server.pid,
        cpu=process.cpu if process else None,
        memory=process.memory if process else None,
        threads=process.threads if process else None,
        connections=open_,
        gpu_memory=gpu_memory,
        processing=whole("requests_processing"),
        deferred=whole("requests_deferred"),
        prompt_tokens=counted.total("prompt_tokens_total") if counted else None,
        cached_tokens=counted.total("prompt_tokens_cached_total") if counted else None,
        predicted_tokens=counted.total("tokens_predicted_total") if counted else None,
        prompt=rates.get("prompt_tokens_total"),
        predicted=rates.get("tokens_predicted_total"),
        decoded=rates.get("n_decode_total"),
        live=live,
    )
