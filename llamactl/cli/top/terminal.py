"""Keys from a terminal, one by one, and signals; it is as it was before when the block is left, however that comes."""

import os
import select
import signal
import sys
import termios
import tty
from contextlib import suppress
from types import FrameType, TracebackType

import typer


class Terminal:
    """A context manager, for the main thread. In it SIGTERM and SIGHUP end the block, Ctrl-C does what it always did.

    `wake` may be called from everywhere.
    """

    def __init__(self) -> None:
        self._keys = sys.stdin.fileno()
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)

    def __enter__(self) -> "Terminal":
        self._before = termios.tcgetattr(self._keys)
        ends = (signal.SIGTERM, signal.SIGHUP)
        self._handlers = {one: signal.signal(one, _end) for one in ends}
        self._handlers[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, lambda *_: self.wake())
        tty.setcbreak(self._keys)
        now = termios.tcgetattr(self._keys)
        now[6][termios.VSUSP] = b"\0"  # Ctrl-Z would leave this picture to the shell
        termios.tcsetattr(self._keys, termios.TCSANOW, now)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        termios.tcsetattr(self._keys, termios.TCSAFLUSH, self._before)
        for one, handler in self._handlers.items():
            signal.signal(one, handler)
        # The pipe stays open: a thread may still want to wake us.

    def wake(self) -> None:
        with suppress(BlockingIOError):  # it is full, and so will be read
            os.write(self._writing, b"!")

    def wait(self, seconds: float) -> bytes:
        """What was typed; nothing after so long, or when woken. Ends the block when the terminal is gone."""
        ready, _, _ = select.select([self._keys, self._reading], [], [], seconds)
        if self._reading in ready:
            os.read(self._reading, 4096)
        if self._keys not in ready:
            return b""
        if not (typed := os.read(self._keys, 1024)):
            raise typer.Exit(128 + signal.SIGHUP)
        return typed


def _end(number: int, _: FrameType | None) -> None:
    raise typer.Exit(128 + number)
