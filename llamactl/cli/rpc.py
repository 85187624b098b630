"""`llamactl rpc …`: lend this machine to models, here and on other machines."""

import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.config.directories import find_directories
from llamactl.core.errors import BadRequest, Unreachable
from llamactl.core.units import parse_size, show_duration
from llamactl.core.worker import PORT
from llamactl.logs import runs
from llamactl.logs.tail import RunTail, size, whole
from llamactl.rpc.calls import ListWorkers, ReadWorker, StartWorker, Status, StopWorkers, WorkerRow
from llamactl.rpc.calls.logs import MOST_LINES

app = typer.Typer(
    help="Workers: lend this machine to llama-servers on others.", no_args_is_help=False, invoke_without_command=True
)

PATIENCE = 90.0
"""Seconds until a worker listens; a driver may be slow."""

GLANCE = 0.2
"""Seconds between two looks at a followed file."""

PAUSE = 1.0
"""Seconds before a daemon on another machine is asked for more of it."""


@app.callback()
def default(context: typer.Context) -> None:
    """Workers: lend this machine to llama-servers on others."""
    if context.invoked_subcommand is None:
        ls()


@app.command()
def start(
    address: Annotated[
        str, typer.Argument(metavar="[HOST:PORT]", help="Where it listens; HOST is an IPv4 address.")
    ] = f"127.0.0.1:{PORT}",
    device: Annotated[str, typer.Option(metavar="NAMES", help="Lend these devices only.")] = "",
    mem: Annotated[str, typer.Option(metavar="SIZE", help="Lend so much memory; not with every build.")] = "",
    threads: Annotated[int | None, typer.Option(metavar="N", min=1, help="Compute with so many threads.")] = None,
    cache: Annotated[bool, typer.Option("--cache", help="Keep what was sent, for the next load.")] = False,
    insecure: Annotated[
        bool,
        typer.Option("--insecure", help="Listen where others can reach it; the protocol has no authentication."),
    ] = False,
) -> None:
    """Start a worker: a model with the setting rpc=HOST:PORT computes with it."""
    host, port = _split(address)
    with render.working(f"starting {host}:{port} …"), session.client(PATIENCE) as client:
        row = client.call(
            StartWorker(
                host=host,
                port=port,
                device=device,
                memory=parse_size(mem) if mem else None,
                threads=threads,
                cache=cache,
                insecure=insecure,
            )
        )
    if render.for_program("worker", row, row.name):
        return
    render.note(f"{row.address} is {row.state} (pid {row.pid})")
    if insecure and not host.startswith("127."):
        render.note("the protocol has no authentication: whoever reaches this port can use it, and more")


@app.command()
def stop(
    addresses: Annotated[list[str], typer.Argument(metavar="[HOST:PORT]…", help="All, if none is named.")] = [],  # noqa: B006  # typer copies it
) -> None:
    """Stop workers; models that compute with them fail."""
    with session.client(PATIENCE) as client:
        stopped = client.call(StopWorkers(tuple(addresses)))
    if not render.for_program("workers-stopped", list(stopped), "\n".join(stopped)):
        render.note(f"stopped: {', '.join(stopped)}" if stopped else "no worker runs")


@app.command()
def ls() -> None:
    """List the workers that llamactl runs."""
    with session.client() as client:
        rows = client.call(ListWorkers())
    render.rows(
        ("workers", "worker"),
        rows,
        {
            "ADDRESS": [row.address for row in rows],
            "STATE": [row.state for row in rows],
            "FOR": [show_duration(row.age) for row in rows],
            "PID": ["" if row.pid is None else str(row.pid) for row in rows],
            "RESTARTS": [str(row.restarts) for row in rows],
            "MODELS": [", ".join(row.models) for row in rows],
            "REASON": [_reason(row) for row in rows],
            "LOG": [row.log for row in rows],
        },
        wide={"LOG"},
        empty="No worker runs: llamactl rpc start",
    )


app.command("list", hidden=True)(ls)


@app.command()
def logs(
    address: Annotated[
        str, typer.Argument(metavar="[HOST:PORT]", help=f"A worker; else the only one, or 127.0.0.1:{PORT}.")
    ] = "",
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what it writes from now on.")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of the last lines.")] = 50,
) -> None:
    """Show what a worker wrote, while the daemon runs or not."""
    host, port = _split(address or _only())
    address = f"{host}:{port}"
    if session.url:
        _ask_for_lines(address, lines, follow)
        return
    directories = find_directories()
    with suppress(Unreachable), session.client() as client:
        directories = msgspec.structs.replace(directories, log=Path(client.call(Status()).log))
    directory = directories.worker_runs(address)
    run = runs.of_worker(directory, address)
    end = whole(run) if follow else size(run)
    for line in deque(runs.lines(run, 0, end, whole=True), maxlen=lines):
        _say(address, line.decode(errors="replace"))
    tail = RunTail(directory, run, end)
    while follow:
        for _, news in tail.chunks():
            for line in news:
                _say(address, line.decode(errors="replace"))
        time.sleep(GLANCE)


def _only() -> str:
    """The address of the worker that runs, if it is the only one; else none."""
    rows: list[WorkerRow] = []
    with suppress(Unreachable), session.client() as client:
        rows = client.call(ListWorkers())
    return rows[0].address if len(rows) == 1 else ""


def _ask_for_lines(address: str, number: int, follow: bool) -> None:
    """Of the daemon over HTTP, which has the files."""
    if number > MOST_LINES:
        render.note(f"only the last {MOST_LINES} lines can be asked for over HTTP")
    with session.client() as client:
        found = client.call(ReadWorker(address=address, limit=min(number, MOST_LINES), follow=follow))
        while True:
            for line in found.lines:
                _say(address, line)
            if not follow:
                return
            if not found.lines:
                time.sleep(PAUSE)
            found = client.call(ReadWorker(address=address, after=found.place))


def _say(address: str, line: str) -> None:
    text = line.rstrip("\n")
    if not render.for_program("worker-log", {"worker": address, "line": text}):
        render.text(text)


def _reason(row: WorkerRow) -> str:
    return row.problem.message if row.problem is not None else ""


def _split(address: str) -> tuple[str, int]:
    """`127.0.0.1:50052`, `127.0.0.1`, `:50052`."""
    host, colon, port = address.partition(":")
    if colon and not (port.isascii() and port.isdigit()):
        raise BadRequest(f"not an address to listen on: {address!r}", "write HOST:PORT, as 127.0.0.1:50052")
    return host or "127.0.0.1", int(port) if port else PORT
