"""`llamactl daemon …`, and the version of either end."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from llamactl import __version__
from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.cli.units import install_unit
from llamactl.core.errors import LlamactlError, NotRunning, Refused, TimedOut, Unreachable, from_problem
from llamactl.core.lines import Level
from llamactl.core.units import parse_duration, show_duration
from llamactl.rpc.calls import (
    Announcement,
    DaemonStatus,
    ListInstances,
    LoggerSettings,
    Reexec,
    Reload,
    Reloaded,
    SetLogger,
    ShowLogger,
    Shutdown,
    Status,
)

if TYPE_CHECKING:
    from llamactl.config.sections import Config

app = typer.Typer(help="The daemon itself.", no_args_is_help=True)

START_PATIENCE, STOP_PATIENCE = 60.0, "90s"
"""How long to wait for a daemon that starts, and for one that stops: its drain and the models' end fit in."""


Insecure = Annotated[
    bool, typer.Option("--insecure", help="Listen beyond loopback without keys and TLS, as access.insecure does.")
]


@app.command()
def run(
    check: Annotated[bool, typer.Option("--check", help="Only say whether it could start.")] = False,
    insecure: Insecure = False,
    detach: Annotated[bool, typer.Option("--detach", hidden=True)] = False,
    ready_fd: Annotated[int | None, typer.Option("--ready-fd", hidden=True)] = None,
) -> None:
    """Run the daemon in the foreground."""
    if session.host:
        raise Refused("a daemon runs here, and is not asked for elsewhere", "leave -H out")
    from llamactl.daemon.process import announce, detach as leave  # isort: skip

    from llamactl.daemon.reexec import inherited

    state = inherited()
    if state is not None:  # all that the flags say was done before
        detach, ready_fd = False, None
    try:
        read = _reader(insecure=insecure)
        config = read()
        if check:
            from llamactl.daemon.main import possible

            possible(config)
            return
        if detach:
            config.directories.prepare()
            leave(ready_fd, config.directories.log / "daemon.log")
        from llamactl.daemon.main import run as live

        live(config, read, lambda: announce(ready_fd), state)
    except LlamactlError as error:
        with suppress(OSError):  # it was up, and that has been said
            announce(ready_fd, error)
        raise


def _reader(*, insecure: bool) -> Callable[[], "Config"]:
    """Reads the configuration as flags and environment say, also when the process has left its directory."""
    from llamactl.config.load import load
    from llamactl.config.sections import Config

    named, verbose = Path(session.config) if session.config else None, session.verbose
    try:
        here = Path.cwd()
    except FileNotFoundError:  # it has been removed
        here = Path("/")

    def read() -> Config:
        config = load(named, here=here)
        replace = msgspec.structs.replace
        if verbose:
            config = replace(config, logging=replace(config.logging, console_level="debug"))
        if insecure:
            config = replace(config, access=replace(config.access, insecure=True))
        return config

    return read


@app.command()
def start(insecure: Insecure = False) -> None:
    """Start the daemon in the background."""
    with suppress(Unreachable), session.client() as client:
        status = client.call(Status())
        _started(status, f"the daemon is already running (pid {status.pid})")
        return
    bring_up(insecure=insecure)
    with session.client() as client:
        status = client.call(Status())
    _started(status, f"the daemon is running (pid {status.pid}) on {', '.join(status.http)}")


_LEAVE_OUT = "leave -H and LLAMACTL_HOST out"


def bring_up(*, insecure: bool = False) -> None:
    """Start a daemon and return when it is up; raises the reason when it is not."""
    if session.named:
        raise Refused(f"no daemon at {session.named}, and only the local one can be started", _LEAVE_OUT)
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


def _started(status: DaemonStatus, message: str) -> None:
    if not render.for_program("daemon", status):
        render.note(message)


@app.command()
def stop(
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="Wait no longer than this.")] = STOP_PATIENCE,
    keep_models: Annotated[bool, typer.Option(help="Leave the models running, for the next daemon.")] = False,
    left_behind: Annotated[
        bool,
        typer.Option(
            "--left-behind",
            help="Stop what a daemon that is gone has left running instead; as root, the system service's too.",
        ),
    ] = False,
) -> None:
    """Stop the daemon and every model it runs."""
    if left_behind:
        _stop_left_behind()
        return
    ran = bring_down(parse_duration(timeout), keep_models=keep_models)
    if render.for_program("daemon-stop", {"ran": ran is not None}):
        return
    render.note("the daemon has stopped" if ran else "no daemon is running")
    if ran and ran.unit:
        render.note(f"to have systemd start it again: {ran.systemctl('start')}")


def _stop_left_behind() -> None:
    if session.named:
        raise Refused("only what is left here can be stopped", _LEAVE_OUT)
    from llamactl.config.directories import find_directories
    from llamactl.config.sockets import SYSTEM
    from llamactl.daemon.leftovers import put_down_left

    own, system = find_directories(), Path(SYSTEM)
    service = own.runtime != system and system.is_dir()
    ended = put_down_left(own)
    looked, kept = [own.runtime], ""
    if service and os.geteuid() == 0:
        try:
            ended += put_down_left(msgspec.structs.replace(own, runtime=system))
            looked.append(system)
        except Refused as error:
            if not ended:
                raise
            kept = f"nothing was done in {system}: {error.message}"
    elif service:
        kept = "not looked at is what the system service left: sudo llamactl daemon stop --left-behind"
    if not render.for_program("left-behind", {"ended": ended}):
        places = " and ".join(map(str, looked))
        render.note(f"stopped: {', '.join(ended)}" if ended else f"nothing was left running by a daemon of {places}")
    if kept:
        render.note(kept)


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


