"""`llamactl models …`: the catalogue."""

from pathlib import Path
from typing import Annotated

import typer

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.core.units import show_size
from llamactl.rpc.calls import AddModel, ListModels, ModelRow, RemoveModel, ScanModels

app = typer.Typer(help="The catalogue of models.", no_args_is_help=False, invoke_without_command=True)


@app.callback()
def default(context: typer.Context) -> None:
    """The catalogue of models."""
    if context.invoked_subcommand is None:
        ls()


@app.command()
def ls() -> None:
    """List the catalogue."""
    with session.client() as client:
        _show(client.call(ListModels()))


app.command("list", hidden=True)(ls)


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="A GGUF file; it stays where it is.")],
    name: Annotated[str | None, typer.Option(help="What to call it; else a name is made from the file's.")] = None,
) -> None:
    """Put a GGUF file into the catalogue."""
    with session.client() as client:
        row = client.call(AddModel(str(file.expanduser().absolute()), name))
    if session.machine:
        _show([row])
    else:
        render.note(f"{row.name} is in the catalogue; next: llamactl start {row.name}")


@app.command()
def scan(
    directories: Annotated[list[Path] | None, typer.Argument(metavar="[DIR]…", help="Else those configured.")] = None,
) -> None:
    """Find GGUF files and put them into the catalogue."""
    paths = tuple(str(directory.expanduser().absolute()) for directory in directories or [])
    with render.working("looking for models …"), session.client(timeout=None) as client:
        report = client.call(ScanModels(paths))
    if session.machine:
        render.data("scan", report)
        return
    for mark, names in (("+", report.added), ("~", report.changed), ("-", report.missing)):
        for name in names:
            render.text(f"{mark} {name}")
    for file in report.unusable:
        render.note(f"not usable: {file.path}: {file.reason}")
    render.note(
        f"{len(report.added)} new, {len(report.changed)} changed, {len(report.missing)} missing, "
        f"{len(report.unusable)} not usable, {report.known} known"
    )


@app.command()
def rm(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Take a model out of the catalogue; its file stays."""
    with session.client() as client:
        client.call(RemoveModel(name))
    render.note(f"{name} is no longer in the catalogue")


app.command("remove", hidden=True)(rm)


def _show(items: list[ModelRow]) -> None:
    render.rows(
        "models",
        items,
        {
            "NAME": [row.name for row in items],
            "SIZE": [show_size(row.size) for row in items],
            "STATE": [row.state for row in items],
            "FILE": [row.path for row in items],
        },
        wide={"FILE"},
        empty="The catalogue is empty: llamactl models add FILE, or llamactl models scan DIR",
    )
