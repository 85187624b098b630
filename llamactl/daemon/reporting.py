"""The service manager is told how the daemon is, from when it is up until it has ended."""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

import anyio

from llamactl.core.errors import LlamactlError
from llamactl.core.events import CatalogueChanged, InstanceChanged, Numbered
from llamactl.core.instance import Instance, Stopped, state
from llamactl.daemon.notify import Notify
from llamactl.hub import Hub, Watcher

log = logging.getLogger(__name__)

EXTENSION = 15.0
"""Seconds more, each time, for an end that takes long: answers under way, models that stop."""


def summary(models: int, instances: Iterable[Instance], urls: Iterable[str]) -> str:
    """`3 models, 1 loading, 1 ready; http://127.0.0.1:8134`."""
    counts = Counter(state(each.phase) for each in instances if not isinstance(each.phase, Stopped))
    parts = [f"{models} model{'s' * (models != 1)}", *(f"{count} {phase}" for phase, count in sorted(counts.items()))]
    return f"{', '.join(parts)}; {', '.join(urls)}"


async def report(
    notify: Notify,
    hub: Hub,
    status: Callable[[], str],
    check: Callable[[float], Awaitable[None]],
    ending: Callable[[], Awaitable[None]],
) -> None:
    """Until cancelled. The daemon is up when this is called.

    `check` raises a `LlamactlError` if the daemon does not do what it is there for, within so many seconds;
    `ending` returns when it begins to end.
    """
    if not notify:
        return
    with hub.watch(room=1, only=_counts) as changes:
        notify.ready(status())
        async with anyio.create_task_group() as group:
            group.start_soon(_follow, notify, changes, status)
            if notify.watchdog is not None:
                group.start_soon(_feed, notify, notify.watchdog / 3, check)
            await ending()
            group.cancel_scope.cancel()
    notify.stopping(f"stopping; {status()}")
    while True:
        notify.patience(EXTENSION)
        await anyio.sleep(EXTENSION / 3)


def _counts(numbered: Numbered) -> bool:
    return isinstance(numbered.event, InstanceChanged | CatalogueChanged)


async def _follow(notify: Notify, changes: Watcher, status: Callable[[], str]) -> None:
    async for _ in changes:
        notify.status(status())


async def _feed(notify: Notify, pause: float, check: Callable[[float], Awaitable[None]]) -> None:
    """The loop turns if this goes on; that alone is not enough."""
    while True:
        try:
            await check(pause / 2)  # for each of the two that it asks
        except LlamactlError as error:
            log.error("the watchdog is not told that all is well: %s", error.message)
        else:
            notify.alive()
        await anyio.sleep(pause)
