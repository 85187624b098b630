"""`llamactl models defaults …`: what the database sets for every model."""

import typer

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.cli.settings import Assignments, Keys, assigned, columns
from llamactl.rpc.calls import SetDefaults, SettingRow, ShowDefaults

app = typer.Typer(
    help="Settings of llama-server for every model that has none of its own.",
    no_args_is_help=False,
    invoke_without_command=True,
)


@app.callback()
def default(context: typer.Context) -> None:
    """Settings of llama-server for every model that has none of its own."""
    if context.invoked_subcommand is None:
        show()


@app.command()
def show() -> None:
    """Show what counts for a model that sets nothing, and where it comes from."""
    with session.client() as client:
        _show(client.call(ShowDefaults()))


@app.command("set")
def set_(settings: Assignments) -> None:
    """Change settings of the server, for every model from its next start; others are for presets and the file."""
    values = assigned(settings, "llamactl models defaults set")
    with session.client(timeout=30) as client:
        _changed(client.call(SetDefaults(set=values)))


@app.command()
def unset(keys: Keys) -> None:
    """Leave settings to the configuration file, and to llama-server."""
    with session.client(timeout=30) as client:
        _changed(client.call(SetDefaults(unset=tuple(keys))))


def _changed(rows: list[SettingRow]) -> None:
    if session.json:
        _show(rows)
    else:
        render.note("the defaults are changed; what runs keeps its settings until its next start")


def _show(rows: list[SettingRow]) -> None:
    render.rows(
        ("defaults", "default"),
        rows,
        columns(rows),
        wide=set(),
        empty="Nothing is set: llamactl models defaults set KEY=VALUE",
    )
