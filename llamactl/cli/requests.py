"""What was asked of models: `requests …`."""

import time
from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.cli.times import moment
from llamactl.core.events import RequestsFinished
from llamactl.core.requests import ModelRequest
from llamactl.core.units import show_size, show_time
from llamactl.rpc.calls import CancelRequest, ListRequests, Lost, ShowBodies, ShowRequest

app = typer.Typer(
    help="What was asked of models: what is under way, and what has been.",
    no_args_is_help=False,
    invoke_without_command=True,
)

Model = Annotated[str, typer.Option("--model", metavar="NAME", help="Of this model only.")]
Since = Annotated[str, typer.Option("--since", metavar="T", help="From then on: 10m, 14:30, 2026-01-31.")]
Key = Annotated[str, typer.Option("--key", metavar="ID", help="Of this API key only.")]
Status = Annotated[int | None, typer.Option("--status", metavar="N", help="Answered with this HTTP status only.")]
Lines = Annotated[
    int, typer.Option("-n", "--lines", min=0, max=1000, help="How many at most, besides those under way.")
]
Follow = Annotated[bool, typer.Option("-f", "--follow", help="Go on with those that end from now on.")]


@app.callback()
def default(
    context: typer.Context,
    model: Model = "",
    since: Since = "",
    key: Key = "",
    status: Status = None,
    lines: Lines = 50,
    follow: Follow = False,
) -> None:
    """What was asked of models: what is under way, and what has been."""
    if context.invoked_subcommand is None:
        ls(model, since, key, status, lines, follow)


@app.command()
def ls(
    model: Model = "",
    since: Since = "",
    key: Key = "",
    status: Status = None,
    lines: Lines = 50,
    follow: Follow = False,
) -> None:
    """List requests: those under way, then those that have ended, the newest first."""
    asked = ListRequests(model=model, key=key, status=status, since=_moment(since) if since else None, limit=lines)
    with session.client(timeout=None if follow else 10.0) as client:
        if follow:
            asked = msgspec.structs.replace(asked, model=session.resolved(model))
            # Subscribed before the list is asked for, or what ends in between would be missing.
            with session.client() as lister:
                _, notices = client.watch(types=("requests",))
                found = lister.call(asked)
                _show(found[::-1])
            shown = {one.id for one in found if one.state == "ended"}  # what ended last is told of once more
            for notice in notices:
                if isinstance(notice, Lost):
                    render.note(f"{notice.lost} events were lost")
                elif isinstance(notice.event, RequestsFinished):
                    ended = [one for one in notice.event.requests if _fits(one, asked) and one.id not in shown]
                    shown.clear()
                    _go_on(ended, notice.event.more)
        else:
            _show(client.call(asked))


@app.command()
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="The id of a request: its X-Request-Id.")],
    body: Annotated[bool, typer.Option("--body", help="With both bodies, if requests.capture is set.")] = False,
) -> None:
    """Show one request."""
    with session.client() as client:
        found = as_data(client.call(ShowRequest(id)))
        bodies = client.call(ShowBodies(id)) if body else None
    if render.for_program("request", found if bodies is None else found | {"bodies": bodies}, id):
        return
    values = {name: _value(value) for name, value in found.items() if value not in (None, "")}
    render.table({"WHAT": list(values), "VALUE": list(values.values())})
    if bodies is not None:
        render.text(f"\nasked, {show_size(bodies.asked_size)}:\n{bodies.asked}")
        render.text(f"\nanswered, {show_size(bodies.answered_size)}:\n{bodies.answered}")


@app.command()
def cancel(id: Annotated[str, typer.Argument(metavar="ID", help="The id of a request under way.")]) -> None:
    """End a request that is under way."""
    with session.client() as client:
        client.call(CancelRequest(id))
    if not render.for_program("cancelled", {"id": id}, id):
        render.note(f"{id} is cancelled")


app.command("list", hidden=True)(ls)


def _moment(text: str) -> float:
    return moment(text, datetime.now().astimezone())


def _fits(request: ModelRequest, asked: ListRequests) -> bool:
    return (
        asked.model in ("", request.model) and asked.key in ("", request.key) and asked.status in (None, request.status)
    )


def _show(found: list[ModelRequest]) -> None:
    match session.output:
        case "json":
            render.data("requests", [as_data(one) for one in found])
        case "jsonl":
            for one in found:
                render.data("request", as_data(one))
        case "name":
            for one in found:
                render.text(one.id)
        case _ if found:
            columns = _columns(found)
            wide = session.output == "wide"
            render.table({title: cells for title, cells in columns.items() if wide or title not in _WIDE})
        case _:
            render.note("nothing was asked of any model")


def _go_on(found: list[ModelRequest], more: int) -> None:
    """While following: a line each, without a header."""
    for one in found:
        if not render.for_program("request", as_data(one), one.id):
            render.text("  ".join(filter(None, (cells[0] for cells in _columns([one]).values()))))
    if more:
        render.note(f"and {more} more in this second")


_WIDE = frozenset(("ENDPOINT", "CLIENT", "KEY", "QUEUED", "LOADING", "PROMPT", "CACHED", "PROMPT/S", "DRAFT", "FINISH"))


def _columns(found: list[ModelRequest]) -> dict[str, list[str]]:
    return {
        "ID": [one.id for one in found],
        "AT": [_at(one.at) for one in found],
        "MODEL": [one.model for one in found],
        "ENDPOINT": [one.endpoint for one in found],
        "STATE": list(map(_state, found)),
        "QUEUED": [_seconds(one.queued) for one in found],
        "LOADING": [_seconds(one.loading) for one in found],
        "FIRST": [_seconds(one.first) for one in found],
        "TOOK": [_seconds(one.duration) for one in found],
        "PROMPT": [_number(one.prompt_tokens) for one in found],
        "CACHED": [_number(one.cached_tokens) for one in found],
        "TOKENS": [_number(one.generated_tokens) for one in found],
        "PROMPT/S": [_rate(one.prompt_rate) for one in found],
        "TOK/S": [_rate(one.generation_rate) for one in found],
        "DRAFT": [f"{_number(one.accepted_tokens)}/{one.draft_tokens}" if one.draft_tokens else "" for one in found],
        "FINISH": [one.finish for one in found],
        "KEY": [one.key for one in found],
        "CLIENT": [one.client for one in found],
    }


def _at(moment: float) -> str:
    """As ls(1): the time of today, the day and the time of another."""
    then = time.localtime(moment)
    return time.strftime("%T" if then[:3] == time.localtime()[:3] else "%b %d %H:%M", then)


def _state(request: ModelRequest) -> str:
    """What it is doing, or what has become of it: `200`, `429 queue_full`, `200 client_left`."""
    if request.state != "ended":
        return request.state
    return " ".join(filter(None, (_number(request.status), request.error)))


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if value < 10 else f"{value:.1f}"


def _value(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def as_data(request: ModelRequest) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(request)
    data["at"] = show_time(request.at)
    first = {name: data.pop(name) for name in ("id", "at", "model", "endpoint", "state", "status", "error")}
    return first | data
