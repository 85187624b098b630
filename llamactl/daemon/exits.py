"""Writes down how each llama-server ended."""

import logging
from collections.abc import Callable, Iterable

import anyio
from anyio.abc import TaskStatus

from llamactl.core.events import InstanceChanged, Numbered
from llamactl.core.instance import Alive, Backoff, Exit, Failed, Instance, Phase, Stopped, state
from llamactl.hub import Hub
from llamactl.store import Ended, Exits, StoreFailed

log = logging.getLogger(__name__)


class ExitBook:
    """Follows the hub; what ends is kept in the store and told to the log. `present` says what there is already."""

    def __init__(self, hub: Hub, exits: Exits, present: Callable[[], Iterable[Instance]]) -> None:
        self._hub = hub
        self._exits = exits
        self._present = present
        self._phases: dict[str, Phase] = {}

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        with self._hub.watch() as watcher:
            self._phases = {instance.model: instance.phase for instance in self._present()}  # adopted ones
            task_status.started()
            async for numbered in watcher:
                if isinstance(numbered.event, InstanceChanged):
                    self._note(numbered, numbered.event.model, numbered.event.phase)

    def _note(self, numbered: Numbered, model: str, phase: Phase) -> None:
        before = self._phases.get(model, Stopped())
        self._phases[model] = phase
        exit = phase.exit if isinstance(phase, Stopped | Backoff | Failed) else None
        if exit is None or not isinstance(before, Alive):
            return
        ended = _ended(numbered.at, before, phase, exit)
        if isinstance(phase, Backoff):
            log.warning("%s; it is started again in %.1f s", phase.problem.message, ended.pause)
        elif isinstance(phase, Failed):
            log.error("%s", phase.problem.message)
        try:
            self._exits.put(model, ended)
        except StoreFailed as error:
            log.warning("how %s ended is not kept: %s", model, error.message)


def _ended(at: float, before: Phase, phase: Phase, exit: Exit) -> Ended:
    return Ended(
        at=round(at * 1000),
        state=state(before),
        kind=exit.kind,
        reason=exit.reason,
        code=exit.code,
        signal=exit.signal,
        why=phase.why if isinstance(phase, Stopped) else "",
        pause=phase.until - phase.since if isinstance(phase, Backoff) else None,
        log=exit.log,
    )
