"""The daemon and a database that cannot be used, or is used by somebody else."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from llamactl.core.errors import LlamactlError
from llamactl.rpc.calls import CloneModel, ListModels
from tests.e2e.conftest import Begin
from tests.e2e.running import Daemon, Home


def database_of(home: Home) -> Path:
    return home.place / "data" / "llamactl" / "llamactl.db"


def test_a_corrupt_one_is_refused_and_kept(home: Home, begin: Begin) -> None:
    daemon = begin()
    home.add("alpha")
    daemon.end()
    path = database_of(home)
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], content[:4096] + b"\x0b\xad" * 8192 + content[20480:]):
        path.write_bytes(damaged)
        done = home.json("daemon", "start", code=1)
        assert done["error"]["code"] == "store_failed"
        assert f"{path} is corrupt" in done["error"]["message"] and "llamactl db check" in done["error"]["hint"]
        assert home.run("daemon", "run", check=False).returncode == 1
        assert path.read_bytes() == damaged
        assert home.run("db", "check", check=False).returncode == 1
    path.write_bytes(content)
    begin()
    assert [row.name for row in home.tell(ListModels())] == ["alpha"]


def test_two_daemons_on_one_database(home: Home, daemon: Daemon) -> None:
    other = {**home.env, "XDG_RUNTIME_DIR": str(home.place / "run2")}
    (home.place / "run2").mkdir(mode=0o700)
    done = home.run("daemon", "run", check=False, XDG_RUNTIME_DIR=other["XDG_RUNTIME_DIR"])
    assert done.returncode == 5
    assert f"another daemon (pid {daemon.process.pid}) uses the database {database_of(home)}" in done.stderr
    assert daemon.ask("/health").status == 200


def test_one_that_somebody_holds_locked_for_long(home: Home, daemon: Daemon) -> None:
    home.add("alpha", tokens=100, token_interval=0.02)
    with closing(sqlite3.connect(database_of(home), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(LlamactlError, match="locked by another process") as caught:
            home.tell(CloneModel("alpha", "beta"))
        assert time.monotonic() - began < 3, "everybody waits meanwhile"
        assert str(database_of(home)) in caught.value.message and "llamactl db check" in caught.value.hint
        assert [row.name for row in home.tell(ListModels())] == ["alpha"]
        assert daemon.chat("alpha", max_tokens=1).status == 200
        other.execute("ROLLBACK")
    home.tell(CloneModel("alpha", "beta"))
    assert [row.name for row in home.tell(ListModels())] == ["alpha", "beta"]


def test_a_disk_that_is_full_or_read_only(home: Home) -> None:
    """The data are on a small file system of our own; the last one is filled, then it is mounted read-only."""
    data = home.place / "data"
    data.mkdir()
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    program = f"""
        set -e
        mount -t tmpfs -o size=4m none {data}
        llamactl="{sys.executable} -m llamactl"
        export HOME={home.place}
        $llamactl daemon start
        $llamactl models add {home.model("alpha")} --name alpha
        dd if=/dev/zero of={data}/filler bs=4k 2>/dev/null || true
        long=$(head -c 90000 /dev/zero | tr '\\0' x)
        for n in 1 2 3 4 5 6 7 8; do
            $llamactl models set alpha "chat_template_kwargs={{\\"a\\": \\"$long$n\\"}}" 2>&1 || break
        done
        $llamactl daemon status | head -1
        $llamactl daemon stop
        rm {data}/filler
        $llamactl db check
        mount -o remount,ro {data}
        $llamactl daemon start 2>&1 || echo "exit $?"
    """
    probe = [*unshare, f"mount -t tmpfs none {data}"]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("no file system of our own can be mounted here")
    done = subprocess.run([*unshare, program], env=home.env, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr + done.stdout
    path = database_of(home)
    assert f"{path} cannot grow: the disk is full" in done.stdout
    assert "pid " in done.stdout and "it is sound" in done.stdout, "the daemon went on"
    assert "exit " in done.stdout and str(data) in done.stdout.rpartition("it is sound")[2]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_directory_that_may_not_be_written(home: Home) -> None:
    directory = database_of(home).parent
    directory.mkdir(parents=True)
    directory.chmod(0o500)
    done = home.run("daemon", "start", check=False)
    directory.chmod(0o700)
    assert done.returncode == 5 and str(directory) in done.stderr


def test_backup_and_vacuum_while_it_runs(home: Home, daemon: Daemon) -> None:
    home.add("alpha")
    to = home.place / "copy.db"
    home.run("db", "backup", str(to))
    assert to.stat().st_mode & 0o777 == 0o600
    again = home.run("db", "backup", str(to), check=False)
    assert again.returncode == 5 and "already" in again.stderr
    home.run("db", "backup", "-y", str(to))
    home.run("db", "backup", "--force", str(to))
    assert "a daemon uses it" in home.run("db", "vacuum").stderr
    assert daemon.chat("alpha").status == 200
    assert "it is sound" in home.run("db", "check").stdout
