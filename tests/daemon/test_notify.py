"""What a service manager hears, read at the other end."""

import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llamactl.daemon.notify import STARTING, Notify


class Ear:
    """A service manager that only listens."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1))
        self.socket.setblocking(False)
        self.environment = {"NOTIFY_SOCKET": address}

    def heard(self) -> list[dict[str, str]]:
        """A datagram each, since it was last asked."""
        found: list[dict[str, str]] = []
        while True:
            try:
                text = self.socket.recv(4096).decode()
            except BlockingIOError:
                return found
            found.append(dict(line.split("=", 1) for line in text.split("\n")))


@pytest.fixture(params=["file", "abstract"])
def ear(request: pytest.FixtureRequest) -> Iterator[Ear]:
    with tempfile.TemporaryDirectory(prefix="ll") as place:
        path = Path(place, "notify")
        ear = Ear(str(path) if request.param == "file" else f"@{path}")
        with ear.socket:
            yield ear


def test_a_life(ear: Ear) -> None:
    notify = Notify(ear.environment, 7)
    assert notify
    with notify.reloading():  # before it is up, nobody is told that it is
        pass
    assert ear.heard() == []
    notify.ready("2 models")
    notify.status("3 models")
    notify.alive()
    notify.stopping("stopping")
    notify.patience(1.5)
    assert ear.heard() == [
        {"READY": "1", "STATUS": "2 models"},
        {"STATUS": "3 models"},
        {"WATCHDOG": "1"},
        {"STOPPING": "1", "STATUS": "stopping"},
        {"EXTEND_TIMEOUT_USEC": "1500000"},
    ]
    with notify.reloading():
        pass
    assert ear.heard() == [], "who stops is not ready again"


def test_a_reload_begins_and_ends(ear: Ear) -> None:
    notify = Notify(ear.environment, 7)
    notify.ready("")
    ear.heard()
    before = time.monotonic_ns() // 1000
    with pytest.raises(ValueError, match="wrong"), notify.reloading():
        [said] = ear.heard()
        raise ValueError("wrong")
    assert said["RELOADING"] == "1"
    assert before <= int(said["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert ear.heard() == [{"READY": "1"}]


def test_the_watchdog_is_patient_with_a_new_start(ear: Ear) -> None:
    notify = Notify({**ear.environment, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 7)
    assert notify.watchdog == 30
    notify.ready("")
    notify.leaving()
    said = ear.heard()
    assert [each["WATCHDOG_USEC"] for each in said] == ["30000000", f"{STARTING:.0f}000000"]
    assert said[1]["RELOADING"] == "1"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "8"},
        {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "soon"},
        {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "1000000"},
    ],
)
def test_no_watchdog_of_ours(environment: dict[str, str]) -> None:
    assert Notify(environment, 7).watchdog is None


@pytest.mark.parametrize("address", ["", "/nonexistent/notify", "vsock:2:1234"])
def test_nobody_there_is_no_failure(address: str) -> None:
    notify = Notify({"NOTIFY_SOCKET": address}, 7)
    notify.ready("")
    notify.stopping("")
