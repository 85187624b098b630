"""The runtime directory and what lies in it: whose is it, and who else may use it?"""

import stat
from collections.abc import Iterator
from pathlib import Path

from llamactl.core.finding import Finding, SetMode, ok, problem
from llamactl.doctor.case import Case


def check(case: Case) -> Iterator[Finding]:
    if case.remote:
        return
    directories = case.directories
    runtime, managed = directories.runtime, directories.managed
    if not runtime.exists() and not runtime.is_symlink():
        yield ok("sockets", f"{runtime} is made when a daemon starts")
        return
    sound = True
    for path, mode in (
        (runtime, 0o755 if managed else 0o700),
        (directories.sockets, 0o700),
        (directories.workers, 0o700),
        (directories.control_socket, 0o660 if managed else 0o600),
        (directories.web_socket, 0o600),
    ):
        for finding in _wrong(case, path, mode):
            sound = False
            yield finding
    if sound:
        yield ok("sockets", f"{runtime} is for {case.runner.user} alone" if not managed else f"{runtime} is closed")


def _wrong(case: Case, path: Path, mode: int) -> Iterator[Finding]:
    """`mode` is the most that may be open."""
    try:
        found = path.lstat()
    except OSError:
        return
    if not (stat.S_ISDIR(found.st_mode) or stat.S_ISSOCK(found.st_mode)):
        yield problem(
            "not-a-socket",
            f"{path} is neither a directory nor a socket",
            "something else was put there, or a link; a daemon refuses it",
            f"rm {path}",
        )
    elif found.st_uid != case.owner:
        yield problem(
            "owner-differs",
            f"{path} belongs to user {found.st_uid}",
            f"the daemon is of user {case.owner} ({case.runner.user}), and trusts only its own",
            f"sudo chown -R {case.owner} {path}",
        )
    elif found.st_mode & 0o777 & ~mode:
        now = stat.S_IMODE(found.st_mode)
        yield problem(
            "mode-open",
            f"{path} is open to other users (mode {now:04o})",
            "it was changed since llamactl made it; a daemon would not start with it",
            f"chmod {mode & now:o} {path}",
            SetMode(str(path), mode & now),
        )
