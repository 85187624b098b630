"""Gates of the door for tests that are about something else."""

from llamactl.core.access import Caller
from llamactl.core.errors import LlamactlError
from llamactl.proxy.access import Gate, Peer
from llamactl.proxy.head import Head

OWNER = Caller("k", "owner", "admin")


class OpenGate(Gate):
    """Everybody may do everything."""

    def enter(self, head: Head, peer: Peer) -> tuple[Caller, bytes]:
        return OWNER, b""

    def look(self, head: Head, peer: Peer) -> LlamactlError | None:
        return None
