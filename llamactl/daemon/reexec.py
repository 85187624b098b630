"""The daemon goes on as the code that is installed now: the same process, sockets and models.

Everything that a killed daemon leaves behind is found again by the next one, so all this has to do is to wait for
a good moment and to hand over what cannot be found: open sockets, the locked pid file, a few numbers.
"""

import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NoReturn

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskStatus

from llamactl.core.errors import LlamactlError, Refused
from llamactl.daemon.activation import Activated

log = logging.getLogger(__name__)

VARIABLE = "LLAMACTL_INHERITED"
"""Names the pid and the file descriptor of what is inherited: `12:7`."""

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)
"""Held back by the kernel from the moment of executing until the new code can obey them."""

CHECKING = 60.0
"""Seconds for the new code to say that it would start."""

ANSWERED = 0.05
"""Seconds for the answers that are on their way out, such as that to who asked for this."""


class Inherited(msgspec.Struct, frozen=True, kw_only=True):
    """What this process had open and knew before it executed itself anew. Other versions write and read it.

    `listeners` are the file descriptors by what is configured to listen on, `activated` those from systemd. `began` is
    when the daemon did, on the monotonic clock, and `models` a `supervisor.Past` of each, to be read apart: what
    another version writes there otherwise is forgotten.
    """

    pid_file: int
    control: int
    listeners: dict[str, int]
    activated: Activated = Activated()
    last_event: int = 0
    pinned: tuple[str, ...] = ()
    began: float | None = None
    models: dict[str, msgspec.Raw] = {}

    @property
    def descriptors(self) -> tuple[int, ...]:
        return self.pid_file, self.control, *self.listeners.values(), *self.activated.proxy


def inherited() -> Inherited | None:
    """To be asked once, first of all; None at an ordinary start."""
    pid, _, number = os.environ.pop(VARIABLE, "").partition(":")
    if pid != str(os.getpid()):
        return None
    with os.fdopen(int(number), "rb") as file:
        file.seek(0)
        state = msgspec.json.decode(file.read(), type=Inherited)
    for descriptor in state.descriptors:
        os.set_inheritable(descriptor, False)
    return state


def command(*more: str) -> list[str]:
    """The one that this process was started with. Not by a bare `python`, which may be another one here."""
    return [sys.executable, *sys.orig_argv[1:], *more]


async def check() -> None:
    """Try whether what is installed and configured now would start. Raises `Refused` with what it says."""
    run = partial(subprocess.run, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=CHECKING)
    try:
        done = await anyio.to_thread.run_sync(run, command("--check"), abandon_on_cancel=True)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(f"the new daemon cannot be tried out, this one goes on: {error}", "llamactl doctor") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        lines = [line for line in said if not line.startswith(" ")] or [f"exit code {done.returncode}"]
        raise Refused(f"the new daemon would not start, this one goes on: {'; '.join(lines[-2:])}", _TRY)


_TRY = "llamactl daemon run --check"


class Reexec:
    """`clear` returns when the moment is good, for which it waits in vain or not, `close` leaves nothing half done,
    and `hand_over` says what is inherited. `ending` tells whether the daemon is about to end instead.

    `clear` and `hand_over` are told whether the models are kept.
    """

    def __init__(
        self,
        clear: Callable[[bool], Awaitable[None]],
        ending: Callable[[], bool],
        close: Callable[[], None],
        hand_over: Callable[[bool], Inherited],
    ) -> None:
        self._clear = clear
        self._ending = ending
        self._close = close
        self._hand_over = hand_over
        self._keeps = True
        self._wanted = anyio.Event()

    async def ask(self, keep_models: bool = True) -> None:
        """It is on its way when this returns. Raises `Refused` if the new code would not start."""
        await check()
        self._keeps = keep_models
        self._wanted.set()

    async def run(self) -> None:
        """Until it is asked for, and then for ever: as another program, in this process."""
        await self._wanted.wait()
        log.info("re-executing, as soon as the answers under way are out")
        await self._clear(self._keeps)
        await anyio.sleep(ANSWERED)
        if not self._ending():
            log.info("re-executing")
            self._close()
            _execute(self._hand_over(self._keeps))

    async def obey_signals(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        with anyio.open_signal_receiver(signal.SIGUSR2) as signals:
            task_status.started()
            async for _ in signals:
                try:
                    await self.ask()
                except LlamactlError as error:
                    log.error("SIGUSR2: %s", error.message)


def _execute(state: Inherited) -> NoReturn:
    with tempfile.TemporaryFile() as file:
        file.write(msgspec.json.encode(state))
        file.flush()
        for descriptor in (file.fileno(), *state.descriptors):
            os.set_inheritable(descriptor, True)
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        os.execve(sys.executable, command(), {**os.environ, VARIABLE: f"{os.getpid()}:{file.fileno()}"})


def obey_again() -> None:
    """Signals that came since the old code executed this are delivered now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
