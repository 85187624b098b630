"""`llamactl keys …`: who may use the HTTP port."""

import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
import typer

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.core.access import Scope
from llamactl.core.errors import BadRequest
from llamactl.core.units import parse_duration, parse_rate
from llamactl.rpc.calls import CreateKey, KeyRow, ListKeys, NewKey, RevokeKey, RotateKey

app = typer.Typer(help="Who may use the HTTP port.", no_args_is_help=False, invoke_without_command=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="Its id, or its name if no other has that.")]


class _Scope(StrEnum):
    """`Scope`, in a form that typer takes a list of."""

    infer = "infer"
    observe = "observe"
    control = "control"
    admin = "admin"


class _Shown(msgspec.Struct, kw_only=True):
    """A row with times as programs are told them."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    models: tuple[str, ...] | None
    expires: datetime | None
    rate: float
    parallel: int
    priority: int
    wait: str
    created: datetime
    last_used: datetime | None
    revoked: datetime | None


@app.callback()
def default(context: typer.Context) -> None:
    """Who may use the HTTP port."""
    if context.invoked_subcommand is None:
        ls()


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for; shown in lists.")],
    scope: Annotated[
        list[_Scope] | None, typer.Option(help="What it may do, with all that comes before; infer unless said.")
    ] = None,
    model: Annotated[list[str] | None, typer.Option(metavar="M", help="Only these models; globs.")] = None,
    expires: Annotated[
        str, typer.Option(metavar="T", help="When it ends: in 30d, 12h, or on 2030-01-31[T12:00].")
    ] = "",
    rate: Annotated[str, typer.Option(metavar="N/min", help="Requests that it may send; also N/s, N/h.")] = "",
    parallel: Annotated[int, typer.Option(metavar="N", min=0, help="Requests at once; 0 is no limit.")] = 0,
    priority: Annotated[int, typer.Option(metavar="N", help="Who waits goes before those with a lower one.")] = 0,
    wait: Annotated[
        Literal["comments", "reasoning", "space", "none"] | None,
        typer.Option(help="How it is told that it waits, unless a request says X-Llamactl-Wait itself."),
    ] = None,
) -> None:
    """Make a key, and show it: this once."""
    call = CreateKey(
        name=name,
        scopes=tuple(one.value for one in scope or [_Scope.infer]),
        models=tuple(model) if model else None,
        expires=_moment(expires) if expires else None,
        rate=parse_rate(rate) if rate else 0.0,
        parallel=parallel,
        priority=priority,
        wait="" if wait is None else wait,
    )
    with session.client() as client:
        _tell(client.call(call))


@app.command()
def ls(
    all_: Annotated[bool, typer.Option("-a", "--all", help="Those that were revoked, too.")] = False,
) -> None:
    """List the keys; secrets are shown to nobody."""
    with session.client() as client:
        rows = [_shown(row) for row in client.call(ListKeys(all_))]
    render.rows(
        ("keys", "key"),
        rows,
        {
            "ID": [row.id for row in rows],
            "NAME": [row.name for row in rows],
            "SCOPES": [",".join(row.scopes) for row in rows],
            "MODELS": ["all" if row.models is None else ", ".join(row.models) for row in rows],
            "RATE": [f"{row.rate:g}/min" if row.rate else "" for row in rows],
            "PARALLEL": [str(row.parallel or "") for row in rows],
            "PRIORITY": [str(row.priority or "") for row in rows],
            "WAIT": [row.wait for row in rows],
            "EXPIRES": [_day(row.expires) for row in rows],
            "LAST USED": [_day(row.last_used) for row in rows],
            "CREATED": [_day(row.created) for row in rows],
            "REVOKED": [_day(row.revoked) for row in rows],
        },
        wide={"PRIORITY", "WAIT", "CREATED"} | (set() if all_ else {"REVOKED"}),
        empty="There are no keys: llamactl keys create NAME",
    )


app.command("list", hidden=True)(ls)


@app.command()
def revoke(key: Id) -> None:
    """Take a key back; it counts no more, at once."""
    with session.client() as client:
        row = client.call(RevokeKey(key))
    if not render.for_program("key", _shown(row), row.name):
        render.note(f"the key {row.name} ({row.id}) is revoked")


@app.command()
def rotate(key: Id) -> None:
    """Give a key another secret, and show it: this once. The old one counts no more."""
    with session.client() as client:
        _tell(client.call(RotateKey(key)))


def _tell(new: NewKey) -> None:
    if render.for_program("new-key", {"text": new.text, **msgspec.to_builtins(_shown(new.key))}):
        return
    render.note(f"the key {new.key.name} ({new.key.id}) may {', '.join(new.key.scopes)}; it is not shown again:")
    render.text(new.text)


def _shown(row: KeyRow) -> _Shown:
    times = {
        name: None if (at := getattr(row, name)) is None else datetime.fromtimestamp(round(at), UTC)
        for name in ("expires", "created", "last_used", "revoked")
    }
    return _Shown(**(msgspec.structs.asdict(row) | times))


def _day(moment: datetime | None) -> str:
    """In local time."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _moment(text: str) -> float:
    """Seconds since the epoch, of a duration from now or a date."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        pass
    try:
        return time.time() + parse_duration(text)
    except BadRequest:
        raise BadRequest(f"not a time: {text!r}", "write it like 30d, 12h or 2030-01-31") from None
