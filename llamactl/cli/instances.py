"""What runs: `ps`, `start`, `stop`."""

from collections.abc import Callable
from typing import Annotated

import typer

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.core.errors import BadRequest, LlamactlError, TimedOut
from llamactl.core.units import parse_duration, show_duration, show_size
from llamactl.rpc.calls import InstanceRow, ListInstances, StartModel, StopModel

Names = Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="Models, by name or glob.")]
All = Annotated[bool, typer.Option("--all", help="Every model of the catalogue.")]

PARTLY = 10


def ps(all: Annotated[bool, typer.Option("-a", "--all", help="Those that do not run, too.")] = False) -> None:
    """Show what runs."""
    with session.client() as client:
        show(client.call(ListInstances(all)))


def start(
    names: Names = None,
    all: All = False,
    wait: Annotated[bool, typer.Option(help="Return when the models are ready.")] = True,
    timeout: Annotated[str | None, typer.Option(metavar="DURATION", help="Wait no longer than this.")] = None,
) -> None:
    """Load models. One that is ready already is a success."""
    limit = None if timeout is None else parse_duration(timeout)

    def one(name: str) -> InstanceRow:
        if not wait:
            with session.client() as client:
                return client.call(StartModel(name, wait=False))
        try:
            with render.working(f"loading {name} …"), session.client(limit) as client:
                row = client.call(StartModel(name))
        except KeyboardInterrupt:
            render.note(f"not waiting any longer; {name} goes on loading: llamactl ps")
            raise
        except TimedOut:
            raise TimedOut(f"{name} is not ready after {limit:g} s; it goes on loading", "llamactl ps") from None
        took = "" if row.load_seconds is None else f" after {row.load_seconds:.1f} s"
        render.note(f"{name} is ready{took}" if row.age is None or row.age < 1 else f"{name} is ready")
        return row

    _each(_chosen(names, all), one)


def stop(
    names: Names = None,
    all: All = False,
    drain: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Time for requests under way; as configured if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="At once: --drain 0.")] = False,
    timeout: Annotated[str | None, typer.Option(metavar="DURATION", help="Wait no longer than this.")] = None,
) -> None:
    """Stop models. One that is stopped already is a success."""
    patience = 0.0 if force else None if drain is None else parse_duration(drain)

    def one(name: str) -> InstanceRow:
        limit = None if timeout is None else parse_duration(timeout)
        with render.working(f"stopping {name} …"), session.client(limit) as client:
            row = client.call(StopModel(name, patience))
        render.note(f"{name} is stopped")
        return row

    _each(_chosen(names, all), one)


def _chosen(names: list[str] | None, everything: bool) -> list[str]:
    if not names and not everything:
        raise BadRequest("name at least one model, or say --all", "llamactl models ls")
    return session.models(names or [], everything=everything)


def _each(names: list[str], one: Callable[[str], InstanceRow]) -> None:
    """Do it for every name; what fails does not keep the others from it."""
    done: list[InstanceRow] = []
    failures: list[LlamactlError] = []
    for name in names:
        try:
            done.append(one(name))
        except LlamactlError as error:
            failures.append(error)
            if len(names) > 1:
                render.failure(error)
    if session.machine and done:
        show(done)
    if failures and len(names) == 1:
        raise failures[0]
    if failures:
        raise typer.Exit(PARTLY if done else failures[0].exit)


def show(items: list[InstanceRow]) -> None:
    render.rows(
        "instances",
        items,
        {
            "NAME": [row.name for row in items],
            "STATE": ["wedged" if row.wedged is not None else row.state for row in items],
            "PID": [_or_dash(row.pid) for row in items],
            "MEMORY": [show_size(sum(row.memory.values())) if row.memory else "-" for row in items],
            "LEASES": [str(row.leases) for row in items],
            "WAITING": [str(row.waiting) for row in items],
            "REQUESTS": [str(row.requests) for row in items],
            "RESTARTS": [str(row.restarts) for row in items],
            "AGE": ["-" if row.age is None else show_duration(row.age) for row in items],
            "TTL": ["pinned" if row.pinned else "-" if row.ttl is None else show_duration(row.ttl) for row in items],
        },
        wide={"PID", "REQUESTS"},
        empty="Nothing is running: llamactl start NAME",
    )
    if session.output in ("table", "wide"):
        for row in items:
            if row.problem is not None:
                render.note(f"{row.name}: {row.problem.message}{_next(row)}")
            if row.wedged is not None:
                render.note(f"{row.name}: nothing has moved for {show_duration(row.wedged)}: llamactl why {row.name}")


def _next(row: InstanceRow) -> str:
    return "" if row.next_try is None else f"; started again in {show_duration(row.next_try)}"


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)
