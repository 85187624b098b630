"""`llamactl models export` and `import`: the catalogue as a file."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from llamactl.cli import document, render
from llamactl.cli.outcomes import PartlyDone
from llamactl.cli.session import session
from llamactl.rpc.calls import ExportModels, ImportModels, ImportReport, Portable


def export(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="Else all models.")] = None,
    format: Annotated[Literal["json", "ini"], typer.Option(help="ini is what llama.cpp reads.")] = "json",
) -> None:
    """Write models with their settings and presets to the standard output, for `models import`."""
    chosen = tuple(session.models(names)) if names else ()
    with session.client() as client:
        found = client.call(ExportModels(chosen))
    for of, secrets in found.secrets.items():
        document.left_out(of, secrets)
    if format == "json":
        render.data("catalogue", {"items": found.models, "presets": found.presets})
        return
    document.write_ini({model.name: (model.path, _flat(found, model.preset, model.settings)) for model in found.models})


def import_(
    file: Annotated[
        Path, typer.Argument(help="What export has written, presets of llama.cpp, a llama-swap YAML, …; or -")
    ],
    replace: Annotated[bool, typer.Option("--replace", help="Even if something else is set here.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Take models with their settings into the catalogue, all of them or none."""
    found = document.read(file)
    with session.client(timeout=None) as client:
        report = client.call(ImportModels(found.models, found.presets, replace, dry_run))
    told = {"format": found.format, "dry_run": dry_run, **_fields(report), "notes": found.notes}
    if not render.for_program("import", told):
        _show(found, report, dry_run)
    if not found.whole or report.absent:
        raise typer.Exit(PartlyDone.exit)


def _flat(found: Portable, preset: str, own: document.Settings) -> document.Settings:
    """The settings of a model with those of its preset, for who knows no presets of ours."""
    from llamactl.core.parameters.layers import Layer, effective

    layers = [Layer("preset", found.presets.get(preset, {}), preset), Layer("model", own)]
    return {name: setting.value for name, setting in effective(layers).items()}


def _fields(report: ImportReport) -> dict[str, object]:
    import msgspec

    return msgspec.structs.asdict(report)


def _show(found: document.Document, report: ImportReport, dry_run: bool) -> None:
    for mark, names in (("+", report.added), ("~", report.changed)):
        for name in names:
            render.text(f"{mark} {name}")
    for note in found.notes:
        if note.outcome in ("left", "invalid"):
            render.note(f"{'not understood' if note.outcome == 'invalid' else 'left'}: {note.what}: {note.why}")
    for file in report.unusable:
        render.note(f"not usable yet: {file.path}: {file.reason}")
    for name in report.absent:
        render.note(f"not in the catalogue: {name}; first: llamactl models add FILE --name {name}")
    would = "would be " if dry_run else ""
    presets = f", {render.count(len(report.presets), 'preset')}" if report.presets else ""
    render.note(
        f"{len(report.added)} {would}added, {len(report.changed)} {would}changed, "
        f"{len(report.unchanged)} as they were{presets}"
    )
    if found.elsewhere:
        render.note("for what it says of llamactl itself: llamactl config import")
