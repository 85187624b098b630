"""What a daemon left behind that is no more."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from llamactl.core.finding import Finding, PutDown, Remove, ok, warning
from llamactl.doctor.case import Case
from llamactl.llamaserver import identity, records

FIX = "llamactl doctor --fix"


def check(case: Case) -> Iterator[Finding]:
    """Only where no daemon runs: each one clears up when it starts, and knows what it runs."""
    if case.remote or case.status is not None or case.denied:
        return
    directories = case.directories
    none = True
    for finding in (
        *_pid_file(directories.pid_file),
        *_sockets(directories.control_socket, directories.web_socket),
        *_processes(directories.sockets, "llama-server"),
        *_processes(directories.workers, "worker"),
    ):
        none = False
        yield finding
    if none:
        yield ok("leftovers", "no earlier daemon left anything behind")


def _pid_file(path: Path) -> Iterator[Finding]:
    """A file that is not locked is a leftover, whatever stands in it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        pid = os.read(file, 64).split(b" ")[0].decode(errors="replace").strip()
        # Shared, and only for this moment: a daemon that starts just now asks again.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        yield warning(
            "daemon-busy", f"a daemon (pid {pid}) is there and does not listen", "it starts, or ends", f"ps -p {pid}"
        )
    else:
        yield warning("pid-file-stale", f"{path} is of a daemon that is gone", "it was killed", FIX, Remove(str(path)))
    finally:
        os.close(file)


def _sockets(*paths: Path) -> Iterator[Finding]:
    for path in filter(Path.is_socket, paths):
        with socket.socket(socket.AF_UNIX) as caller:
            caller.setblocking(False)
            try:
                caller.connect(str(path))
            except ConnectionRefusedError:
                repair = Remove(str(path))
                yield warning("socket-stale", f"nobody listens on {path}", "its daemon was killed", FIX, repair)
            except OSError:
                continue


def _processes(directory: Path, what: str) -> Iterator[Finding]:
    """Those that run on, and the files of those that do not."""
    if not directory.is_dir():
        return
    running = identity.marked(directory)
    known = {record.endpoint: record.model for record in records.read(directory)}
    for endpoint, pids in running.items():
        yield warning(
            "orphan-running",
            f"a {what} of {known.get(endpoint) or 'an unknown model'} runs on (pid {min(pids)})",
            "its daemon was killed, or told to keep it; the next one goes on with it, and --fix ends it",
            FIX,
            PutDown(str(directory)),
        )
    stems = {Path(endpoint).stem for endpoint in running}
    with suppress(OSError):
        if left := [path for path in directory.iterdir() if path.stem not in stems]:
            yield warning(
                "records-stale",
                f"{len(left)} files in {directory} are of no process",
                "their processes ended while no daemon was there",
                FIX,
                PutDown(str(directory)),
            )
