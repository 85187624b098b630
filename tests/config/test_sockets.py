"""Where the daemon is looked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llamactl.config.sockets import control_sockets, runtime_directory
from llamactl.core.errors import BadRequest

SYSTEM = "/run/llamactl/control.sock"


def test_the_sockets_are_found_without_loading_what_reads_files() -> None:
    program = (
        "import sys; from llamactl.config.sockets import control_sockets; control_sockets();"
        "heavy = {'tomlkit', 'platformdirs', 'msgspec', 'asyncio', 'typing', 'pathlib', 're', 'tempfile'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    environment = {**os.environ, "XDG_RUNTIME_DIR": ""}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout.strip() == "[]"


def test_the_users_daemon_is_looked_for_before_the_systems() -> None:
    assert control_sockets({"XDG_RUNTIME_DIR": "/r"}) == ["/r/llamactl/control.sock", SYSTEM]
    assert control_sockets({"XDG_RUNTIME_DIR": "/run"}) == [SYSTEM]


@pytest.mark.parametrize("host", ["unix:///a/b.sock", "/a/b.sock"])
def test_a_named_socket_is_the_only_one(host: str) -> None:
    assert control_sockets({"LLAMACTL_HOST": host}) == ["/a/b.sock"]
    assert control_sockets({"LLAMACTL_HOST": "unix:///other"}, host) == ["/a/b.sock"]


def test_a_host_on_the_network_has_no_socket() -> None:
    assert control_sockets({"LLAMACTL_HOST": "http://box:8134"}) == []
    with pytest.raises(BadRequest, match="not a host"):
        control_sockets({}, "box:8134")


def test_a_temporary_directory_of_somebody_else_is_not_trusted(tmp_path: Path) -> None:
    environment = {"TMPDIR": str(tmp_path)}
    runtime = Path(runtime_directory(environment))
    assert control_sockets(environment) == [SYSTEM]
    (tmp_path / "elsewhere").mkdir()
    runtime.symlink_to("elsewhere")
    assert control_sockets(environment) == [SYSTEM]
    runtime.unlink()
    runtime.mkdir()
    assert control_sockets(environment) == [str(runtime / "control.sock"), SYSTEM]
