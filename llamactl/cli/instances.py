"""What runs: `ps`, `start`, `stop` and their like."""

from collections.abc import Callable
from typing import Annotated, Literal

import typer

from llamactl.cli import render
from llamactl.cli.loading import loading
from llamactl.cli.session import session
from llamactl.core.errors import BadRequest, DoesNotFit, LlamactlError, TimedOut
from llamactl.core.model import HOST
from llamactl.core.units import parse_duration, show_duration, show_size
from llamactl.rpc.calls import (
    InstanceRow,
    ListInstances,
    PinModel,
    Plan,
    PlanStart,
    RestartModel,
    StartModel,
    StopModel,
    UnpinModel,
    WaitModel,
)

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
    ttl: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How long it stays when idle, this time; -1: for ever.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be stopped for it.")] = False,
) -> None:
    """Load models. One that is ready already is a success."""
    limit = None if timeout is None else parse_duration(timeout)
    idle = None if ttl is None else parse_duration(ttl)
    if dry_run:
        _plans(_chosen(names, all))
        return

    def one(name: str) -> InstanceRow:
        if not wait:
            with session.client() as client:
                return client.call(StartModel(name, wait=False, ttl=idle))
        try:
            with loading(name), session.client(limit) as client:
                row = client.call(StartModel(name, ttl=idle))
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be stopped.")] = False,
) -> None:
    """Stop models. One that is stopped already is a success."""
    patience = 0.0 if force else None if drain is None else parse_duration(drain)
    if dry_run:
        chosen = _chosen(names, all)
        with session.client() as client:
            show([row for row in client.call(ListInstances()) if row.name in chosen and row.pid is not None])
        return

    def one(name: str) -> InstanceRow:
        limit = None if timeout is None else parse_duration(timeout)
        with render.working(f"stopping {name} …"), session.client(limit) as client:
            row = client.call(StopModel(name, patience))
        render.note(f"{name} is stopped")
        return row

    _each(_chosen(names, all), one)


def restart(
    names: Names = None,
    all: Annotated[bool, typer.Option("--all", help="Every model that runs.")] = False,
    drain: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Time for requests under way; as configured if not given.")
    ] = None,
) -> None:
    """Stop models and load them again, with the settings that they have now."""
    patience = None if drain is None else parse_duration(drain)
    if all:
        with session.client() as client:
            names = [row.name for row in client.call(ListInstances()) if row.pid is not None]

    def one(name: str) -> InstanceRow:
        with render.working(f"restarting {name} …"), session.client(None) as client:
            row = client.call(RestartModel(name, patience))
        render.note(f"{name} is ready")
        return row

    if names or not all:
        _each(_chosen(names, False), one)


def pin(names: Names = None) -> None:
    """Never evict models once they are loaded. It is kept until they are unpinned."""
    _each(_chosen(names, False), lambda name: _asked(PinModel(name), f"{name} is pinned"))


def unpin(names: Names = None) -> None:
    """Models may be evicted again."""
    _each(_chosen(names, False), lambda name: _asked(UnpinModel(name), f"{name} is not pinned"))


def wait(
    names: Names = None,
    state: Annotated[
        Literal["ready", "stopped", "failed", "idle"],
        typer.Option("--for", help="The state to wait for; idle: ready, with nothing to do."),
    ] = "ready",
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="Wait no longer than this.")] = "10m",
) -> None:
    """Return when models are in a state, whoever brings them there."""
    limit = parse_duration(timeout)

    def one(name: str) -> InstanceRow:
        with render.working(f"waiting for {name} …"), session.client(None) as client:
            return client.call(WaitModel(name, state, limit))

    _each(_chosen(names, False), one)


def _asked(call: PinModel | UnpinModel, done: str) -> InstanceRow:
    with session.client() as client:
        row = client.call(call)
    render.note(done)
    return row


def _plans(names: list[str]) -> None:
    with session.client() as client:
        plans = [client.call(PlanStart(name)) for name in names]
    render.rows(
        "plans",
        plans,
        {
            "NAME": [plan.name for plan in plans],
            "STATE": [plan.state for plan in plans],
            "NEEDS": [_memory(plan.need) for plan in plans],
            "FREE": [_memory(plan.free) for plan in plans],
            "WHAT": [plan.problem.message if plan.problem else _would(plan) for plan in plans],
        },
        wide=set(),
    )
    if any(plan.problem for plan in plans):
        raise typer.Exit(DoesNotFit.exit)


def _would(plan: Plan) -> str:
    if plan.state == "ready":
        return "is ready already"
    return f"would stop {', '.join(plan.evicts)}" if plan.evicts else "would be started beside what runs"


def _memory(memory: dict[str, int]) -> str:
    """`2 GiB` where only the host has to do with it, else `2 GiB + 6 GiB on cuda0`."""
    sizes = {device: size for device, size in memory.items() if size}
    return (
        " + ".join(
            show_size(size) if device == HOST else f"{show_size(size)} on {device}" for device, size in sizes.items()
        )
        or "-"
    )


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
            "STATE": [_state(row) for row in items],
            "PID": [_or_dash(row.pid) for row in items],
            "MEMORY": [_memory(row.memory) for row in items],
            "LEASES": [str(row.leases) for row in items],
            "WAITING": [str(row.waiting) for row in items],
            "ETA": ["-" if row.eta is None else show_duration(row.eta) for row in items],
            "REQUESTS": [str(row.requests) for row in items],
            "RESTARTS": [str(row.restarts) for row in items],
            "AGE": ["-" if row.age is None else show_duration(row.age) for row in items],
            "TTL": ["pinned" if row.pinned else "-" if row.ttl is None else show_duration(row.ttl) for row in items],
            "OUTDATED": [", ".join(row.outdated) or "-" for row in items],
        },
        wide={"PID", "REQUESTS", "OUTDATED"},
        empty="Nothing is running: llamactl start NAME",
    )
    if session.output in ("table", "wide"):
        for row in items:
            if row.problem is not None:
                render.note(f"{row.name}: {row.problem.message}{_next(row)}")
            if row.wedged is not None:
                render.note(f"{row.name}: nothing has moved for {show_duration(row.wedged)}: llamactl why {row.name}")


def _state(row: InstanceRow) -> str:
    return "wedged" if row.wedged is not None else "sleeping" if row.sleeping else row.state


def _next(row: InstanceRow) -> str:
    return "" if row.next_try is None else f"; started again in {show_duration(row.next_try)}"


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)
