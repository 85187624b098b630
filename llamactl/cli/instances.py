"""What runs: `ps`, `start`, `stop` and their like."""

from collections.abc import Callable
from typing import Annotated, Literal

import typer

from llamactl.cli import render
from llamactl.cli.loading import loading
from llamactl.cli.outcomes import Interrupted, together
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
Timeout = Annotated[str | None, typer.Option(metavar="DURATION", help="Wait no longer than this.")]
Drain = Annotated[
    str | None, typer.Option(metavar="DURATION", help="Time for requests under way; as configured if not given.")
]
Force = Annotated[bool, typer.Option("--force", help="At once: --drain 0.")]


def ps(all: Annotated[bool, typer.Option("-a", "--all", help="Those that do not run, too.")] = False) -> None:
    """Show what runs."""
    with session.client() as client:
        show(client.call(ListInstances(all)))


def start(
    names: Names = None,
    all: All = False,
    wait: Annotated[bool, typer.Option(help="Return when the models are ready.")] = True,
    timeout: Timeout = None,
    ttl: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How long it stays when idle, this time; -1: for ever.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be stopped for it.")] = False,
) -> None:
    """Load models. One that is ready already is a success."""
    limit = _seconds(timeout)
    idle = _seconds(ttl)
    if dry_run:
        _plans(_chosen(names, all))
        return

    def one(name: str) -> InstanceRow:
        row = _waited(StartModel(name, wait=wait, ttl=idle), limit, "loading")
        took = "" if row.load_seconds is None else f" after {row.load_seconds:.1f} s"
        if wait:
            render.note(f"{name} is ready{took}" if row.age is None or row.age < 1 else f"{name} is ready")
        return row

    _each(_chosen(names, all), one)


def stop(
    names: Names = None,
    all: All = False,
    wait: Annotated[bool, typer.Option(help="Return when the models are gone.")] = True,
    timeout: Timeout = None,
    drain: Drain = None,
    force: Force = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be stopped.")] = False,
) -> None:
    """Stop models. One that is stopped already is a success."""
    limit, patience = _seconds(timeout), 0.0 if force else _seconds(drain)
    if dry_run:
        _would_stop(_chosen(names, all))
        return

    def one(name: str) -> InstanceRow:
        row = _waited(StopModel(name, patience, wait), limit, "stopping")
        if wait:
            render.note(f"{name} is stopped")
        return row

    _each(_chosen(names, all), one)


def restart(
    names: Names = None,
    all: Annotated[bool, typer.Option("--all", help="Every model that runs.")] = False,
    wait: Annotated[bool, typer.Option(help="Return when the models are ready again.")] = True,
    timeout: Timeout = None,
    drain: Drain = None,
    force: Force = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be stopped.")] = False,
) -> None:
    """Stop models and load them again, with the settings that they have now."""
    limit, patience = _seconds(timeout), 0.0 if force else _seconds(drain)
    if all:
        with session.client() as client:
            chosen = [row.name for row in client.call(ListInstances()) if row.pid is not None]
    else:
        chosen = _chosen(names, False)
    if dry_run:
        _would_stop(chosen)
        return

    def one(name: str) -> InstanceRow:
        row = _waited(RestartModel(name, patience, wait), limit, "restarting")
        if wait:
            render.note(f"{name} is ready")
        return row

    _each(chosen, one)


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
            return client.call(WaitModel(name, state, limit))  # which has its time limit with it

    _each(_chosen(names, False), one)


def _asked(call: PinModel | UnpinModel, done: str) -> InstanceRow:
    with session.client() as client:
        row = client.call(call)
    render.note(done)
    return row


def _seconds(text: str | None) -> float | None:
    return None if text is None else parse_duration(text)


def _waited(call: StartModel | StopModel | RestartModel, limit: float | None, doing: str) -> InstanceRow:
    """What it comes to. The daemon goes on with it also when nobody waits any longer."""
    if not call.wait:
        with session.client() as client:
            return client.call(call)
    try:
        shown = loading(call.name) if isinstance(call, StartModel) else render.working(f"{doing} {call.name} …")
        with shown, session.client(limit) as client:
            return client.call(call)
    except KeyboardInterrupt:
        raise Interrupted(f"not waiting any longer; {call.name} goes on {doing}", "llamactl ps") from None
    except TimedOut:
        raise TimedOut(f"{call.name} goes on {doing} after {limit:g} s", "llamactl ps") from None


def _would_stop(names: list[str]) -> None:
    with session.client() as client:
        show([row for row in client.call(ListInstances()) if row.name in names and row.pid is not None])


def _plans(names: list[str]) -> None:
    with session.client() as client:
        plans = [client.call(PlanStart(name)) for name in names]
    render.rows(
        ("plans", "plan"),
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
    said = len(names) > 1 and not session.json
    for name in names:
        try:
            done.append(one(name))
        except Interrupted as error:
            failures, said = [error], False
            break
        except LlamactlError as error:
            failures.append(error)
            if said:
                render.failure(error)
    if not failures:
        if session.machine:
            show(done)
        return
    failure = together(failures, partly=bool(done) and not isinstance(failures[0], Interrupted))
    if session.output == "json" and done:
        render.data("instances", {"items": done, "error": render.fault(failure)})
        said = True
    elif session.machine and done:
        show(done)
    if said:
        raise typer.Exit(failure.exit)
    raise failure


def show(items: list[InstanceRow]) -> None:
    quiet = {"RESTARTS"} if all(not row.restarts for row in items) else set()
    quiet |= {"ETA"} if all(row.eta is None for row in items) else set()
    render.rows(
        ("instances", "instance"),
        items,
        {
            "NAME": [row.name for row in items],
            "STATE": [_state(row) for row in items],
            "PID": [_or_dash(row.pid) for row in items],
            "DEVICE": [",".join(device for device, size in row.memory.items() if size) or "-" for row in items],
            "MEMORY": [show_size(sum(row.memory.values())) if row.memory else "-" for row in items],
            "PER DEVICE": [_memory(row.memory) for row in items],
            "CTX": [_or_dash(row.context) for row in items],
            "SLOTS": [str(row.leases) if row.slots is None else f"{row.leases}/{row.slots}" for row in items],
            "QUEUE": [str(row.waiting) for row in items],
            "ETA": ["-" if row.eta is None else show_duration(row.eta) for row in items],
            "TOK/S": ["-" if row.rate is None else f"{row.rate:.1f}" for row in items],
            "REQUESTS": [str(row.requests) for row in items],
            "RESTARTS": [str(row.restarts) for row in items],
            "AGE": ["-" if row.age is None else show_duration(row.age) for row in items],
            "TTL": ["pinned" if row.pinned else "-" if row.ttl is None else show_duration(row.ttl) for row in items],
            "OUTDATED": [", ".join(row.outdated) or "-" for row in items],
        },
        wide={"PID", "PER DEVICE", "REQUESTS", "OUTDATED"} | quiet,
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
