"""The starter model, for who is elsewhere and for a daemon that has its models elsewhere."""

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio.to_thread
import msgspec

from llamactl.catalogue import starter
from llamactl.core.errors import Refused
from llamactl.daemon.control.noun import Handlers
from llamactl.rpc import calls
from llamactl.rpc.calls import ModelRow, StarterRow

_HERE = StarterRow(name=starter.NAME)


class StarterCalls:
    """`models.starter` and `models.fetch_starter`; it belongs into `directory`, `add` puts it into the catalogue."""

    def __init__(self, directory: Callable[[], Path], add: Callable[[calls.AddModel], Awaitable[ModelRow]]) -> None:
        self._directory = directory
        self._add = add
        self._row = _HERE
        self._one_at_a_time = threading.Lock()
        self.handlers: Handlers = {calls.ShowStarter: self._show, calls.FetchStarter: self._fetch}

    async def _show(self, _: calls.ShowStarter) -> StarterRow:
        return self._row

    async def _fetch(self, _: calls.FetchStarter) -> ModelRow:
        left = threading.Event()

        @contextmanager
        def progress(message: str, total: int) -> Iterator[Callable[[int], object]]:
            def advance(count: int) -> None:
                if left.is_set():
                    raise Refused("nobody waits for the starter model any more", "llamactl quickstart")
                self._row = msgspec.structs.replace(self._row, done=self._row.done + count)

            self._row = StarterRow(name=starter.NAME, fetching=message, total=total)
            try:
                yield advance
            finally:
                self._row = _HERE

        def fetch() -> Path:
            with self._one_at_a_time:
                return starter.starter_model(self._directory(), progress)

        try:
            # Not waited for, should this be cancelled: a server may say nothing for long.
            path = await anyio.to_thread.run_sync(fetch, abandon_on_cancel=True)
        finally:
            left.set()
        return await self._add(calls.AddModel(str(path), starter.NAME))
