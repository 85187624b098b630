"""What checks begin with: where everything lies, and what the daemon says of itself."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from llamactl.config.directories import Directories, find_directories
from llamactl.config.load import usable, user_file
from llamactl.config.sections import Config
from llamactl.config.sockets import SYSTEM
from llamactl.core.errors import LlamactlError
from llamactl.core.surroundings import Surroundings
from llamactl.metrics import surroundings
from llamactl.metrics.amd import Amd
from llamactl.metrics.gpu import Nvml
from llamactl.rpc.calls import DaemonStatus, ShowSurroundings, Status

Connect = Callable[[float], Any]
"""A client of the daemon that waits so many seconds for each answer; raises `LlamactlError`."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """`here` is what this process sees, `service` what the daemon does; `refusal` says why there is no `status`.

    `directories` are those of the daemon that answers, else those that one started here would have. `remote`: it is
    on another machine, or as good as; `named`: no other will do; `denied`: it is there, and answers others only.
    `limit` is how many seconds a check may take, `file` the configuration that was named, `root` what stands for `/`.
    """

    connect: Connect
    remote: bool
    limit: float
    named: bool
    file: Path | None
    config: Config
    directories: Directories
    here: Surroundings
    status: DaemonStatus | None = None
    service: Surroundings | None = None
    refusal: LlamactlError | None = None
    denied: bool = False
    root: Path = Path("/")

    @property
    def runner(self) -> Surroundings:
        """What whoever runs llama-servers sees."""
        return self.service or self.here

    @property
    def owner(self) -> int:
        """The user whose sockets and files they are."""
        return self.runner.uid


def take(
    connect: Connect,
    sockets: Sequence[str],
    *,
    limit: float,
    named: bool = False,
    file: Path | None = None,
    root: Path = Path("/"),
) -> Case:
    """`sockets` are where a daemon may listen, none for a remote one; it gets half of `limit` to say that it is there.

    `named`: somebody said which; `file` is the configuration that was named.
    """
    remote = not sockets
    status: DaemonStatus | None = None
    service: Surroundings | None = None
    refusal: LlamactlError | None = None
    directories = msgspec.structs.replace(find_directories(), config_file=user_file(file))
    try:
        with connect(limit / 2) as client:
            status = client.call(Status())
            service = _service(client)
            if not remote:
                directories = _its(directories, status, Path(client.path).parent)
    except LlamactlError as error:
        refusal = error
    return Case(
        connect=connect,
        remote=remote,
        limit=limit,
        named=named,
        file=file,
        config=usable(file),
        directories=directories,
        here=_here(root),
        status=status,
        service=service,
        refusal=refusal,
        denied=status is None and any(map(_denied, map(Path, sockets))),
        root=root,
    )


def _denied(path: Path) -> bool:
    try:
        found = path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return os.geteuid() not in (0, found.st_uid)


def _service(client: Any) -> Surroundings | None:
    """None from a daemon of an earlier version."""
    try:
        found: Surroundings = client.call(ShowSurroundings())
    except LlamactlError:
        return None
    return found


def _its(ours: Directories, status: DaemonStatus, runtime: Path) -> Directories:
    return Directories(
        config_file=Path(status.config),
        data=Path(status.data),
        log=Path(status.log),
        runtime=runtime,
        managed=runtime == Path(SYSTEM) or (ours.managed and runtime == ours.runtime),
    )


def _here(root: Path) -> Surroundings:
    nvml = Nvml(time.monotonic)
    try:
        return surroundings.look([*nvml.measure(only_memory=True), *Amd(root).measure([os.getpid()])], root)
    finally:
        nvml.close()
