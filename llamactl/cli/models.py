"""`llamactl models …`: the catalogue."""

from pathlib import Path
from typing import Annotated

import typer

from llamactl.cli import about, defaults, portable, render, variants
from llamactl.cli.outcomes import confirm, together
from llamactl.cli.session import session
from llamactl.cli.settings import Assignments, Keys, assigned, columns
from llamactl.core.errors import BadRequest, LlamactlError
from llamactl.core.units import show_count, show_size
from llamactl.rpc.calls import (
    AddModel,
    AddModels,
    AliasModel,
    CloneModel,
    ListInstances,
    ListModels,
    ModelCommand,
    ModelRow,
    NewFile,
    RemoveModel,
    RenameModel,
    ScanModels,
    SetModel,
    ShowModel,
    VerifyModel,
)

app = typer.Typer(help="The catalogue of models.", no_args_is_help=False, invoke_without_command=True)


app.add_typer(defaults.app, name="defaults")
app.add_typer(variants.app, name="variants")
app.command("export")(portable.export)
app.command("import")(portable.import_)


@app.callback()
def default(context: typer.Context) -> None:
    """The catalogue of models."""
    if context.invoked_subcommand is None:
        ls()


@app.command()
def ls() -> None:
    """List the catalogue."""
    with session.client() as client:
        show_rows(client.call(ListModels()))


app.command("list", hidden=True)(ls)


@app.command()
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="GGUF files; they stay where they are.")],
    name: Annotated[str | None, typer.Option(help="What to call it; else a name is made from the file's.")] = None,
) -> None:
    """Put GGUF files into the catalogue, all of them or none."""
    if name is not None and len(files) > 1:
        raise BadRequest("--name is for one file, and there are several", "give them one at a time, or leave it out")
    with session.client() as client:
        if len(files) == 1:
            rows = [client.call(AddModel(session.path(files[0]), name))]
        else:
            rows = client.call(AddModels(tuple(NewFile(session.path(file)) for file in files)))
    if session.machine:
        show_rows(rows)
        return
    for row in rows:
        render.note(f"{row.name} is in the catalogue; next: llamactl start {row.name}")


@app.command()
def scan(
    directories: Annotated[list[Path] | None, typer.Argument(metavar="[DIR]…", help="Else those configured.")] = None,
) -> None:
    """Find GGUF files and put them into the catalogue."""
    paths = tuple(map(session.path, directories or []))
    with render.working("looking for models …"), session.client(timeout=None) as client:
        report = client.call(ScanModels(paths))
    if render.for_program("scan", report):
        return
    for mark, names in (
        ("+", report.added),
        ("~", report.changed),
        (">", report.moved),
        ("-", report.missing),
    ):
        for name in names:
            render.text(f"{mark} {name}")
    for file in report.unusable:
        render.note(f"not usable: {file.path}: {file.reason}")
    render.note(
        f"{len(report.added)} new, {len(report.changed)} changed, {len(report.moved)} moved, "
        f"{len(report.missing)} missing, "
        f"{len(report.unusable)} not usable, {report.known} known"
    )


@app.command()
def rm(names: Annotated[list[str], typer.Argument(metavar="NAME…", help="By name or glob.")]) -> None:
    """Take models out of the catalogue; their files stay. At a terminal it asks first."""
    chosen = session.models(names)
    all_ = ", ".join(chosen)
    confirm(f"Take {all_} out of the catalogue, with what is set?", f"llamactl models rm {' '.join(names)} --yes")
    gone: list[str] = []
    failures: list[LlamactlError] = []
    with session.client() as client:
        for name in chosen:
            try:
                client.call(RemoveModel(name))
            except LlamactlError as error:
                failures.append(error)
                continue
            gone.append(name)
            if not session.machine:
                render.note(f"{name} is no longer in the catalogue")
    if not failures:
        render.for_program("models-removed", gone, "\n".join(gone))
        return
    failure = together(failures, partly=bool(gone))
    if session.output == "json" and gone:
        render.data("models-removed", {"items": gone, "error": render.fault(failure)})
        raise typer.Exit(failure.exit)
    if gone:
        render.for_program("models-removed", gone, "\n".join(gone))
    raise failure


app.command("remove", hidden=True)(rm)


