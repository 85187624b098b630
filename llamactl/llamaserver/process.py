"""One llama-server: started, asked whether it serves, signalled, outlived."""

import logging
import os
import re
import signal
import stat
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from llamactl.core.errors import LoadFailed
from llamactl.core.instance import Exit
from llamactl.core.model import Model
from llamactl.llamaserver import api, oom, output, records
from llamactl.llamaserver.environment import clean
from llamactl.llamaserver.identity import MARK, executable, identify
from llamactl.llamaserver.loaded import loaded
from llamactl.llamaserver.locate import Engine
from llamactl.llamaserver.records import Record
from llamactl.llamaserver.session import Session, lead

log = logging.getLogger(__name__)

LONGEST_SOCKET = 107 if sys.platform == "linux" else 103
"""Bytes in the path of a Unix socket: `sun_path` without the final zero."""

TAIL = 64 * 1024
"""Bytes of the run file that are read to tell why it ended. A backtrace or a long usage text follows
the decisive line, so 20 lines would not do."""

HEAD = 256 * 1024
"""Bytes of the run file in which a llama-server has said how it loaded its model; it takes 12 KB, and a line for
each of the values in the model's file."""

_MASKS = re.compile(r"^Sig(?:Blk|Cgt):\s*(\w+)$", re.MULTILINE)
"""Of the signals that are held back from the main thread, and of those that have handlers: the kernel holds a signal
back while its handler runs."""

_SIGTERM = 1 << signal.SIGTERM - 1


S = TypeVar("S", bound="LlamaServer")


class LlamaServer:
    """A llama-server process, as the supervisor's `Server` wants it.

    `endpoint` is the path of its Unix socket; `record` what is written down of it. `before_end` is called before it is
    told to end, once at the most.
    """

    def __init__(self, session: Session, record: Record) -> None:
        self.pid = session.pid
        self.endpoint = record.endpoint
        self.record = record
        self._session = session
        self._run_file = Path(record.run_file)
        self._begins = record.begins
        self._asked = record.unwanted
        self._oom_kills = oom.kills()
        self.before_end: Callable[[], None] | None = None
        self._exit: Exit | None = None

    @property
    def ended(self) -> bool:
        """The process runs no more."""
        return self._session.ended

    async def healthy(self) -> bool:
        """It serves, and it is this process (or one that it started) that does. Takes 1 s at most."""
        serves = await self._serves()
        if serves and self.record.served is None:
            # A wrapper has executed the real program by now.
            self._note(served=time.monotonic(), executable=executable(self.pid))
        return serves

    async def _serves(self) -> bool:
        return await api.health(self.endpoint, self.pid)

    def progress(self) -> int:
        """Bytes it has written to its run file so far."""
        with suppress(OSError):  # rotated away: no news
            return max(0, self._run_file.stat().st_size - self._begins)
        return 0

    def loaded(self) -> int:
        """Bytes of files that it has read, or mapped and touched, but for its libraries."""
        return loaded(self.pid)

    def ending(self) -> bool:
        """It is in its handler of SIGTERM. Told to end while it works, it stays there now and then (2 of 104 times):
        the handler waits for a lock that the thread which it interrupted holds. It still answers /health then.
        """
        with suppress(OSError, ValueError):  # it is gone, or this is no Linux
            held, handled = (int(mask, 16) for mask in _MASKS.findall(Path(f"/proc/{self.pid}/status").read_text()))
            return bool(held & handled & _SIGTERM)
        return False

    async def wait(self) -> Exit:
        """How it ended, once it and all that it started are gone. May be awaited by several, and again later."""
        ended = await self._session.wait()
        if self._exit is None:
            lines = self._last_lines()
            death = output.Death(
                lines=lines,
                code=ended.code,
                signal=ended.signal,
                asked=self._asked,
                served=self.record.served is not None,
                oom=oom.since(self._oom_kills),
            )
            self._exit = Exit(
                output.reason(death),
                ended.code,
                ended.signal,
                tuple(lines[-20:]),
                kind=output.kind(death),
                log=str(self._run_file),
            )
        return self._exit

    def terminate(self) -> None:
        """SIGTERM to the process; nothing happens when it has ended."""
        self._ask()
        self._session.terminate()

    def kill(self) -> None:
        """SIGKILL to everything in its session; nothing happens when it is gone."""
        self._ask()
        self._session.kill()

    def close(self) -> None:
        """Remove its socket, which llama-server leaves behind however it ends, and its record. It must be gone."""
        records.remove(self.endpoint)

    def _ask(self) -> None:
        """It is told to end. Should the daemon end before it, the next one must not take it for wanted."""
        if not self._asked and not self._session.ended:
            if self.before_end is not None:
                self.before_end()
            self._asked = True
            self._note(unwanted=True)

    def _note(self, **news: Any) -> None:
        self.record = msgspec.structs.replace(self.record, **news)
        try:
            records.write(self.record)
        except OSError as error:  # it runs all the same; only the next daemon will know less
            log.warning("%s: %s", self.record.place, error.strerror)

    def beginning(self) -> list[str]:
        """The first lines of this run. Blocks for as long as the disk does."""
        with suppress(OSError), self._run_file.open("rb") as file:
            file.seek(self._begins)
            return file.read(HEAD).decode(errors="replace").splitlines()
        return []

    def _last_lines(self) -> list[str]:
        with suppress(OSError), self._run_file.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            begins = max(self._begins, size - TAIL)
            file.seek(begins)
            lines = file.read(TAIL).decode(errors="replace").splitlines()
            return [line for line in lines[begins > self._begins :] if line.strip()]
        return []