@app.command()
def restart(
    timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="Wait no longer than this for its end.")
    ] = STOP_PATIENCE,
    keep_models: Annotated[bool, typer.Option("--keep-models", help="Leave the models running meanwhile.")] = False,
    insecure: Insecure = False,
) -> None:
    """Stop the daemon and every model it runs, and start it again."""
    from llamactl.config.directories import find_directories

    if session.named:
        way_out = f"llamactl -H {session.named} daemon reexec, or leave -H and LLAMACTL_HOST out"
        raise Refused("only the local daemon can be started again", way_out)
    _reader(insecure=insecure)()  # a configuration that is wrong must not take down a daemon that serves
    try:
        with session.client() as client:
            before = client.call(Status())
            loaded = [row.name for row in client.call(ListInstances())]
    except Unreachable:
        before, loaded = None, []
    if before is not None and before.unit:
        raise Refused(f"systemd runs the daemon (pid {before.pid}), as {before.unit}", before.systemctl("restart"))
    if before is not None and Path(before.data) != find_directories().data:
        raise Refused(
            f"the daemon that answers (pid {before.pid}) keeps its data in {before.data}: it was started elsewhere",
            "as a service: systemctl restart llamactl",
        )
    bring_down(parse_duration(timeout), keep_models=keep_models)
    bring_up(insecure=insecure)
    with session.client() as client:
        status = client.call(Status())
    _started(status, f"the daemon is running (pid {status.pid}) on {', '.join(status.http)}")
    if loaded and not keep_models:
        render.note(f"unloaded, until somebody asks for them: {', '.join(loaded)}")


@app.command()
def reload() -> None:
    """Have the daemon read its configuration again. What is wrong with it leaves the daemon as it was."""
    with session.client() as client:
        done = client.call(Reload())
    if not render.for_program("reload", done):
        reloaded(done)


@app.command("log-level")
def log_level(
    level: Annotated[Level | None, typer.Argument(metavar="[LEVEL]", help="debug, info, warn or error.")] = None,
) -> None:
    """Show what the daemon records, or have it record more or less, on the console and in its files, until it ends."""
    with session.client() as client:
        settings: LoggerSettings = client.call(
            SetLogger(console_level=level, file_level=level) if level else ShowLogger()
        )
    if render.for_program("logger", settings):
        return
    console = settings.console_level if settings.console else "nothing"
    render.text(f"console: {console}")
    render.text(f"files: {settings.file_level if settings.file else 'nothing'}")


def reloaded(done: Reloaded) -> None:
    """Say what has become of another configuration."""
    render.note(f"taken over: {', '.join(done.changed)}" if done.changed else "there was nothing to take over")
    restart_for(done.restart_for)


def restart_for(keys: Sequence[str]) -> None:
    if keys:
        render.note(f"{', '.join(keys)}: only after llamactl daemon restart")


@app.command()
def reexec(
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="Wait no longer than this.")] = STOP_PATIENCE,
) -> None:
    """Have the daemon go on as the version that is installed now. Models run on, nobody is turned away."""
    patience = parse_duration(timeout)
    with render.working("re-executing the daemon …"):
        with session.client(patience) as client:
            client.call(Reexec())
            client.wait_for_end()
        with session.client(patience) as client:
            status = client.call(Status())
    _started(status, f"llamactl {status.version} runs (pid {status.pid}) on {', '.join(status.http)}")


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


app.command("install-unit")(install_unit)


@app.command()
def status() -> None:
    """Show the daemon and its services. Exit 3 when none runs."""
    try:
        with session.client() as client:
            answer = client.call(Status())
    except Unreachable as error:
        raise NotRunning(error.message, error.hint) from None
    show(answer)


def show(answer: DaemonStatus) -> None:
    if not render.for_program("daemon", answer):
        where = ", ".join(answer.http)
        render.text(f"llamactl {answer.version}, pid {answer.pid}, up {show_duration(answer.uptime)}, on {where}")
        render.text(f"{render.count(answer.models, 'model')}; data {answer.data}; logs {answer.log}")
        if answer.unit:
            render.text(f"unit {answer.unit}: {answer.systemctl('status')}")
        restart_for(answer.restart_for)
        render.table(
            {
                "SERVICE": [service.name for service in answer.services],
                "STATE": [service.state for service in answer.services],
                "AGE": [show_duration(service.age) for service in answer.services],
                "RESTARTS": [str(service.restarts) for service in answer.services],
                "REASON": [service.reason for service in answer.services],
            }
        )
    if any(service.state != "up" for service in answer.services):
        raise typer.Exit(NotRunning.exit)


def version() -> None:
    """Show the versions of this command and of the daemon."""
    try:
        with session.client() as client:
            running: str | None = client.call(Status()).version
        missing = ""
    except Unreachable as error:
        running, missing = None, error.message if session.named else "no daemon is running"
    if render.for_program("version", {"llamactl": __version__, "daemon": running}):
        return
    render.text(f"llamactl {__version__}")
    render.text(missing if running is None else f"daemon   {running}")
    if running not in (None, __version__):
        render.note("the daemon is of another version: llamactl daemon stop; llamactl daemon start")
