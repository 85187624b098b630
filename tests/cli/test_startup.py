"""What a quick command does not load: each of these would be seen in its time."""

import subprocess
import sys

import pytest

from tests.cli.stub import Stub

SLOW = {
    "aiohttp",
    "anyio",
    "asyncio",
    "http.client",
    "peewee",
    "platformdirs",
    "psutil",
    "ssl",
    "tomlkit",
    "urllib.request",
    "uvloop",
    "websockets",
}
RUN = """
import sys
from llamactl.cli.app import run
code = run(sys.argv[1:])
sys.stderr.write("loaded " + " ".join(sys.modules))
sys.exit(code)
"""


def _loaded(*arguments: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition("loaded ")[2].split())


@pytest.mark.parametrize(
    "typed",
    ["--help", "--version", "ps", "ps --json", "ps -o name", "models", "models --json", "daemon status", "version", ""],
)
def test_loads_nothing_slow(stub: Stub, typed: str) -> None:
    loaded = _loaded(*typed.split())
    assert "llamactl.cli.app" in loaded
    assert not loaded & SLOW


def test_no_command_loads_what_writes_the_manual(stub: Stub) -> None:
    assert not {module for module in _loaded("--help") if module.startswith("llamactl.cli.documents")}


def test_json_needs_no_rich_tables(stub: Stub) -> None:
    assert "rich.table" not in _loaded("ps", "--json")


def test_what_is_live_is_for_those_who_watch(stub: Stub) -> None:
    assert not {module for module in _loaded("ps") if module.startswith(("rich.live", "llamactl.cli.top"))}
