"""What happened, and what happens: `events`."""

import time
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.core.events import (
    AlertCleared,
    AlertRaised,
    CatalogueChanged,
    ConfigChanged,
    Event,
    InstanceChanged,
    InstanceDoubted,
    KeyMisused,
    Misuse,
    Numbered,
    Placement,
    ServiceChanged,
    kind,
)
from llamactl.core.instance import Backoff, Failed, Ready, Stopped, Stopping, state
from llamactl.core.units import show_duration, show_time
from llamactl.rpc.calls import ListEvents, Lost

CHUNK = 1000


def events(
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what happens from now on.")] = False,
    since: Annotated[
        int | None, typer.Option(metavar="ID", min=0, help="All after the event with this number; 0: all there are.")
    ] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", metavar="TYPE", help="Only these; may be given several times.")
    ] = None,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="Without --since: how many of the last.")] = 20,
) -> None:
    """Show what happened, and what happens."""
    wanted = tuple(types or ())
    last = since
    with session.client() as client:
        if since is not None:
            found = _after(client, since, wanted)
        else:
            newest = client.call(ListEvents(types=wanted, limit=lines)) if lines else []
            found = iter(newest)
        if not follow:
            _show(found)
            return
        for numbered in found:
            last = numbered.id
            _say(numbered)
    if last is None:
        with session.client() as client:
            last = max((each.id for each in client.call(ListEvents(limit=1))), default=0)
    with session.client(None) as client:
        _, notices = client.watch(since=last, types=wanted)
        for notice in notices:
            if isinstance(notice, Lost):
                render.note(f"{render.count(notice.lost, 'event')} not shown: they came too fast, or are kept no more")
            else:
                _say(notice)


def _after(client: Any, since: int, types: tuple[str, ...]) -> Iterator[Numbered]:
    while found := client.call(ListEvents(since, types, CHUNK)):
        yield from found
        since = found[-1].id


def _show(found: Iterator[Numbered]) -> None:
    if session.output == "json":
        render.data("events", [_as_data(numbered) for numbered in found])
        return
    for numbered in found:
        _say(numbered)


def _say(numbered: Numbered) -> None:
    """One line. Numbers, times and types have their width: a stream cannot wait for the widest."""
    match session.output:
        case "json" | "jsonl":
            render.data("event", _as_data(numbered))
        case "name":
            render.text(str(numbered.id))
        case _:
            at = time.strftime("%F %T", time.localtime(numbered.at))
            render.text(f"{numbered.id:>7}  {at}  {kind(numbered.event):<9}  {_what(numbered.event)}")


def _as_data(numbered: Numbered) -> dict[str, Any]:
    event = msgspec.to_builtins(numbered.event)
    if isinstance(numbered.event, InstanceChanged):
        for moment in ("since", "until"):  # on a clock that is the daemon's own
            event["phase"].pop(moment, None)
    return {"id": numbered.id, "at": show_time(numbered.at), **event}


def _what(event: Event) -> str:
    match event:
        case InstanceChanged():
            why = event.reason or _reason(event)
            return f"{event.model} is {state(event.phase)}" + (f": {why}" if why else "")
        case InstanceDoubted(seconds=None):
            return f"{event.model} works after all, or is gone"
        case InstanceDoubted(seconds=float(still)):
            return f"{event.model} has requests, and nothing has moved for {show_duration(still)}"
        case Placement():
            return f"{event.model}: {event.action}" + (f": {event.reason}" if event.reason else "")
        case CatalogueChanged():
            parts = ("added", "removed", "changed", "missing")
            told = [f"{part} {', '.join(names)}" for part in parts if (names := getattr(event, part))]
            return "; ".join(told) or "nothing changed"
        case ServiceChanged():
            return f"{event.service} is {event.state}" + (f": {event.reason}" if event.reason else "")
        case ConfigChanged():
            later = f"; only after a restart: {', '.join(event.restart_for)}" if event.restart_for else ""
            return f"changed {', '.join(event.changed) or 'nothing at once'}{later}"
        case KeyMisused():
            who = f"the key {event.key}" if event.key else "a key"
            times = f", {event.count} times" if event.count > 1 else ""
            return f"{who} {_MISUSES[event.what]}{times}" + (f", from {event.address}" if event.address else "")
        case AlertRaised():
            return f"{event.series} is at {event.value:g}{event.unit}, and its limit is {event.limit:g}{event.unit}"
        case AlertCleared():
            now = "not measured any more" if event.value is None else f"at {event.value:g}{event.unit} again"
            return f"{event.series} is {now}, after {show_duration(event.seconds)}"
    return kind(event)


_MISUSES: dict[Misuse, str] = {
    "unknown": "that is not known was used",
    "secret": "was used with a wrong secret",
    "token": "that is a JWT was not accepted",
    "revoked": "was used after it was revoked",
    "expired": "was used after its end",
    "scope": "was used for what its scopes do not allow",
    "model": "was used for a model that it is not for",
    "rate": "was used more often than it may be",
    "parallel": "was used for more at once than it may be",
}


def _reason(event: InstanceChanged) -> str:
    match event.phase:
        case Ready(took=took):
            return f"after {took:.1f} s"
        case Stopping(why=why) | Stopped(why=why):
            return why
        case Backoff(problem=problem) | Failed(problem=problem):
            return problem.message
    return ""
