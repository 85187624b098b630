"""Who stays for as long as the daemon runs, and has to be told when it ends, or their key counts no more."""

from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
from anyio.abc import TaskStatus

from llamactl.core.access import Caller
from llamactl.core.errors import Draining, LlamactlError

Farewell = Callable[[LlamactlError], Coroutine[Any, Any, object]]

PATIENCE = 0.5
"""Seconds for all of them to hear it."""


class Guests:
    """As a service it is stopped before the door, which waits for those whose answers end by themselves."""

    def __init__(self) -> None:
        self._farewells: dict[object, tuple[Caller, Farewell]] = {}
        self._leaving = False

    @contextmanager
    def staying(self, farewell: Farewell, caller: Caller = Caller()) -> Iterator[None]:
        """`farewell` is called with the reason when the daemon ends, or the `caller` is let in no more.

        Raises `Draining` for who comes when the daemon ends.
        """
        if self._leaving:
            raise _ending()
        guest = object()
        self._farewells[guest] = caller, farewell
        try:
            yield
        finally:
            self._farewells.pop(guest, None)

    async def dismiss(self, why: Callable[[Caller], LlamactlError | None]) -> None:
        """Those for whom there is a reason to; each is told once."""
        leaving = [(guest, error) for guest, (caller, _) in self._farewells.items() if (error := why(caller))]
        await _tell([(self._farewells.pop(guest)[1], error) for guest, error in leaving])

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; then they are told, all at once."""
        self._leaving = False
        task_status.started()
        try:
            await anyio.sleep_forever()
        finally:
            self._leaving = True
            await _tell([(farewell, _ending()) for _, farewell in self._farewells.values()])


async def _tell(farewells: Iterable[tuple[Farewell, LlamactlError]]) -> None:
    with anyio.move_on_after(PATIENCE, shield=True):
        async with anyio.create_task_group() as group:
            for farewell, error in farewells:
                group.start_soon(farewell, error)


def _ending() -> Draining:
    return Draining("the daemon ends", retry_after=1.0)
