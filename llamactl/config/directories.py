"""Where configuration, data, logs and sockets lie."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import msgspec

from llamactl.config.sockets import CONTROL, runtime_directory
from llamactl.core.errors import Refused

_XDG = {"config": ".config", "data": ".local/share", "state": ".local/state"}


class Directories(msgspec.Struct, frozen=True, kw_only=True):
    """Absolute paths; none of them need exist before `prepare`.

    `managed`: the runtime directory was made by systemd, which chose who may look into it.
    """

    config_file: Path
    data: Path
    log: Path
    runtime: Path
    managed: bool = False

    @property
    def control_socket(self) -> Path:
        return self.runtime / CONTROL

    @property
    def web_socket(self) -> Path:
        """Where the web face listens, behind the door."""
        return self.runtime / "web.sock"

    @property
    def pid_file(self) -> Path:
        return self.runtime / "llamactl.pid"

    @property
    def names(self) -> Path:
        """What completions read."""
        return self.runtime / "names"

    @property
    def sockets(self) -> Path:
        """The directory of the sockets that llama-servers listen on."""
        return self.runtime / "sockets"

    @property
    def workers(self) -> Path:
        """The directory of the records of workers."""
        return self.runtime / "workers"

    @property
    def database(self) -> Path:
        return self.data / "llamactl.db"

    @property
    def models(self) -> Path:
        """The directory that downloaded models are put into."""
        return self.data / "models"

    @property
    def templates(self) -> Path:
        """Where chat templates are looked for by their names; it need not exist."""
        return self.data / "templates"

    def runs(self, model: str) -> Path:
        """The directory with what the llama-servers of a model wrote: one `*.log` per run, oldest first by name."""
        return self.log / "models" / quote(model, safe="")

    def worker_runs(self, address: str) -> Path:
        """The same of a worker."""
        return self.log / "workers" / quote(address, safe="")

    def prepare(self) -> None:
        """Make those that are missing. Raises `Refused` where one of them cannot be used."""
        prepare(self.runtime, private=not self.managed)
        prepare(self.sockets)
        prepare(self.workers)
        for directory in (self.data, self.log):
            prepare(directory, private=False)


def find_directories(environment: Mapping[str, str] | None = None) -> Directories:
    """What systemd names in `RUNTIME_DIRECTORY` and its like (the first of each), else the XDG directories."""
    environment = os.environ if environment is None else environment

    def managed(name: str) -> Path | None:
        first = environment.get(name, "").partition(":")[0]
        return Path(first) if first.startswith("/") else None

    def own(name: str) -> Path:
        given = environment.get(f"XDG_{name.upper()}_HOME", "")
        if given.startswith("/"):
            return Path(given, "llamactl")
        if os.uname().sysname == "Linux":
            return Path.home() / _XDG[name] / "llamactl"
        import platformdirs  # which says the same on Linux, 20 ms later

        path: Path = getattr(platformdirs, f"user_{name}_path")("llamactl")
        return path

    runtime = managed("RUNTIME_DIRECTORY")
    return Directories(
        config_file=(managed("CONFIGURATION_DIRECTORY") or own("config")) / "config.toml",
        data=managed("STATE_DIRECTORY") or own("data"),
        log=managed("LOGS_DIRECTORY") or own("state") / "log",
        runtime=runtime or Path(runtime_directory(environment)),
        managed=runtime is not None,
    )


def prepare(directory: Path, *, private: bool = True) -> Path:
    """`directory`, made with mode 0700 (its parents too) if it is missing.

    Raises `Refused` if it cannot be made or used. A private one must be a real directory, belong to this user
    and be closed to everybody else; any other need only be one in which we may write.
    """
    try:
        for missing in [path for path in reversed(directory.parents) if not path.exists()]:
            missing.mkdir(0o700, exist_ok=True)
        directory.mkdir(0o700, exist_ok=True)
        found = directory.lstat() if private else directory.stat()
    except FileExistsError:
        raise Refused(f"{directory} is not a directory", f"move it away: mv {directory} {directory}.old") from None
    except OSError as error:
        raise Refused(
            f"cannot make the directory {directory}: {error.strerror}", f"ls -ld {directory.parent}"
        ) from None
    if not private:
        if not os.access(directory, os.W_OK | os.X_OK):
            raise Refused(f"may not write in {directory}", f"give it to this user: chown {os.getuid()} {directory}")
        return directory
    if stat.S_ISLNK(found.st_mode):
        raise Refused(f"{directory} is a symbolic link; sockets are put into real directories only", f"rm {directory}")
    if found.st_uid != os.getuid():
        raise Refused(
            f"{directory} belongs to user {found.st_uid}, and this is user {os.getuid()}",
            "remove it, or set XDG_RUNTIME_DIR to a directory of your own",
        )
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise Refused(f"{directory} is open to other users (mode {mode:04o})", f"chmod 700 {directory}")
    return directory
