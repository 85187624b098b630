"""Why a model is as it is."""

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import anyio.to_thread
import msgspec

from llamactl.catalogue import Catalogue
from llamactl.daemon.control.instances import instance_row
from llamactl.daemon.control.noun import Handlers
from llamactl.rpc import calls
from llamactl.rpc.calls import ExitRow, Explanation
from llamactl.store import Ended
from llamactl.supervisor import Supervisor

SHOWN = 50
"""Lines of a log."""
TAIL = 64 << 10
"""Bytes of it that are read for them."""


class WhyCalls:
    """`instances.why`. `exits` are those of a model, the newest first, `outdated` what would be another in it now."""

    def __init__(
        self,
        catalogue: Catalogue,
        supervisor: Supervisor,
        exits: Callable[[str], list[Ended]],
        outdated: Callable[[str], tuple[str, ...]],
    ) -> None:
        self._catalogue = catalogue
        self._supervisor = supervisor
        self._exits = exits
        self._outdated = outdated
        self.handlers: Handlers = {calls.WhyModel: self._why}

    async def _why(self, call: calls.WhyModel) -> Explanation:
        name = self._catalogue.resolve(call.name).name
        instance, exits = self._supervisor.instance(name), self._exits(name)
        told = [ended for ended in exits if ended.kind != "asked"] or exits
        log = told[0].log if told else ""
        return Explanation(
            instance=msgspec.structs.replace(instance_row(instance), outdated=self._outdated(name)),
            decision=self._supervisor.decision(name),
            exits=[_row(ended) for ended in exits],
            log=log,
            lines=await anyio.to_thread.run_sync(_last_lines, log) if log else [],
        )


def _row(ended: Ended) -> ExitRow:
    return ExitRow(
        at=ended.at / 1000,
        state=ended.state,
        kind=ended.kind,
        reason=ended.reason,
        code=ended.code,
        signal=ended.signal,
        why=ended.why,
        pause=ended.pause,
    )


def _last_lines(log: str) -> list[str]:
    with suppress(OSError), Path(log).open("rb") as file:  # only the last runs are kept
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
        return [line.decode(errors="replace").rstrip() for line in deque(file, SHOWN)]
    return []
