"""Who stays for as long as the daemon runs, and has to be told when it ends, or their key counts no more."""

from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
from anyio.abc import TaskStatus

from llamactl.core.errors import Draining, LlamactlError

Farewell = Callable[[LlamactlError], Coroutine[Any, Any, object]]

PATIENCE = 0.5
"""Seconds for all of them to hear it."""


class Guests:
    """As a service it is stopped before the door, which waits for those whose answers end by themselves."""

    def __init__(self) -> None:
        self._farewells: dict[object, tuple[str, Farewell]] = {}
        self._leaving = False

    @contextmanager
    def staying(self, farewell: Farewell, key: str = "") -> Iterator[None]:
        """`farewell` is called with the reason when the daemon ends, or the `key` does.

        Raises `Draining` for who comes when the daemon ends.
        """
        if self._leaving:
            raise _ending()
        guest = object()
        self._farewells[guest] = key, farewell
        try:
            yield
        finally:
            del self._farewells[guest]

    async def dismiss(self, key: str, error: LlamactlError) -> None:
        """Those with this key."""
        await _tell([farewell for of, farewell in self._farewells.values() if of == key], error)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; then they are told, all at once."""
        self._leaving = False
        task_status.started()
        try:
            await anyio.sleep_forever()
        finally:
            self._leaving = True
            await _tell([farewell for _, farewell in self._farewells.values()], _ending())


async def _tell(farewells: Iterable[Farewell], error: LlamactlError) -> None:
    with anyio.move_on_after(PATIENCE, shield=True):
        async with anyio.create_task_group() as group:
            for farewell in farewells:
                group.start_soon(farewell, error)


def _ending() -> Draining:
    return Draining("the daemon ends", retry_after=1.0)
