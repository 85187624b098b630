"""`llamactl presets …`: named bundles of settings."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from llamactl.cli import document, models, render
from llamactl.cli.session import session
from llamactl.cli.settings import Assignments, Keys, assigned, shown
from llamactl.core.errors import NotFound
from llamactl.rpc.calls import (
    ApplyPreset,
    ListPresets,
    ModelRow,
    PresetRow,
    PutPresets,
    RemovePreset,
    SavePreset,
    SetPreset,
    ShowPreset,
)

app = typer.Typer(help="Named bundles of settings.", no_args_is_help=False, invoke_without_command=True)

Preset = Annotated[str, typer.Argument(metavar="PRESET")]
Names = Annotated[list[str], typer.Argument(metavar="NAME…", help="Models; * and ? are understood.")]
Replace = Annotated[bool, typer.Option("--replace", help="Even if there is another one of that name.")]

PATIENCE = 30
"""Seconds: llama-servers may have to be asked what they can do."""


@app.callback()
def default(context: typer.Context) -> None:
    """Named bundles of settings."""
    if context.invoked_subcommand is None:
        ls()


@app.command()
def ls() -> None:
    """List the presets."""
    with session.client() as client:
        _show(client.call(ListPresets()))


app.command("list", hidden=True)(ls)


@app.command()
def show(preset: Preset) -> None:
    """Show a preset: its settings, and the models that it is applied to."""
    with session.client() as client:
        row = client.call(ShowPreset(preset))
    if render.for_program("preset", row, row.name):
        return
    from llamactl.core.parameters import PARAMETERS

    render.text(f"{'name':<8} {row.name}")
    if row.models:
        render.text(f"{'models':<8} {', '.join(row.models)}")
    units = {name: known.unit for name in row.settings if (known := PARAMETERS.get(name))}
    render.text("")
    render.table(
        {
            "SETTING": list(row.settings),
            "VALUE": [shown(value, units.get(name, "")) for name, value in row.settings.items()],
        }
    )


@app.command()
def save(
    preset: Preset,
    model: Annotated[str, typer.Option("--from", metavar="NAME", help="The model to take them from.")],
    replace: Replace = False,
) -> None:
    """Make a preset of what is set for a model, by itself and by its preset."""
    with session.client(timeout=PATIENCE) as client:
        _changed(client.call(SavePreset(preset, model, replace)))


@app.command("set")
def set_(preset: Preset, settings: Assignments) -> None:
    """Change settings of a preset, or make one; they count for its models from their next start."""
    values = assigned(settings, f"llamactl presets set {preset}")
    with session.client(timeout=PATIENCE) as client:
        _changed(client.call(SetPreset(preset, set=values)))


@app.command()
def unset(preset: Preset, keys: Keys) -> None:
    """Take settings out of a preset."""
    with session.client(timeout=PATIENCE) as client:
        _changed(client.call(SetPreset(preset, unset=tuple(keys))))


@app.command()
def apply(preset: Preset, names: Names) -> None:
    """Let a preset count for models, where they set nothing themselves; changes of it count for them too."""
    _applied(names, preset, f"has the preset {preset}")


@app.command()
def unapply(names: Names) -> None:
    """Let no preset count for models."""
    _applied(names, None, "has no preset")


@app.command()
def rm(
    preset: Preset,
    force: Annotated[bool, typer.Option("--force", help="Even if it is applied to models, which lose it.")] = False,
) -> None:
    """Remove a preset."""
    with session.client() as client:
        freed = client.call(RemovePreset(preset, force))
    if render.for_program("preset-removal", {"name": preset, "models": freed}, preset):
        return
    render.note(f"{preset} is removed" + (f", and no longer applied to {', '.join(freed)}" if freed else ""))


app.command("remove", hidden=True)(rm)


@app.command()
def export(
    presets: Annotated[list[str] | None, typer.Argument(metavar="[PRESET]…", help="Else all.")] = None,
    format: Annotated[Literal["json", "ini"], typer.Option(help="ini is what llama.cpp reads.")] = "json",
) -> None:
    """Write presets to the standard output, for `presets import`; secrets are left out."""
    with session.client() as client:
        rows = client.call(ListPresets())
    if unknown := set(presets or ()) - {row.name for row in rows}:
        raise NotFound(f"no preset is called {', '.join(sorted(unknown))}", "llamactl presets ls")
    rows = [row for row in rows if not presets or row.name in presets]
    kept = {row.name: {key: value for key, value in row.settings.items() if value is not None} for row in rows}
    for row in rows:
        document.left_out(f"preset {row.name}", [key for key, value in row.settings.items() if value is None])
    if format == "ini":
        document.write_ini({name: ("", settings) for name, settings in kept.items()})
    else:
        render.data("catalogue", {"items": [], "presets": kept})


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="What `presets export` has written; - reads the standard input.")],
    replace: Replace = False,
) -> None:
    """Take in presets, all of them or none."""
    found = document.read_presets(file)
    with session.client(timeout=PATIENCE) as client:
        rows = client.call(PutPresets(found, replace))
    if session.machine:
        _show(rows)
    else:
        render.note(f"{render.count(len(rows), 'preset')} imported: {', '.join(row.name for row in rows)}")


def _applied(patterns: list[str], preset: str | None, message: str) -> None:
    names = session.models(patterns)
    with session.client(timeout=PATIENCE) as client:
        rows: list[ModelRow] = client.call(ApplyPreset(tuple(names), preset))
    if session.machine:
        models.show_rows(rows)
        return
    for row in rows:
        render.note(f"{row.name} {message}")
    models.runs_as_before(rows)


def _changed(row: PresetRow) -> None:
    if session.machine:
        _show([row])
        return
    render.note(f"the preset {row.name} has {render.count(len(row.settings), 'setting')}")
    if row.models:
        render.note(f"it counts for {', '.join(row.models)} from the next start")
    else:
        render.note(f"next: llamactl presets apply {row.name} NAME")


def _show(rows: list[PresetRow]) -> None:
    render.rows(
        ("presets", "preset"),
        rows,
        {
            "NAME": [row.name for row in rows],
            "SETTINGS": [
                ", ".join(f"{name}={shown(value)}" for name, value in list(row.settings.items())[:4])
                + (" …" if len(row.settings) > 4 else "")
                for row in rows
            ],
            "MODELS": [", ".join(row.models) for row in rows],
        },
        wide=set(),
        empty="There are no presets: llamactl presets save PRESET --from NAME",
    )
