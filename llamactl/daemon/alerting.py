"""Watches what is measured, and tells what is beyond its limit: as events, and to a webhook."""

import logging
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskStatus

from llamactl import __version__
from llamactl.config.sections import Alerts
from llamactl.core.alerts import Rule, State, judge
from llamactl.core.events import AlertCleared, AlertRaised, Numbered, SamplesTaken, kind
from llamactl.core.sample import Sample, share
from llamactl.hub import Hub

log = logging.getLogger(__name__)

TRIES, FIRST, PATIENCE = 5, 1.0, 10.0
"""A webhook is called so often, after 1, 2, 4 and 8 seconds; each time it has so many seconds to answer."""
WAITING = 100
"""Calls that may wait; the oldest go first."""


def rules(alerts: Alerts) -> list[Rule]:
    """One for each limit that is set."""
    limits = (
        ("cpu_usage", alerts.cpu, " %"),
        ("memory_usage", alerts.memory, " %"),
        ("disk_usage", alerts.disk, " %"),
        ("gpu_usage", alerts.gpu, " %"),
        ("gpu_temperature", alerts.gpu_temperature, " °C"),
        ("gpu_memory_usage", alerts.gpu_memory, " %"),
        ("gpu_power_usage", alerts.gpu_power, " W"),
    )
    return [
        Rule(series, limit, limit * alerts.margin / 100, alerts.hold, unit) for series, limit, unit in limits if limit
    ]


def values(sample: Sample) -> dict[str, float | None]:
    """What is watched of it, by the name of the series; of each disk and GPU, by its own."""
    host = sample.host
    found: dict[str, float | None] = {
        "cpu_usage": host.cpu,
        "memory_usage": share(host.memory_total - host.memory_available, host.memory_total),
    }
    found |= {f"disk_usage:{disk.path}": disk.usage for disk in host.disks}
    for gpu in sample.gpus:
        found[f"gpu_usage:{gpu.label}"] = gpu.usage
        found[f"gpu_temperature:{gpu.label}"] = gpu.temperature
        found[f"gpu_memory_usage:{gpu.label}"] = share(gpu.memory_used, gpu.memory_total)
        found[f"gpu_power_usage:{gpu.label}"] = gpu.power
    return found


class Alerting:
    """`clock` gives seconds since any moment."""

    def __init__(self, hub: Hub, clock: Callable[[], float] = time.monotonic) -> None:
        self._hub = hub
        self._clock = clock
        self._rules: list[Rule] = []
        self._webhook: str | None = None
        self._state: State = {}

    def configure(self, alerts: Alerts) -> None:
        """Again when the configuration changes. It holds from the next values on."""
        self._rules = rules(alerts)
        self._webhook = alerts.webhook

    def take(self, values: Mapping[str, float | None]) -> None:
        """All that was measured at one time."""
        self._state, told = judge(self._rules, self._state, values, self._clock())
        for event in told:
            self._hub.publish(event)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled: follow the hub, and call the webhook."""
        async with anyio.create_task_group() as group:
            await group.start(self._call)
            with self._hub.watch() as watcher:
                task_status.started()
                async for numbered in watcher:
                    if isinstance(numbered.event, SamplesTaken):
                        self.take(values(numbered.event.sample))

    async def _call(self, *, task_status: TaskStatus[None]) -> None:
        """One after the other, so that they arrive in their order."""
        with self._hub.watch(WAITING, alerts_only) as watcher:
            task_status.started()
            async for numbered in watcher:
                url = self._webhook
                if url is not None:
                    await post(url, numbered)


def alerts_only(numbered: Numbered) -> bool:
    return isinstance(numbered.event, AlertRaised | AlertCleared)


async def post(url: str, numbered: Numbered, pause: float = FIRST) -> None:
    """Tell an alert to who asked for it. It is logged if that fails for good; never what is secret in the URL."""
    event = {"schema": "llamactl.alert/v1", "host": socket.gethostname(), "id": numbered.id, "at": numbered.at}
    body = msgspec.json.encode(event | msgspec.to_builtins(numbered.event))
    for left in reversed(range(TRIES)):
        problem, again = await anyio.to_thread.run_sync(_post, url, body, abandon_on_cancel=True)
        if not problem:
            return
        if not again or not left:
            break
        await anyio.sleep(pause)
        pause *= 2
    log.warning("%s %d is not told to the webhook at %s: %s", kind(numbered.event), numbered.id, _where(url), problem)


def _post(url: str, body: bytes) -> tuple[str, bool]:
    """What went wrong, if anything, and whether it may go well another time."""
    headers = {"Content-Type": "application/json", "User-Agent": f"llamactl/{__version__}"}
    try:
        request = urllib.request.Request(url, body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=PATIENCE):
            return "", False
    except urllib.error.HTTPError as error:
        with error:
            return f"HTTP {error.code}", error.code >= 500 or error.code in (408, 425, 429)
    except (OSError, HTTPException, ValueError) as error:  # what it says may quote the URL
        reason = getattr(error, "reason", error)
        return getattr(reason, "strerror", None) or type(reason).__name__, True


def _where(url: str) -> str:
    """The host only: user, path and query may be secret."""
    return urlsplit(url).hostname or "?"
