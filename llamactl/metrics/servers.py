"""Our llama-servers: what each says of itself.

Each is asked for its numbers no more often than each 2 s: else it would not notice clients that leave. It is asked
only while they can have changed, that is, while somebody uses it, and until it has said that nothing is left to do:
asking begins its idle time anew, and wakes one that sleeps. One that nobody uses is asked first whether it does.
"""

import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path

import anyio
import msgspec

from llamactl.core.errors import NotRunning
from llamactl.llamaserver import api
from llamactl.llamaserver.counters import Counted, counted, read

SOONEST = 2.0
"""Seconds between two questions."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A llama-server that serves; `requests` is how many leases there ever were on its model."""

    model: str
    pid: int
    endpoint: str
    leases: int
    requests: int


class _Asked(msgspec.Struct):
    pid: int
    at: float
    requests: int
    busy: bool
    body: bytes


class Servers:
    """`ask` and `sleeps` are asked of an endpoint: they raise `NotRunning` where nothing answers."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        ask: Callable[[str, str], Awaitable[api.Answer]] = api.ask,
        sleeps: Callable[[str], Awaitable[bool]] | None = None,
    ) -> None:
        self._clock = clock
        self._ask = ask
        self._sleeps = sleeps or _sleeps
        self._asked: dict[str, _Asked] = {}
        self._counted: dict[str, Counted] = {}

    async def look(self, running: Iterable[Running]) -> dict[str, Counted]:
        """What each has counted, by model: just now, or when it could last have changed. It takes 1 s at the most."""
        servers = {server.model: server for server in running}
        self._asked = {model: asked for model, asked in self._asked.items() if model in servers}
        async with anyio.create_task_group() as group:
            for server in servers.values():
                group.start_soon(self._look_at, server)
        return {
            model: self._counted[model]
            for model, server in servers.items()
            if model in self._counted and self._counted[model].pid == server.pid
        }

    def bodies(self) -> dict[str, bytes]:
        """What each said last, as it said it, by model."""
        return {model: asked.body for model, asked in self._asked.items() if asked.body}

    async def _look_at(self, server: Running) -> None:
        before, now = self._asked.get(server.model), self._clock()
        if before is not None and before.pid == server.pid:
            if now - before.at < SOONEST:
                return
            if not (server.leases or before.busy or before.requests != server.requests):
                still = self._counted.get(server.model)
                if still is not None and still.rates:  # nothing is done: that is known without asking
                    self._counted[server.model] = msgspec.structs.replace(still, rates=dict.fromkeys(still.rates, 0.0))
                return
        with suppress(NotRunning, ValueError):
            if not server.leases and await self._sleeps(server.endpoint):
                return
            answer = await self._ask(server.endpoint, "/metrics")
            values = read(answer.body) if answer.status == 200 else {}
            busy = bool(server.leases or values.get("requests_processing") or values.get("requests_deferred"))
            now = self._clock()
            self._asked[server.model] = _Asked(server.pid, now, server.requests, busy, answer.body if values else b"")
            if values:
                self._counted[server.model] = counted(self._counted.get(server.model), server.pid, now, values)


async def _sleeps(endpoint: str) -> bool:
    return (await api.props(endpoint)).is_sleeping


def connections(endpoints: Iterable[str], table: Path = Path("/proc/net/unix")) -> dict[str, int]:
    """How many are open to each; nothing where the system does not tell. Reading the table takes 0.1 ms."""
    if not sys.platform.startswith("linux"):
        return {}
    found = dict.fromkeys(endpoints, 0)
    with suppress(OSError):
        for line in table.read_text(errors="surrogateescape").splitlines():
            words = line.split(maxsplit=7)
            if len(words) == 8 and words[7] in found and words[5] == CONNECTED:
                found[words[7]] += 1
        return found
    return {}


CONNECTED = "03"
"""`SS_CONNECTED` of the kernel's `net.h`; who listens is not, nor who waits to be accepted."""
