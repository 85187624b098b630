"""The daemon as a process: brought up, brought down, executed anew, from outside."""

import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.core.errors import LlamactlError, Refused, TimedOut, Unreachable, from_problem
from llamactl.rpc.calls import Announcement, DaemonStatus, ListInstances, Reexec, Shutdown, Status

if TYPE_CHECKING:
    from llamactl.rpc.client import Client
    from llamactl.rpc.remote import Remote

START_PATIENCE, STOP_PATIENCE = 60.0, "90s"
"""How long to wait for a daemon that starts, and for one that stops: its drain and the models' end fit in."""

_PAUSE = 0.2
"""Seconds between two tries to meet a daemon that comes back."""

LEAVE_OUT = "leave -H and LLAMACTL_HOST out"


def bring_up(*, insecure: bool = False) -> None:
    """Start a daemon and return when it is up; raises the reason when it is not."""
    if session.named:
        raise Refused(f"no daemon at {session.named}, and only the local one can be started", LEAVE_OUT)
    reading, writing = os.pipe()
    config = ["--config", str(Path(session.config).absolute())] if session.config else []
    with render.working("starting the daemon …"), os.fdopen(reading, "rb") as pipe:
        command = [sys.executable, "-m", "llamactl", *config, "daemon", "run", "--detach", "--ready-fd", str(writing)]
        command += ["--insecure"] if insecure else []
        child = subprocess.Popen(
            command, pass_fds=[writing], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        os.close(writing)
        ready, _, _ = select.select([pipe], [], [], START_PATIENCE)
        line = pipe.readline() if ready else b""
        assert child.stderr is not None
        with child.stderr:
            said = child.stderr.read() if not line else b""
        child.wait()
    if not line:
        why = said.decode(errors="replace").strip().splitlines()[-1:] or ["it ended without a word"]
        raise LlamactlError(f"the daemon did not start: {why[0]}", "llamactl daemon run")
    announcement = msgspec.json.decode(line, type=Announcement)
    if announcement.problem is not None:
        _ended(announcement.pid, 5.0)
        raise from_problem(announcement.problem)


def bring_down(patience: float, *, keep_models: bool = False) -> DaemonStatus | None:
    """Stop the daemon and return when it is gone how it was, None if there was none; `TimedOut` after `patience` s."""
    try:
        with session.client() as client:
            status = client.call(Status())
            client.call(Shutdown(keep_models=keep_models))
            if session.url:  # its process is not one of ours to look for
                client.wait_for_end()
                return status
    except Unreachable:
        return None
    with render.working("stopping the daemon …"):
        if not _ended(status.pid, patience):
            raise TimedOut(f"the daemon (pid {status.pid}) has not ended after {patience:g} s", f"kill {status.pid}")
    return status


def running(client: "Client | Remote") -> list[str]:
    """Names of the models that have a process."""
    return [row.name for row in client.call(ListInstances()) if row.pid is not None]


def anew(patience: float, *, keep_models: bool) -> tuple[DaemonStatus, list[str]]:
    """Have the daemon execute itself anew, wherever it is; how it is then, and the models that it has unloaded for it.

    Raises `TimedOut` after `patience` seconds.
    """
    until = time.monotonic() + patience
    with session.client(patience) as client:
        loaded = [] if keep_models else running(client)
        client.call(Reexec(keep_models))
        client.wait_for_end()
    while True:
        try:
            with session.client(max(until - time.monotonic(), 0.001)) as client:
                return client.call(Status()), loaded
        except Unreachable as error:
            if time.monotonic() > until:
                where = "its address may be another now: llamactl daemon status, there"
                raise TimedOut(f"the daemon has not come back after {patience:g} s: {error.message}", where) from None
            time.sleep(_PAUSE)


def _ended(pid: int, timeout: float) -> bool:
    """Wait for a process that is not our child."""
    if hasattr(os, "pidfd_open"):
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        try:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            return bool(poll.poll(timeout * 1000))
        finally:
            os.close(handle)
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