@app.command()
def show(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Show a model with its settings and where each comes from."""
    name = session.model(name)
    with session.client() as client:
        model = client.call(ShowModel(name))
    if render.for_program("model", model, model.name):
        return
    for title, value in about.lines(model):
        render.text(f"{title:<13} {value}")
    if model.settings:
        render.text("")
        render.table(columns(model.settings))


@app.command("set")
def set_(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    settings: Assignments,
) -> None:
    """Change settings of a model; they count from its next start."""
    name, values = session.model(name), assigned(settings, f"llamactl models set {name}")
    with session.client() as client:
        changed(client.call(SetModel(name, set=values)))


@app.command()
def unset(name: Annotated[str, typer.Argument(metavar="NAME")], keys: Keys) -> None:
    """Leave settings of a model to what stands behind it, and to llama-server."""
    name = session.model(name)
    with session.client() as client:
        changed(client.call(SetModel(name, unset=tuple(keys))))


@app.command()
def rename(
    old: Annotated[str, typer.Argument(metavar="OLD")], new: Annotated[str, typer.Argument(metavar="NEW")]
) -> None:
    """Give a stopped model another name."""
    old = session.model(old)
    with session.client() as client:
        changed(client.call(RenameModel(old, new)), f"{old} is now called {new}")


@app.command()
def clone(
    name: Annotated[str, typer.Argument(metavar="NAME")], new: Annotated[str, typer.Argument(metavar="NEW")]
) -> None:
    """Make a second model of the same file and settings."""
    name = session.model(name)
    with session.client() as client:
        changed(client.call(CloneModel(name, new)), f"{new} is a copy of {name}")


@app.command()
def alias(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    aliases: Annotated[list[str], typer.Argument(metavar="ALIAS…")],
    remove: Annotated[bool, typer.Option("--rm", help="Take these away instead.")] = False,
) -> None:
    """Let a model go by other names as well."""
    names = tuple(aliases)
    with session.client() as client:
        row = client.call(AliasModel(name, remove=names) if remove else AliasModel(name, add=names))
    if session.machine:
        show_rows([row])
    else:
        render.note(f"{row.name} also goes by {', '.join(row.aliases)}" if row.aliases else f"{row.name} has no alias")


@app.command()
def verify(
    names: Annotated[list[str], typer.Argument(metavar="NAME…")],
    deep: Annotated[bool, typer.Option("--deep", help="Read all of it, where its checksum is known.")] = False,
) -> None:
    """Check that the files of models are there, sound and unchanged, and that their settings would do."""
    found = []
    chosen = session.models(names)
    with session.client(timeout=None) as client:
        for name in chosen:
            with render.working(f"verifying {name} …"):
                found.append(client.call(VerifyModel(name, deep)))
    if session.machine:
        render.rows(("verifications", "verification"), found, {}, wide=set())
    else:
        about.verified(found)
    unsound = [one.name for one in found if not one.sound]
    if unsound:
        raise typer.Exit(1)


@app.command()
def command(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Print the command line that a model would be started with."""
    name = session.model(name)
    with session.client(timeout=30) as client:
        line = client.call(ModelCommand(name))
    if not render.for_program("command", {"model": name, "command": line}):
        render.text(line)


def changed(row: ModelRow, message: str = "") -> None:
    """Say that a model is, or show it to programs."""
    if session.machine:
        show_rows([row])
        return
    render.note(message or f"{row.name} is changed")
    runs_as_before([row])


def runs_as_before(rows: list[ModelRow]) -> None:
    """A note for those that run, and would have to be started again."""
    running = [row.name for row in rows if row.state in ("ready", "loading", "starting")]
    if not running:
        return
    with session.client() as client:
        current = {row.name for row in client.call(ListInstances()) if row.state == "ready" and not row.outdated}
    if names := " ".join(name for name in running if name not in current):
        runs = "it runs with its old settings" if " " not in names else "they run with their old settings"
        render.note(f"{runs}: llamactl restart {names}")


def show_rows(items: list[ModelRow]) -> None:
    render.rows(
        ("models", "model-row"),
        items,
        {
            "NAME": [row.name for row in items],
            "SIZE": [show_size(row.size) for row in items],
            "PARAMETERS": [show_count(row.parameters) if row.parameters else "" for row in items],
            "QUANTISATION": [row.quantisation for row in items],
            "CONTEXT": [str(row.context_length or "") for row in items],
            "STATE": [about.state(row) for row in items],
            "ARCHITECTURE": [row.architecture for row in items],
            "INPUT": [", ".join(row.modalities) for row in items],
            "ALIASES": [", ".join(row.aliases) for row in items],
            "FILE": [row.path for row in items],
        },
        wide={"ARCHITECTURE", "INPUT", "ALIASES", "FILE"},
        empty="The catalogue is empty: llamactl models add FILE, or llamactl models scan DIR",
    )
