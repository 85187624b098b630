"""Another configuration while the daemon runs: taken over as far as that goes, or left alone as a whole."""

import logging
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus

from llamactl.config.changes import Changes, changed, without_restart
from llamactl.config.sections import Config
from llamactl.core.errors import LlamactlError
from llamactl.core.events import ConfigChanged
from llamactl.hub import Hub

log = logging.getLogger(__name__)


class Current:
    """The configuration that counts: calling it gives that.

    Who looks at it when something is to be done asks each time; who has to be told `follow`s.
    """

    def __init__(
        self,
        config: Config,
        read: Callable[[], Config],
        hub: Hub,
        reloading: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """`read` blocks, and raises `LlamactlError` for one that cannot be used; each time is within a `reloading`."""
        self._config = config
        self._read = read
        self._hub = hub
        self._reloading = reloading
        self._one_at_a_time = anyio.Lock()  # or one that read earlier could be the last to be taken over
        self._followers: list[Callable[[Config], None]] = []
        self._readers: list[Callable[[Config], None]] = []
        self.pending: tuple[str, ...] = ()
        """Keys that have changed and wait for a restart."""

    def __call__(self) -> Config:
        return self._config

    def follow(self, take_over: Callable[[Config], None]) -> None:
        """It is called with the configuration, now and whenever that is another one; it must not fail."""
        self._followers.append(take_over)
        take_over(self._config)

    def read_along(self, read: Callable[[Config], None]) -> None:
        """It is called now and at every reload, also when only the files may have changed that it names.

        What it raises is logged: what it had read before stays.
        """
        self._readers.append(read)
        read(self._config)

    async def reload(self) -> Changes:
        """What the files say now counts from now on, but for what needs a restart.

        Raises what is wrong with them; then nothing has changed.
        """
        async with self._one_at_a_time:
            with self._reloading():
                return await self._reload()

    async def possible(self) -> None:
        """Raises what is wrong with what the files say now; nothing is taken over."""
        await anyio.to_thread.run_sync(self._read)

    async def _reload(self) -> Changes:
        new = await anyio.to_thread.run_sync(self._read)
        changes = changed(self._config, new)
        if changes.live:
            self._config = without_restart(self._config, new)
            for take_over in self._followers:
                take_over(self._config)
        for read in self._readers:
            try:
                read(self._config)
            except LlamactlError as error:
                log.error("%s", error.message)
        if changes.live or changes.restart != self.pending:
            self.pending = changes.restart
            log.info(
                "the configuration has changed: %s; only after a restart: %s",
                ", ".join(changes.live) or "nothing at once",
                ", ".join(changes.restart) or "nothing",
            )
            self._hub.publish(ConfigChanged(changes.live, changes.restart))
        return changes


async def obey_hangups(
    current: Current, stop: Callable[[], None], *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """SIGHUP reads the configuration again. When it says that our terminal is gone, it ends the daemon."""
    ends_with_terminal = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and _has_terminal()  # see nohup(1)
    with anyio.open_signal_receiver(signal.SIGHUP) as signals:
        task_status.started()
        async for _ in signals:
            if ends_with_terminal and not _has_terminal():
                log.info("SIGHUP: the terminal is gone: stopping")
                stop()
                continue
            log.info("SIGHUP: reading the configuration again")
            try:
                await current.reload()
            except LlamactlError as error:
                log.error("the configuration stays as it was: %s", error.message)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return False
    return True
