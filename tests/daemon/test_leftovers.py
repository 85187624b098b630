"""What is left in a runtime directory is ended as its owner, and no more than its owner could end."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from llamactl.config.directories import Directories
from llamactl.core.errors import Refused
from llamactl.daemon.leftovers import put_down_left
from llamactl.daemon.process import PidFile
from llamactl.llamaserver import records
from llamactl.llamaserver.identity import MARK, identify
from llamactl.llamaserver.records import Record

NOBODY = 65534


@pytest.fixture
def directories() -> Iterator[Directories]:
    """Anybody may pass through to it."""
    with tempfile.TemporaryDirectory(prefix="ll") as place:
        Path(place).chmod(0o755)
        found = Directories(
            config_file=Path(place, "c"), data=Path(place, "d"), log=Path(place, "l"), runtime=Path(place, "r")
        )
        for directory in (found.runtime, found.sockets, found.workers):
            directory.mkdir(0o700)
        yield found


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    children: list[subprocess.Popen[bytes]] = []
    yield children
    for child in children:
        with suppress(ProcessLookupError):
            child.kill()
        child.wait()


def left(directories: Directories, name: str, user: int, *, recorded: bool) -> subprocess.Popen[bytes]:
    """A process of that user, as a daemon of that directory would leave it."""
    endpoint = str(directories.sockets / f"{name}.sock")
    child = subprocess.Popen(
        ["sleep", "60"],
        env={MARK: endpoint, "PATH": os.defpath},
        start_new_session=True,
        user=user,
        group=user,
        extra_groups=[],
    )
    if recorded:
        records.write(
            Record(
                model=name, path="/m", endpoint=endpoint, run_file="", begins=0, launched=0.0,
                process=identify(child.pid), served=1.0,
            )
        )  # fmt: skip
    return child


def test_somebody_else_s_directory_is_left_alone(directories: Directories, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(Refused, match=f"belongs to user {os.getuid()}"):
        put_down_left(directories)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be somebody else")
def test_root_ends_what_the_owner_could_and_nothing_else(
    directories: Directories, children: list[subprocess.Popen[bytes]]
) -> None:
    """A record is the word of who has the directory: it must not have root end a process of root's."""
    for name, user, written in (("recorded", NOBODY, True), ("marked", NOBODY, False), ("forged", 0, True)):
        children.append(left(directories, name, user, recorded=written))
    recorded, marked, forged = children
    for path in (directories.runtime, directories.sockets, directories.workers, *directories.sockets.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    with PidFile(directories.pid_file):
        os.chown(directories.pid_file, NOBODY, NOBODY)
        with pytest.raises(Refused, match="a daemon is already running"):
            put_down_left(directories)
    me = os.getresuid(), os.getresgid(), os.getgroups()
    ended = put_down_left(directories)
    assert (os.getresuid(), os.getresgid(), os.getgroups()) == me
    assert sorted(ended) == [f"a process (pid {marked.pid})", f"recorded (pid {recorded.pid})"]
    assert forged.poll() is None and not directories.pid_file.exists()
