"""What the supervisor needs of a running llama-server; the daemon hands in who provides it."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from llamactl.core.instance import Exit
from llamactl.core.model import Model


class Server(Protocol):
    """One llama-server process.

    `endpoint` is the path of the Unix socket it listens on.
    """

    @property
    def pid(self) -> int: ...

    @property
    def endpoint(self) -> str: ...

    async def healthy(self) -> bool:
        """Does it serve? False while it loads, or while nothing listens yet. Takes no longer than 1 s."""

    def progress(self) -> int:
        """Bytes it has written to its output so far: while this rises, something goes on."""

    def loaded(self) -> int:
        """Bytes of files that it has read or mapped so far, as well as the system tells."""

    def ending(self) -> bool:
        """Is it in the middle of doing what SIGTERM told it? For certain if so; often it is and this says no."""

    async def wait(self) -> Exit:
        """How it ended, once it has: the process is reaped. May be awaited by several, and again later."""

    def terminate(self) -> None:
        """SIGTERM to the process; nothing happens when it is gone."""

    def kill(self) -> None:
        """SIGKILL to everything in its session."""

    def close(self) -> None:
        """Remove what it leaves behind (its socket). It must be gone."""


Launcher = Callable[[Model], Awaitable[Server]]
"""Starts a llama-server for a model. Raises a `LlamactlError` or an `OSError` when it cannot even be spawned."""