async def launch(
    engine: Engine, arguments: Sequence[str], socket_path: str, log_path: Path, model: Model, *, settings: str = ""
) -> LlamaServer:
    """Start a llama-server for `model` with this command line (`arguments.command`).

    Its output is appended to `log_path`, one file per run; `settings` goes into its record. Raises `LoadFailed`
    when it cannot be spawned; whether it becomes ready is to be asked.
    """
    try:
        _free(socket_path)
        return spawn(LlamaServer, engine, arguments, socket_path, log_path, model, settings)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise LoadFailed(f"llama-server for {model.name} could not be started: {where}{error.strerror}") from None


def spawn(
    kind: Callable[[Session, Record], S],
    engine: Engine,
    arguments: Sequence[str],
    endpoint: str,
    log_path: Path,
    model: Model,
    settings: str,
) -> S:
    """A process with its record; without an await, so that there is no moment when it runs and nothing tells of it.

    Raises `OSError`.
    """
    log_file = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        record = Record(
            model=model.name,
            path=model.path,
            endpoint=endpoint,
            run_file=str(log_path),
            begins=os.fstat(log_file).st_size,
            launched=time.monotonic(),
            settings=settings,
            build=engine.build,
        )
        records.write(record)
        try:
            session = lead(arguments, {**clean(os.environ, engine.environment), MARK: endpoint}, log_file)
        except OSError:
            records.remove(endpoint)
            raise
    finally:
        os.close(log_file)
    server = kind(session, record)
    server._note(process=identify(session.pid))
    return server


def _free(socket_path: str) -> None:
    """Remove a socket of an earlier run, which llama-server could not bind; refuse what could never be bound."""
    if not socket_path.endswith(".sock"):
        raise LoadFailed(f"llama-server takes {socket_path} for a network address: it must end with .sock")
    if len(os.fsencode(socket_path)) > LONGEST_SOCKET:
        raise LoadFailed(
            f"the path of the socket is longer than {LONGEST_SOCKET} bytes: {socket_path}",
            "choose a shorter runtime directory (XDG_RUNTIME_DIR)",
        )
    if not os.access(directory := Path(socket_path).parent, os.W_OK | os.X_OK):
        raise LoadFailed(f"no socket can be made in {directory}: it is missing, or not writable")
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(Path(socket_path).lstat().st_mode):
            raise LoadFailed(f"there is a file where llama-server is to listen: {socket_path}", f"rm {socket_path}")
        Path(socket_path).unlink()
