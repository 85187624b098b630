"""`llamactl daemon …`, and the version of either end."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from llamactl import __version__
from llamactl.cli import process, render
from llamactl.cli.session import session
from llamactl.core.errors import BadRequest, LlamactlError, NotRunning, Refused, Unreachable
from llamactl.core.lines import Level
from llamactl.core.units import parse_duration, show_duration
from llamactl.rpc.calls import (
    DaemonStatus,
    InstallUnits,
    LoggerSettings,
    Reload,
    Reloaded,
    SetLogger,
    ShowLogger,
    Status,
    UnitFile,
    UnitFiles,
)

if TYPE_CHECKING:
    from llamactl.config.sections import Config

app = typer.Typer(help="The daemon itself.", no_args_is_help=True)

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
    process.bring_up(insecure=insecure)
    with session.client() as client:
        status = client.call(Status())
    _started(status, f"the daemon is running (pid {status.pid}) on {', '.join(status.http)}")


def _started(status: DaemonStatus, message: str) -> None:
    if not render.for_program("daemon", status):
        render.note(message)


@app.command()
def stop(
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="Wait no longer than this.")] = process.STOP_PATIENCE,
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
    ran = process.bring_down(parse_duration(timeout), keep_models=keep_models)
    if render.for_program("daemon-stop", {"ran": ran is not None}):
        return
    render.note("the daemon has stopped" if ran else "no daemon is running")
    if ran and ran.unit:
        render.note(f"to have systemd start it again: {ran.systemctl('start')}")


def _stop_left_behind() -> None:
    if session.named:
        raise Refused("only what is left here can be stopped", process.LEAVE_OUT)
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


@app.command()
def restart(
    timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="Wait no longer than this for its end.")
    ] = process.STOP_PATIENCE,
    keep_models: Annotated[bool, typer.Option("--keep-models", help="Leave the models running meanwhile.")] = False,
    insecure: Insecure = False,
) -> None:
    """Stop the daemon and every model it runs, and start it again."""
    patience = parse_duration(timeout)
    if session.named:
        if insecure:
            raise BadRequest(
                "--insecure is for a daemon that is started here", "llamactl config set access.insecure true"
            )
        with render.working("restarting the daemon …"):
            status, unloaded = process.anew(patience, keep_models=keep_models)
        _started_anew(status, unloaded)
        return
    from llamactl.config.directories import find_directories

    _reader(insecure=insecure)()  # a configuration that is wrong must not take down a daemon that serves
    try:
        with session.client() as client:
            before = client.call(Status())
            loaded = process.running(client)
    except Unreachable:
        before, loaded = None, []
    if before is not None and before.unit:
        raise Refused(f"systemd runs the daemon (pid {before.pid}), as {before.unit}", before.systemctl("restart"))
    if before is not None and Path(before.data) != find_directories().data:
        raise Refused(
            f"the daemon that answers (pid {before.pid}) keeps its data in {before.data}: it was started elsewhere",
            "as a service: systemctl restart llamactl",
        )
    process.bring_down(patience, keep_models=keep_models)
    process.bring_up(insecure=insecure)
    with session.client() as client:
        status = client.call(Status())
    _started_anew(status, [] if keep_models else loaded)


def _started_anew(status: DaemonStatus, unloaded: Sequence[str]) -> None:
    _started(status, f"the daemon is running (pid {status.pid}) on {', '.join(status.http)}")
    if unloaded:
        render.note(f"unloaded, until somebody asks for them: {', '.join(unloaded)}")


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
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="Wait no longer than this.")] = process.STOP_PATIENCE,
) -> None:
    """Have the daemon go on as the version that is installed now. Models run on, nobody is turned away."""
    with render.working("re-executing the daemon …"):
        status, _ = process.anew(parse_duration(timeout), keep_models=True)
    _started(status, f"llamactl {status.version} runs (pid {status.pid}) on {', '.join(status.http)}")


@app.command("install-unit")
def install_unit(
    user: Annotated[bool, typer.Option("--user", help="For this user, not for the system.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Write the units for systemd. What somebody has changed is never overwritten."""
    if session.url:
        with session.client() as client:
            done = client.call(InstallUnits(user, dry_run))
    else:
        from llamactl.config import systemd  # hashlib, with OpenSSL

        units = [UnitFile(str(unit.path), unit.state) for unit in systemd.install(user=user, dry_run=dry_run)]
        done = UnitFiles(dry_run=dry_run, units=units, next=systemd.following(user=user))
    if render.for_program("units", done):
        return
    for unit in done.units:
        said = {"new": "written", "other": "replaced", "same": "unchanged"}[unit.state]
        render.text(f"{unit.path}: {'would be ' if dry_run and unit.state != 'same' else ''}{said}")
    render.note("\n".join(["next, there:" if session.url else "next:", *done.next]))


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
