"""Sockets from systemd, as this process would be started with them."""

import os
import socket
import subprocess
import sys

import msgspec
import pytest

from llamactl.core.errors import Refused
from llamactl.daemon.activation import Activated, activated

PROGRAM = """\
import os, msgspec
from llamactl.daemon.activation import activated
os.environ["LISTEN_PID"] = str(os.getpid())
found = activated(os.environ, os.getpid())
assert not any(os.get_inheritable(number) for number in (found.control, *found.proxy))
assert not [name for name in os.environ if name.startswith("LISTEN_")]
print(msgspec.json.encode(found).decode())
"""


def test_they_are_found_by_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        environment = {**os.environ, "LISTEN_FDS": "3", "LISTEN_FDNAMES": "proxy:control:proxy"}

        def numbered() -> None:
            for number in (3, 4, 5):
                os.dup2(listener.fileno(), number)

        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            preexec_fn=numbered,
            close_fds=False,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    assert msgspec.json.decode(done.stdout, type=Activated) == Activated(control=4, proxy=(3, 5))


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LISTEN_PID": "8", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "control"},
        {"LISTEN_PID": "7", "LISTEN_FDS": "", "LISTEN_FDNAMES": "control"},
        {"LISTEN_PID": "7", "LISTEN_FDS": "0", "LISTEN_FDNAMES": ""},
    ],
)
def test_those_of_others_are_not_taken(environment: dict[str, str]) -> None:
    assert activated(environment, 7) == Activated()
    assert environment == {}


@pytest.mark.parametrize(
    ("names", "said"), [("llamactl.socket", "llamactl.socket"), ("control:control", "more than one")]
)
def test_what_they_are_for_must_be_clear(names: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.set_inheritable", lambda number, _: None)
    environment = {"LISTEN_PID": "7", "LISTEN_FDS": str(len(names.split(":"))), "LISTEN_FDNAMES": names}
    with pytest.raises(Refused, match=said):
        activated(environment, 7)
