"""What checks begin with: where everything lies, and what the daemon says of itself."""

import os
import threading
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
from llamactl.core.sample import Gpu
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
    `stuck`: the drivers of GPUs do not answer this process.
    `until` is when all has to be told, by `time.monotonic`, `file` the configuration that was named, `root` what stands
    for `/`.
    """

    connect: Connect
    remote: bool
    until: float
    named: bool
    file: Path | None
    config: Config
    directories: Directories
    here: Surroundings
    status: DaemonStatus | None = None
    service: Surroundings | None = None
    refusal: LlamactlError | None = None
    denied: bool = False
    stuck: bool = False
    root: Path = Path("/")

    @property
    def left(self) -> float:
        """How many seconds a check may wait for others, so that there is time to tell how that ended."""
        return max(0.01, 0.9 * (self.until - time.monotonic()))

    @property
    def runner(self) -> Surroundings:
        """What whoever runs llama-servers sees."""
        return self.service or self.here

    def systemctl(self, verb: str) -> str:
        """The command for the unit of the daemon that answers; empty if there is none."""
        return "" if self.status is None else self.status.systemctl(verb)

    @property
    def restart(self) -> str:
        return self.systemctl("restart") or "llamactl daemon restart"

    @property
    def owner(self) -> int:
        """The user whose sockets and files they are."""
        return self.runner.uid


def take(
    connect: Connect,
    sockets: Sequence[str],
    *,
    until: float,
    named: bool = False,
    file: Path | None = None,
    root: Path = Path("/"),
) -> Case:
    """A daemon listens on one of `sockets`, a remote one on none; it has a third of the time to say that it is there.

    `named`: somebody said which; `file` is the configuration that was named.
    """
    remote, began, gpus = not sockets, time.monotonic(), _Gpus(root)
    third = max(0.01, (until - began) / 3)
    gpus.start()
    status: DaemonStatus | None = None
    service: Surroundings | None = None
    refusal: LlamactlError | None = None
    directories = msgspec.structs.replace(find_directories(), config_file=user_file(file))
    try:
        with connect(third) as client:
            status = client.call(Status())
            service = _service(client)
            if not remote:
                directories = _its(directories, status, Path(client.path).parent)
    except LlamactlError as error:
        refusal = error
    gpus.join(max(0.0, began + third - time.monotonic()))
    return Case(
        connect=connect,
        remote=remote,
        until=until,
        named=named,
        file=file,
        config=usable(file),
        directories=directories,
        here=surroundings.look(list(gpus.found), root),
        stuck=gpus.is_alive(),
        status=status,
        service=service,
        refusal=refusal,
        denied=status is None and any(map(_denied, sockets)),
        root=root,
    )


def _denied(path: str) -> bool:
    try:
        found = Path(path).stat()
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


class _Gpus(threading.Thread):
    """Asks the drivers, which may never answer: in a thread, and nobody waits for its end."""

    def __init__(self, root: Path) -> None:
        super().__init__(daemon=True)
        self._root = root
        self.found: list[Gpu] = []

    def run(self) -> None:
        nvml = Nvml(time.monotonic)
        self.found += nvml.measure(only_memory=True)
        nvml.close()
        self.found += Amd(self._root).measure([os.getpid()])
