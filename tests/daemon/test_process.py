"""One daemon at a time, detached, announced."""

import fcntl
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from llamactl.core.errors import Refused
from llamactl.daemon.process import PidFile, announce
from llamactl.rpc.calls import Announcement


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "llamactl.pid"


# --- the pid file --------------------------------------------------------------------------------


def test_it_says_who_runs_since_when(path: Path) -> None:
    with PidFile(path):
        pid, began = path.read_text().split()
        assert int(pid) == os.getpid()
        assert abs(float(began) - time.time()) < 5
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


def test_a_second_daemon_is_refused_and_told_who_is_there(path: Path) -> None:
    with PidFile(path):
        with (
            pytest.raises(Refused, match=rf"a daemon is already running \(pid {os.getpid()}\)$") as caught,
            PidFile(path),
        ):
            pass
        assert caught.value.hint == "llamactl daemon status"
        assert path.read_text().split()[0] == str(os.getpid())
    with PidFile(path):
        pass


def test_one_that_has_not_yet_written_its_pid_is_there_all_the_same(path: Path) -> None:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(Refused, match=r"a daemon is already running$"), PidFile(path):
            pass


@pytest.mark.parametrize("left", ["OURS 1.000\n", "1 1.000\n", "99999999 1.000 and much more\n", "", "\0\xff"])
def test_a_file_without_a_lock_is_a_leftover_whatever_stands_in_it(path: Path, left: str) -> None:
    path.write_text(left.replace("OURS", str(os.getpid())))
    with PidFile(path):
        assert path.read_text().startswith(f"{os.getpid()} ")
        assert path.read_text().count("\n") == 1


def test_it_is_given_back_when_the_daemon_fails(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), PidFile(path):
        raise ZeroDivisionError
    assert not path.exists()
    with PidFile(path):
        pass


def test_a_daemon_that_is_killed_holds_nothing(path: Path) -> None:
    program = f"""
from pathlib import Path
from llamactl.daemon.process import PidFile
with PidFile(Path({str(path)!r})):
    print(flush=True)
    input()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(Refused, match=str(child.pid)), PidFile(path):
            pass
        child.kill()
        child.wait()
    assert path.exists()
    with PidFile(path):
        assert path.read_text().startswith(f"{os.getpid()} ")


@pytest.mark.parametrize("successor", [False, True])
def test_whoever_waited_for_the_last_one_to_leave_locks_the_file_that_others_see(
    path: Path, successor: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last daemon leaves, and takes its file away, between our opening it and our locking it."""
    lock: Callable[[int, int], None] = fcntl.flock

    def leave_first(file: int, how: int) -> None:
        monkeypatch.undo()
        path.unlink()
        if successor:
            path.touch()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", leave_first)
    with PidFile(path):
        assert path.read_text().startswith(f"{os.getpid()} ")
        with pytest.raises(Refused), PidFile(path):
            pass


# --- being announced -----------------------------------------------------------------------------


@pytest.mark.parametrize("error", [None, Refused("port 80 is in use", "choose another")])
def test_it_is_announced_on_one_line(error: Refused | None) -> None:
    reading, writing = os.pipe()
    announce(writing, error)
    with os.fdopen(reading, "rb") as pipe:
        [line] = pipe.readlines()  # to the end: the other one is closed
    said = msgspec.json.decode(line, type=Announcement)
    assert said == Announcement(os.getpid(), error.problem() if error else None)


def test_nobody_need_listen() -> None:
    announce(None)


# --- detaching -----------------------------------------------------------------------------------


def test_it_leaves_the_terminal_and_keeps_only_the_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    log = tmp_path / "daemon.log"
    log.write_text("of yesterday\n")
    program = f"""
import os
from pathlib import Path
from llamactl.daemon.process import announce, detach
before = os.getsid(0)
detach({writing}, Path({str(log)!r}))
print(before != os.getsid(0), os.getcwd(), os.read(0, 1), flush=True)
os.write(2, b"an error\\n")
announce({writing})
"""
    child = subprocess.run([sys.executable, "-c", program], pass_fds=[writing], capture_output=True, timeout=30)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = msgspec.json.decode(pipe.read(), type=Announcement)
    assert (child.returncode, child.stdout, child.stderr) == (0, b"", b"")
    assert said.problem is None
    assert log.read_text().splitlines() == ["of yesterday", "True / b''", "an error"]
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
