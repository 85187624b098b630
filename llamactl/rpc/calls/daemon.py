"""The daemon and the engine that it runs models with."""

import msgspec

from llamactl.core.errors import Problem
from llamactl.core.surroundings import Surroundings
from llamactl.rpc.calls.call import Call


class ServiceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the daemon: `starting`, `up`, `restarting`, `down`; `reason` says why it is not up."""

    name: str
    state: str
    age: float
    restarts: int = 0
    reason: str = ""


class EngineRow(msgspec.Struct, frozen=True, kw_only=True):
    """The llama-server that models are run with; `problem` if there is none that can be used."""

    path: str = ""
    version: str = ""
    origin: str = ""
    problem: Problem | None = None


class DaemonStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`http` lists the addresses of the front door as URLs, `last_event` is the newest event's number.

    `restart_for` are keys of the configuration that have changed and wait for a restart of the daemon. `unit` is what
    systemd runs it as, for the system or (`user_unit`) for a user; empty if it does not.
    """

    version: str
    pid: int
    uptime: float
    http: list[str]
    config: str
    data: str
    log: str
    models: int
    services: list[ServiceRow]
    last_event: int
    restart_for: tuple[str, ...] = ()
    unit: str = ""
    user_unit: bool = False

    def systemctl(self, verb: str) -> str:
        """The command for the unit that it runs as; empty if it runs as none."""
        return f"systemctl {'--user ' if self.user_unit else ''}{verb} {self.unit}" if self.unit else ""


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of the configuration: those whose new values count from now on, and all that wait for a restart."""

    changed: tuple[str, ...] = ()
    restart_for: tuple[str, ...] = ()


class Announcement(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a starting daemon tells who started it, as one JSON line through a pipe: it is up, or why not."""

    pid: int
    problem: Problem | None = None


class Status(Call[DaemonStatus], frozen=True):
    """How the daemon is."""

    method = "daemon.status"
    scope = "observe"


class ShowSurroundings(Call[Surroundings], frozen=True):
    """What the daemon's process can see of the machine and may do there, like the llama-servers that it starts."""

    method = "daemon.surroundings"
    scope = "admin"


class Shutdown(Call[None], frozen=True):
    """Stop everything and end; answered before it happens. With `keep_models` they run on, for the next daemon."""

    method = "daemon.stop"
    scope = "admin"
    keep_models: bool = False


class Reexec(Call[None], frozen=True):
    """Go on with the code and configuration that are installed now, in the same process and without stopping a model.

    Without `keep_models` it begins as after a start: every model and worker is stopped when answers under way are out.
    Answered before it happens: the connection ends when it does. Refused, with the reason, if that would not start.
    """

    method = "daemon.reexec"
    scope = "admin"
    keep_models: bool = True


class Reload(Call[Reloaded], frozen=True):
    """Read the configuration again and take over what may change meanwhile; all stays as it is if it is not valid."""

    method = "daemon.reload"
    scope = "admin"


class UnitFile(msgspec.Struct, frozen=True):
    """A file for systemd, as it was found: `new`, not there; `other`, an earlier one of ours; or the `same`."""

    path: str
    state: str


class UnitFiles(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, or with `dry_run` would be; `next` are the commands to type after it."""

    dry_run: bool
    units: list[UnitFile]
    next: list[str]


class InstallUnits(Call[UnitFiles], frozen=True):
    """Write the units that systemd runs this daemon as: for the system, or for the `user` that it runs as."""

    method = "daemon.install_units"
    scope = "admin"
    user: bool = False
    dry_run: bool = False


class Engine(Call[EngineRow], frozen=True):
    """Which llama-server models are run with, tried out if it has not been yet."""

    method = "engine.show"
    scope = "observe"
