"""One llama-server: started, asked whether it serves, signalled, outlived."""

import os
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from llamactl.core.errors import LoadFailed
from llamactl.core.instance import Exit
from llamactl.llamaserver import api, oom, output
from llamactl.llamaserver.environment import clean
from llamactl.llamaserver.locate import Engine
from llamactl.llamaserver.session import Session

LONGEST_SOCKET = 107 if sys.platform == "linux" else 103
"""Bytes in the path of a Unix socket: `sun_path` without the final zero."""

TAIL = 64 * 1024
"""Bytes of the run file that are read to tell why it ended. A backtrace or a long usage text follows
the decisive line, so 20 lines would not do."""

HEAD = 256 * 1024
"""Bytes of the run file in which a llama-server has said how it loaded its model; it takes 12 KB, and a line for
each of the values in the model's file."""


class LlamaServer:
    """A llama-server process, as the supervisor's `Server` wants it.

    `endpoint` is the path of its Unix socket. `before_end` is called before it is told to end, once at the most.
    """

    def __init__(self, session: Session, endpoint: str, run_file: Path, begins: int) -> None:
        self.pid = session.pid
        self.endpoint = endpoint
        self._session = session
        self._run_file = run_file
        self._begins = begins
        self._asked = self._served = False
        self._oom_kills = oom.kills()
        self.before_end: Callable[[], None] | None = None
        self._exit: Exit | None = None

    async def healthy(self) -> bool:
        """It serves, and it is this process (or one that it started) that does. Takes 1 s at most."""
        healthy = await api.health(self.endpoint, self.pid)
        self._served = self._served or healthy
        return healthy

    def progress(self) -> int:
        """Bytes it has written to its run file so far."""
        with suppress(OSError):  # rotated away: no news
            return max(0, self._run_file.stat().st_size - self._begins)
        return 0

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
                served=self._served,
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
        if not self._asked and not self._session.ended and self.before_end is not None:
            self.before_end()
        self._asked = self._asked or not self._session.ended
        self._session.terminate()

    def kill(self) -> None:
        """SIGKILL to everything in its session; nothing happens when it is gone."""
        self._asked = self._asked or not self._session.ended
        self._session.kill()

    def close(self) -> None:
        """Remove its socket: llama-server leaves it behind, however it ends. It must be gone."""
        Path(self.endpoint).unlink(missing_ok=True)

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


async def launch(engine: Engine, arguments: Sequence[str], socket_path: str, log_path: Path, name: str) -> LlamaServer:
    """Start the llama-server `name` with this command line (`arguments.command`).

    Its output is appended to `log_path`, one file per run. Raises `LoadFailed` when it cannot be spawned;
    whether it becomes ready is to be asked.
    """
    try:
        _free(socket_path)
        log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            begins = os.fstat(log).st_size
            session = Session(arguments, clean(os.environ, engine.environment), log)
        finally:
            os.close(log)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise LoadFailed(f"llama-server for {name} could not be started: {where}{error.strerror}") from None
    return LlamaServer(session, socket_path, Path(log_path), begins)


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
