"""What is to be said of every model at one moment."""

from collections.abc import Callable
from math import inf

import anyio

from llamactl.core.errors import NotRunning, TimedOut
from llamactl.core.events import InstanceDoubted
from llamactl.core.instance import Backoff, Failed, Instance, Loading, Phase, Ready, Stopped, Stopping, state
from llamactl.core.scheduler import Limits, Scheduler
from llamactl.hub import Hub
from llamactl.supervisor.lease import Entry
from llamactl.supervisor.server import Server

LINES = 5
"""Of what a process wrote, as told to those who wanted it."""


class Overview:
    """The tables of the supervisor, and the questions that they answer."""

    def __init__(self, hub: Hub, limits: Limits, clock: Callable[[], float]) -> None:
        self._hub = hub
        self._scheduler = Scheduler(limits)
        self._clock = clock
        self._instances: dict[str, Entry] = {}
        self._quiet: anyio.Event | None = None  # somebody waits for the last lease of some model to be given back

    def instance(self, name: str) -> Instance:
        instance, now = self._instances.get(name), self._clock()
        resident = self._scheduler.residents.get(name)
        wait = self._scheduler.wait(name, now)
        ttl = None
        if resident is not None and resident.ttl >= 0 and resident.idle and name not in self._scheduler.pinned:
            ttl = max(0.0, resident.used + resident.patience - now)
        return Instance(
            model=name,
            phase=self._phase(name),
            leases=0 if resident is None else resident.leases,
            waiting=self._scheduler.waiting(name) + (0 if instance is None else instance.recovery.waiting),
            position=None if wait is None else wait.position,
            eta=None if wait is None else wait.eta,
            pinned=name in self._scheduler.pinned,
            need={} if resident is None else dict(resident.need),
            ttl=ttl,
            requests=0 if instance is None else instance.requests,
            restarts=0 if instance is None else instance.recovery.restarts,
            wedged=None if instance is None else instance.wedged,
            loaded=None if instance is None else _loaded(instance),
        )

    def instances(self) -> list[Instance]:
        """Every model that has run, waits or is pinned since the daemon started, by name."""
        return [self.instance(name) for name in sorted(self._instances.keys() | self._scheduler.pinned)]

    def decision(self, name: str) -> str:
        """Why the model is where it is: what it waits for, or what was last decided about it."""
        instance = self._instances.get(name)
        wait = self._scheduler.wait(name, self._clock())
        if wait is not None:
            return wait.reason
        if instance is None:
            return ""
        if isinstance(instance.phase, Stopped | Stopping) and instance.phase.why:
            return instance.decision if instance.phase.why in instance.decision else instance.phase.why
        return "" if isinstance(instance.phase, Backoff | Failed) else instance.decision

    def last_lines(self, name: str) -> tuple[str, ...]:
        """What the last process of a model that died, or did not load, wrote at the end."""
        phase = self._phase(name)
        return phase.exit.lines[-LINES:] if isinstance(phase, Backoff | Failed) and phase.exit is not None else ()

    async def wait(self, name: str, states: set[str], timeout: float) -> Instance:
        """Until the model is in one of the phases of that name; raises `TimedOut` after `timeout` seconds.

        `idle` is a state, too: it is ready, and nobody has or wants a lease. Raises `NotRunning` for one that has
        failed and that nobody starts again: it would be in no other state by itself. One that is to be started again
        and still has requests is in no state: who waits means the one that comes.
        """
        with self._hub.watch() as watcher, anyio.move_on_after(timeout):
            while not states & self._states(name):
                self._hopeless(name)
                if "idle" in states and isinstance(self._phase(name), Ready):
                    await self.given_back()
                else:
                    await anext(watcher)
            return self.instance(name)
        now = state(self._phase(name)) if self._states(name) else "draining, to be started again"
        raise TimedOut(f"{name} is not {' or '.join(states)} after {timeout:g} s: it is {now}", f"llamactl why {name}")

    def _hopeless(self, name: str) -> None:
        phase, entry = self._phase(name), self._instances.get(name)
        wanted = self._scheduler.waiting(name) or (entry is not None and entry.begun)
        if isinstance(phase, Failed) and not wanted:
            raise NotRunning(f"{name} has failed: {phase.problem.message}", f"llamactl why {name}")

    def _states(self, name: str) -> set[str]:
        phase, resident = self._phase(name), self._scheduler.residents.get(name)
        entry = self._instances.get(name)
        if isinstance(phase, Ready) and entry is not None and entry.restarts_begun:
            return set()
        busy = (resident is not None and resident.leases) or self._scheduler.waiting(name)
        return {state(phase), "idle"} if isinstance(phase, Ready) and not busy else {state(phase)}

    def _phase(self, name: str) -> Phase:
        """Without the rest of `instance`, which asks the system how far a load is."""
        entry = self._instances.get(name)
        return Stopped() if entry is None else entry.phase

    async def given_back(self) -> None:
        """Until the last lease of some model is given back. (Nobody is told of that: it happens too often.)"""
        self._quiet = self._quiet or anyio.Event()
        await self._quiet.wait()

    def endpoint(self, name: str) -> str:
        """The socket of a model that is ready, to look at it without a lease; empty for any other."""
        server = self.serving(name)
        return "" if server is None else server.endpoint

    def rested(self, but: str) -> float:
        """For how many seconds no other model has been in use or wanted: 0 if one is, infinite if none is loaded."""
        if any(name != but for name in self._scheduler.lines):
            return 0.0
        others = [one for name, one in self._scheduler.residents.items() if name != but]
        return min((self._clock() - one.used if one.idle else 0.0 for one in others), default=inf)

    def serving(self, name: str) -> Server | None:
        """The process of an instance that is ready."""
        instance = self._instances.get(name)
        return instance.server if instance is not None and isinstance(instance.phase, Ready) else None

    def doubt(self, name: str, since: float | None) -> None:
        """Nothing has moved in it since then; None: it works after all."""
        self._instances[name].wedged = since
        self._hub.publish(InstanceDoubted(name, None if since is None else self._clock() - since))


def _loaded(entry: Entry) -> float | None:
    if not isinstance(entry.phase, Loading) or entry.server is None or not entry.model.size:
        return None
    return min(1.0, entry.server.loaded() / entry.model.size) or None
