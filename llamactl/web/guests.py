"""Who stays for as long as the daemon runs, and has to be told when it ends."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
from anyio.abc import TaskStatus

from llamactl.core.errors import Draining

Farewell = Callable[[], Coroutine[Any, Any, object]]

PATIENCE = 0.5
"""Seconds for all of them to hear it."""


class Guests:
    """As a service it is stopped before the door, which waits for those whose answers end by themselves."""

    def __init__(self) -> None:
        self._farewells: dict[object, Farewell] = {}
        self._leaving = False

    @contextmanager
    def staying(self, farewell: Farewell) -> Iterator[None]:
        """`farewell` is called when the daemon ends. Raises `Draining` for who comes then."""
        if self._leaving:
            raise Draining("the daemon ends", retry_after=1.0)
        guest = object()
        self._farewells[guest] = farewell
        try:
            yield
        finally:
            del self._farewells[guest]

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; then they are told, all at once."""
        self._leaving = False
        task_status.started()
        try:
            await anyio.sleep_forever()
        finally:
            self._leaving = True
            with anyio.move_on_after(PATIENCE, shield=True):
                async with anyio.create_task_group() as group:
                    for farewell in list(self._farewells.values()):
                        group.start_soon(farewell)
