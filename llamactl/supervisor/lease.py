"""What the supervisor keeps for each lease, each model and each who waits."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio
import msgspec
from anyio import CancelScope

from llamactl.core.errors import LlamactlError
from llamactl.core.instance import Backoff, Exit, Failed, Phase, Ready, Stopped
from llamactl.core.model import Model
from llamactl.core.scheduler import Resident
from llamactl.supervisor.recovery import Recovery
from llamactl.supervisor.server import Server

if TYPE_CHECKING:
    from llamactl.supervisor.lives import Lives


class Lease(msgspec.Struct, eq=False):
    """The right to use one ready instance, until `release`.

    `endpoint` is the path of its Unix socket. `on_revoked` is called, once at the most, when the
    instance is stopped in spite of the lease: the holder then lets go of its connections.
    """

    _supervisor: "Lives"
    _instance: "Entry"
    _resident: Resident
    endpoint: str
    on_revoked: Callable[[], None] | None = None

    def loading(self, since: float) -> float:
        """Seconds after that moment (of the monotonic clock) in which the model was loading."""
        phase = self._instance.phase
        return max(0.0, min(phase.took, phase.since - since)) if isinstance(phase, Ready) else 0.0

    def release(self) -> None:
        """Give it back; a second time does nothing."""
        leases = self._instance.leases
        if self in leases:
            leases.remove(self)
            self._supervisor._released(self._resident)

    async def fate(self, patience: float) -> Exit | None:
        """How the process ended that it was on; None if that is still there after so many seconds."""
        instance = self._instance
        with anyio.move_on_after(patience):
            await instance.settled.wait()
            exit = instance.phase.exit if isinstance(instance.phase, Stopped | Backoff | Failed) else None
            return exit or Exit("its process ended")
        return None

    def release_unused(self) -> None:
        """The same, by one who only wanted the instance to be there."""
        self._instance.leases.discard(self)
        self._supervisor._released(self._resident, True)


class Entry:
    """One model, as long as the daemon runs: what it is now, and the running server if there is one."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.phase: Phase = Stopped()
        self.endpoint = ""
        self.leases: set[Lease] = set()
        self.requests = 0
        self.begun = 0  # so many start it, and do not wait
        self.restarts_begun = 0  # so many have it stopped, to start it again
        self.decision = ""
        """What was last decided about its place, and why."""
        self.wedged: float | None = None
        self.bereft = ""
        """What it computed with has gone, in words; then it is put down."""
        self.server: Server | None = None
        self.recovery = Recovery(model.name)
        self.scope = CancelScope()
        self.settled = anyio.Event()  # replaced at each start; set when the process is gone

    def lend(self, supervisor: "Lives", resident: Resident) -> Lease:
        """A lease, which the scheduler has counted."""
        lease = Lease(supervisor, self, resident, self.endpoint)
        self.leases.add(lease)
        self.requests += 1
        return lease


class Waiter:
    """Somebody who wants a lease: he is given one, or an error."""

    def __init__(self) -> None:
        self.decided = anyio.Event()
        self.lease: Lease | None = None
        self.error: LlamactlError | None = None
