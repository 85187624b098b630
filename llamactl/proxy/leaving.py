"""How the door is left: by each connection after its answer, and by all before the daemon re-executes itself."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from llamactl.core.access import Caller
from llamactl.core.errors import Draining, LlamactlError

if TYPE_CHECKING:
    from llamactl.proxy.connection import Connection
    from llamactl.proxy.door import Door

HELD = 0.5
"""Seconds for which new connections are left waiting until those here have gone. They wait for the start of the
new daemon besides."""

ACCEPTED = 0.05
"""Seconds for who has just been let in to say what they want, and to be told that there is no time for it."""


class Leaving:
    """Waits for connections to leave."""

    def __init__(self) -> None:
        self._awaited: set[Connection] = set()
        self._hurried = False
        self._news = anyio.Event()

    async def wait(self, connections: Iterable["Connection"]) -> None:
        """Until all of these have left, or somebody is in a hurry. For one at a time."""
        self._awaited = set(connections)
        while self._awaited and not self._hurried:
            self._news = anyio.Event()
            await self._news.wait()

    def left(self, connection: "Connection") -> None:
        if connection in self._awaited:
            self._awaited.discard(connection)
            if not self._awaited:
                self._news.set()

    def hurry(self) -> None:
        """Whoever waits has no more patience."""
        self._hurried = True
        self._news.set()


async def clear(door: "Door", drain: float) -> None:
    """Let every answer of a model that is under way end, for `drain` seconds at the most; then nobody is let in.

    Who comes meanwhile is served. Only when those who were here have gone the door is shut, and opened once
    more if somebody new has begun what takes long, or has not said yet what he wants: so nobody waits outside for more
    than `HELD`. Whose answer has not ended in time is told so, and so is who waits for an answer of our own, such as a
    call that starts a model.
    """
    with anyio.move_on_after(drain) as patience:
        while True:
            busy = {connection for connection in door.connections if connection.busy}
            for connection in busy:
                connection.closing = True
            await door.leaving.wait(busy)
            door.shut()
            for _ in range(5):  # those that have been accepted by now appear
                await anyio.lowlevel.checkpoint()
            await _none(door, lambda connection: connection.expected)
            if not any(connection.busy or connection.awaited for connection in door.connections):
                break
            await door.open()
            await _none(door, lambda connection: connection.awaited)
    door.shut()
    if patience.cancelled_caught:
        await anyio.sleep(ACCEPTED)
    await give_up(door)


async def _none(door: "Door", of: Callable[["Connection"], bool]) -> None:
    """Wait until there are no such connections, for `HELD` at the most."""
    with anyio.move_on_after(HELD):
        # An event for the end of an answer would cost something for every request there ever is.
        while any(map(of, door.connections)):  # noqa: ASYNC110
            await anyio.sleep(0.005)


def dismiss(door: "Door", why: Callable[[Caller], LlamactlError | None], *, guests: bool) -> None:
    """End what a model does for those for whom there is a reason to, what they wait for, and what they watch.

    Other answers of our own end by themselves; one of them may tell of the end of this very key. `guests`: also those
    at our own WebSockets, who have been told already.
    """
    for connection in list(door.connections):
        caller, forward = connection.caller, connection.forward
        if caller is not None and (error := why(caller)) is not None:
            ours = forward is not None and forward.tunnel and not forward.leased
            if guests if ours else connection.busy or (forward is not None and forward.stays):
                connection.give_up(error)


async def give_up(door: "Door") -> None:
    """Tell everybody whose answer is under way that it will not come to its end."""
    for connection in list(door.connections):
        connection.give_up(Draining("the daemon could not wait any longer for this answer", retry_after=1.0))
    await anyio.lowlevel.checkpoint()  # what was written is sent
