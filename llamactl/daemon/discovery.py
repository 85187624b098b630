"""Keeps the catalogue as the directories are: looks through them at the start, and whenever something has changed."""

import logging
from collections.abc import Callable, Sequence
from functools import partial

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.abc import TaskStatus

from llamactl.catalogue import Catalogue, Found, Patterns, Watch, walk
from llamactl.config.sections import Config
from llamactl.core.model import ScanReport, Unusable
from llamactl.store import StoreFailed

log = logging.getLogger(__name__)

QUIET, LONGEST = 1.0, 10.0
"""Seconds without another change before directories are looked through; and for how long at most that is waited for.
A file that was written to within the last `QUIET` is left for later."""

PERIOD = 60.0
"""Seconds between two looks where changes are not noticed, and at most until one is looked at that is being written."""


class Discovery:
    """See the module. `config` is asked each time."""

    def __init__(self, config: Callable[[], Config], catalogue: Catalogue) -> None:
        self._config = config
        self._catalogue = catalogue
        self._one_at_a_time = anyio.Lock()  # what an older walk saw must not be applied after a newer one
        self._again = anyio.Event()
        self._told: set[Unusable] = set()
        self._missing: set[str] = set()
        self._warned = False

    def directories(self) -> Sequence[str]:
        config = self._config()
        return config.models.directories or (str(config.directories.models),)

    def again(self) -> None:
        """Look through them now: they may be others."""
        self._again.set()

    async def scan(self, directories: Sequence[str] = ()) -> ScanReport:
        """Of these, or of those configured."""
        return (await self._scan(directories or self.directories()))[1]

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled."""
        task_status.started()
        with await anyio.to_thread.run_sync(Watch) as watch:
            pause = QUIET
            while True:
                self._again = anyio.Event()
                try:
                    unsettled = await self._look(watch)
                except StoreFailed as error:
                    log.error("what was found is not in the catalogue: %s", error.message)
                    unsettled = True
                pause = min(2 * pause, PERIOD) if unsettled else QUIET
                await self._until_due(watch, pause if unsettled else PERIOD if watch.limited else None)

    async def _look(self, watch: Watch) -> bool:
        """Once, and tell of it; true if some files have to be looked at again."""
        directories = self.directories()
        if not self._config().models.watch:
            found, report = await self._scan(directories)
        else:
            await anyio.to_thread.run_sync(watch.await_missing, directories)
            found, report = await self._scan(directories, watch)
            if watch.limited and not self._warned:
                self._warned = True
                log.warning("directories are looked through every %g s: %s", PERIOD, watch.limited)
        self._tell(report)
        return bool(found.unsettled)

    async def _scan(self, directories: Sequence[str], watch: Watch | None = None) -> tuple[Found, ScanReport]:
        async with self._one_at_a_time:
            models = self._config().models
            look = partial(
                walk,
                patterns=Patterns(models.include, models.exclude),
                enter=watch.add if watch else lambda directory: None,
                quiet=QUIET if watch else 0.0,
                go_on=anyio.from_thread.check_cancelled,
            )
            found = await anyio.to_thread.run_sync(look, directories, self._catalogue.models(), self._catalogue.looks())
            return found, self._catalogue.apply(found)

    async def _until_due(self, watch: Watch, pause: float | None) -> None:
        """Something has changed and is over, or `again` was called, or `pause` seconds have gone by."""
        async with anyio.create_task_group() as group:

            async def wanted() -> None:
                await self._again.wait()
                group.cancel_scope.cancel()

            group.start_soon(wanted)
            if not self._config().models.watch:
                return
            with anyio.move_on_after(pause):
                await watch.changed()
                await _settled(watch)
            group.cancel_scope.cancel()

    def _tell(self, report: ScanReport) -> None:
        news = {
            "new": report.added,
            "changed": report.changed,
            "moved": report.moved,
            "missing": [name for name in report.missing if name not in self._missing],
        }
        self._missing = set(report.missing)
        lines = [f"{what}: {', '.join(names)}" for what, names in news.items() if names]
        if lines:
            log.info("models %s", "; ".join(lines))
        unusable = {one for one in report.unusable if one.path != str(self._config().directories.models)}
        for one in sorted(unusable - self._told, key=lambda one: one.path):
            log.warning("not usable: %s: %s", one.path, one.reason)
        self._told = unusable


async def _settled(watch: Watch) -> None:
    """Nothing more changes, or has for long."""
    with anyio.move_on_after(LONGEST):
        while True:
            with anyio.move_on_after(QUIET) as scope:
                await watch.changed()
            if scope.cancelled_caught:
                return
