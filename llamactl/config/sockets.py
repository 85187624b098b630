"""Where a daemon is to be found; imported on the way of every command, so it imports next to nothing."""

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SYSTEM = "/run/llamactl"
"""The runtime directory of the system service."""

CONTROL = "control.sock"


def runtime_directory(environment: "Mapping[str, str]") -> str:
    """`$XDG_RUNTIME_DIR/llamactl`; where that is unset, `llamactl-<uid>` in the temporary directory.

    A relative `XDG_RUNTIME_DIR` counts as unset, as its specification demands.
    """
    given = environment.get("XDG_RUNTIME_DIR", "")
    if given.startswith("/"):
        return f"{given.rstrip('/')}/llamactl"
    return f"{_temporary(environment)}/llamactl-{os.getuid()}"


def control_sockets(environment: "Mapping[str, str] | None" = None, host: str = "") -> list[str]:
    """The control sockets to try, in this order; they need not exist.

    `host` is what `--host` says, else `LLAMACTL_HOST` is taken: where one of them names a socket, it is the
    only one, since another daemon would be the wrong one. An `http` address gives an empty list. Raises
    `BadRequest` for a host that is neither.
    """
    environment = os.environ if environment is None else environment
    host = host or environment.get("LLAMACTL_HOST", "")
    if host:
        return _named(host)
    runtime = runtime_directory(environment)
    # Anyone may make a directory of that name in /tmp, and listen there.
    trusted = os.path.dirname(runtime) != _temporary(environment) or is_ours(runtime)
    found = [f"{runtime}/{CONTROL}"] if trusted else []
    return found if runtime == SYSTEM else [*found, f"{SYSTEM}/{CONTROL}"]


def is_ours(directory: "str | os.PathLike[str]") -> bool:
    """A real directory, not a link to one, that belongs to this user."""
    try:
        found = os.lstat(directory)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _named(host: str) -> list[str]:
    if host.startswith(("http://", "https://")):
        return []
    path = host.removeprefix("unix://")
    if not path.startswith("/"):
        from llamactl.core.errors import BadRequest  # with msgspec, 30 ms that only this error needs

        raise BadRequest(f"not a host: {host!r}", "write unix:///path/to/control.sock or http://host:port")
    return [path]


def _temporary(environment: "Mapping[str, str]") -> str:
    """As `tempfile.gettempdir` has it, without its 10 ms of imports and the file it writes to try."""
    for name in ("TMPDIR", "TEMP", "TMP"):
        given = environment.get(name, "")
        if given.startswith("/") and os.path.isdir(given):
            return given.rstrip("/")
    return "/tmp"
