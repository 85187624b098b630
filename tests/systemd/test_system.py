"""The units of the system, run by a real systemd. One test with many steps: daemons take their time to start."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import FAKE
from tests.engines.fake.state import Vices
from tests.systemd.booted import BootedSystem, CannotBoot

ADAPTED = """\
[Service]
BindReadOnlyPaths={needs}
Environment=LLAMACTL_LLAMA_SERVER_PATH={fake} PATH={path}:/usr/bin:/bin
RestartSec=50ms
StandardError=append:/var/log/llamactl.stderr
"""
"""What lies in /tmp is hidden by PrivateTmp; and the tests need not wait as long as people do."""

RUNTIME = Path("/run/llamactl")
CONFIG = "/etc/llamactl/config.toml"


@pytest.fixture
def systemd() -> Iterator[BootedSystem]:
    with tempfile.TemporaryDirectory(prefix="ll") as place:
        try:
            booted = BootedSystem(Path(place))
        except CannotBoot as error:
            pytest.skip(f"no systemd of a system can be run here: {error}")
        try:
            booted.llamactl("daemon", "install-unit")
            needs = " ".join(map(str, booted.needs))
            text = ADAPTED.format(needs=needs, fake=FAKE, path=Path(sys.executable).parent)
            booted.write("/etc/systemd/system/llamactl.service.d/test.conf", text)
            booted.inside("systemd-sysusers")
            booted.inside("systemd-tmpfiles", "--create", "llamactl.conf")
            booted.systemctl("daemon-reload")
            yield booted
        finally:
            booted.end()


def owned(systemd: BootedSystem, *paths: str | Path) -> list[str]:
    return systemd.inside("stat", "--format=%U:%G %a", *map(str, paths)).stdout.splitlines()


def users(systemd: BootedSystem) -> list[str]:
    """Of each process that is llamactl or a model, whose it is."""
    lines = systemd.inside("ps", "-e", "-o", "user:32=,args=").stdout.splitlines()
    return [
        line.split()[0] for line in lines if "llamactl daemon run" in line or "llamactld" in line or str(FAKE) in line
    ]


def test_its_life(systemd: BootedSystem) -> None:
    systemd.systemctl("start", "llamactl.socket")
    assert owned(systemd, RUNTIME, RUNTIME / "control.sock") == ["llamactl:llamactl 700", "llamactl:llamactl 600"]
    assert systemd.show("ActiveState") == "inactive"

    assert systemd.llamactl("ps", "-o", "name") == "", "root has connected, and so started it"
    systemd.until(ActiveState="active")
    assert systemd.show("StatusText") == "0 models; http://127.0.0.1:8134"
    assert users(systemd) == ["llamactl"]
    [control, *directories] = owned(
        systemd,
        RUNTIME / "control.sock",
        RUNTIME,
        "/var/lib/llamactl",
        "/var/log/llamactl",
        "/var/lib/llamactl/llamactl.db",
    )
    assert control == "llamactl:llamactl 600"
    assert directories == [f"llamactl:llamactl {mode}" for mode in (700, 750, 750, 600)]
    status = dict(
        line.split(":\t")
        for line in (systemd.root / "proc" / systemd.show("MainPID") / "status").read_text().splitlines()
        if line.startswith(("CapBnd", "NoNewPrivs", "Seccomp:"))
    )
    assert status == {"CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"}
    others = systemd.inside(
        "setpriv", "--reuid=nobody", "--clear-groups", sys.executable, "-m", "llamactl", "ps", check=False
    )
    assert others.returncode == 7, "another user of the machine does not get in"
    assert "Permission denied" in others.stderr

    model = systemd.root / "var" / "lib" / "models" / "alpha.gguf"
    model.parent.mkdir()
    model.write_bytes(b"GGUF" + (3).to_bytes(4, "little") + bytes(16))
    Vices().of_model(model)
    systemd.llamactl("models", "add", "/var/lib/models/alpha.gguf")
    assert systemd.llamactl("chat", "alpha", "hello")
    assert users(systemd) == ["llamactl", "llamactl"]
    systemd.llamactl("doctor")

    quickstart = ("env", "XDG_DATA_HOME=/run/mine", sys.executable, "-m", "llamactl", "quickstart")
    said = systemd.inside(*quickstart, check=False)
    assert "cannot reach the package index" in said.stderr, "there is no network here"
    assert systemd.inside("test", "-e", "/run/mine", check=False).returncode == 1, "the service fetches its own"
    assert owned(systemd, "/var/lib/llamactl/models") == ["llamactl:llamactl 700"]

    systemd.write(CONFIG, "[residency]\ndrain = '29s'\n")
    systemd.systemctl("reload", "llamactl.service")
    assert "the configuration has changed: residency.drain" in systemd.log()
    systemd.write(CONFIG, "[residency]\ndrain = 'x'\n")
    assert systemd.inside("systemctl", "reload", "llamactl.service", check=False).returncode != 0
    assert systemd.show("ActiveState") == "active"
    (systemd.root / CONFIG.lstrip("/")).unlink()

    systemd.systemctl("kill", "--kill-whom=main", "--signal=KILL", "llamactl.service")
    systemd.until(NRestarts="1", ActiveState="activating", SubState="start")
    systemd.systemctl("stop", "llamactl.service")  # before the next one has taken over what is there
    assert systemd.show("Result") == "success"
    assert users(systemd) == []

    systemd.llamactl("start", "alpha")
    systemd.llamactl("daemon", "stop", "--keep-models")
    systemd.until(ActiveState="inactive")
    assert users(systemd) == ["llamactl"], "the model"
    stopped = systemd.inside(sys.executable, "-m", "llamactl", "daemon", "stop", "--left-behind").stderr
    assert "stopped: alpha (pid " in stopped, "root has looked at what the service left, too"
    assert users(systemd) == []

    systemd.llamactl("start", "alpha")
    assert users(systemd) == ["llamactl", "llamactl"]
    systemd.systemctl("stop", "llamactl.socket", "llamactl.service")
    assert systemd.show("Result") == "success"
    assert users(systemd) == []
    assert owned(systemd, RUNTIME) == ["llamactl:llamactl 700"]
