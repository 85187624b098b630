"""`llamactl templates …`: chat templates, and the model of those who name none."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from llamactl.cli import config, models, render
from llamactl.cli.session import session
from llamactl.core.errors import BadRequest, LlamactlError, Unreachable
from llamactl.rpc.calls import ListModels, ListTemplates, ModelRow, SetTemplates, TemplateList

app = typer.Typer(help="Chat templates of models.", no_args_is_help=False, invoke_without_command=True)


class Row(msgspec.Struct, frozen=True):
    """A template; `kind` is `file`, `built-in`, or `text` for one that is written into a setting."""

    name: str
    kind: str
    path: str | None
    models: list[str]


@app.callback()
def default_command(context: typer.Context) -> None:
    """Chat templates of models."""
    if context.invoked_subcommand is None:
        ls()


@app.command()
def ls() -> None:
    """List the templates that there are, and which model uses which; others use that in their file."""
    with session.client(timeout=30) as client:
        found = client.call(ListTemplates())
    rows = _rows(found)
    render.rows(
        ("templates", "template"),
        rows,
        {
            "NAME": [row.name for row in rows],
            "KIND": [row.kind for row in rows],
            "MODELS": [", ".join(row.models) for row in rows],
        },
        wide=set(),
        empty=f"There are none: put .jinja files into {found.directory}",
    )
    if found.problem:
        render.note(f"what is built in is not known: {found.problem.message}")


app.command("list", hidden=True)(ls)


@app.command("set")
def set_(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    template: Annotated[
        str, typer.Argument(metavar="TEMPLATE", help="A .jinja file, or a built-in name; those go without tools.")
    ],
) -> None:
    """Give a model a chat template; it counts from its next start."""
    _set(name, _named(template), f"{name} has the template {template}")


@app.command()
def unset(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Leave the chat template of a model to its preset, the defaults, and its file."""
    _set(name, None, f"{name} has no template of its own")


@app.command()
def default(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="The new one; else it is shown.")] = "",
    none: Annotated[bool, typer.Option("--none", help="Let there be none.")] = False,
) -> None:
    """Show or set the model of requests that name none."""
    if none and name:
        raise BadRequest("a name and --none contradict each other", "llamactl templates default --none")
    if none:
        config.unset("models.default")
    elif name:
        config.set_("models.default", _known(name))
    else:
        _show_default()


def _set(name: str, template: str | None, message: str) -> None:
    with session.client(timeout=30) as client:
        rows: list[ModelRow] = client.call(SetTemplates({name: template}))
    models.changed(rows[0], message)


def _named(template: str) -> str:
    """A file is meant as seen from here; one that is not here may be among those of the daemon."""
    path = Path(template).expanduser()
    if "/" in template or (path.suffix == ".jinja" and path.exists()):
        return session.path(path)
    return template


def _known(name: str) -> str:
    """The name, if it is in the catalogue of a daemon that can be asked."""
    from llamactl.core.errors import NotFound

    try:
        with session.client() as client:
            rows = client.call(ListModels())
    except Unreachable:
        return name
    if all(name != row.name and name not in row.aliases for row in rows):
        raise NotFound(f"no model is called {name!r}", "llamactl models ls")
    return name


def _show_default() -> None:
    """The daemon's, else what the next one would have."""
    try:
        with session.client(timeout=30) as client:
            name = client.call(ListTemplates()).default_model
    except LlamactlError:
        if session.url:
            raise
        from llamactl.config.load import survey

        name = survey(Path(session.config) if session.config else None).config.models.default
    if render.for_program("default-model", {"default_model": name or None}, name):
        return
    if name:
        render.text(name)
    else:
        render.note("requests must name a model; to change that: llamactl templates default NAME")


def _rows(found: TemplateList) -> list[Row]:
    """Files first, then what is built in, then what only models have."""
    used: dict[str, list[str]] = {}
    for use in found.uses:
        used.setdefault(use.template, []).append(use.model)
    directory = Path(found.directory)
    rows = [Row(name, "file", str(directory / name), used.pop(str(directory / name), [])) for name in found.files]
    rows += [Row(name, "built-in", None, used.pop(name, [])) for name in found.built_in]
    for template, names in used.items():
        path = template if template.startswith("/") else None
        rows.append(Row(path or _shortened(template), "file" if path else "text", path, names))
    return rows


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"{line[:39]}…"
