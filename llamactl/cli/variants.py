"""`llamactl models variants …`: what is done to requests for a model."""

import json
from typing import Annotated, Any

import msgspec
import typer

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.core.errors import BadRequest
from llamactl.rpc.calls import ListModels, ModelRow, ShapeModel, ShowModel

app = typer.Typer(help="What is done to requests for a model: parameters forced or taken away.")

Target = Annotated[str, typer.Argument(metavar="NAME[:VARIANT]", help="Without a variant: all that ask for none.")]
Parameters = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]…", help="Values are JSON, or else texts.")]


class Row(msgspec.Struct, frozen=True):
    name: str
    model: str
    set: dict[str, Any]
    strip: tuple[str, ...]


@app.command()
def ls(names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="Else all models.")] = None) -> None:
    """List what is done to requests, by model and variant."""
    chosen = session.models(names) if names else None
    rows: list[Row] = []
    with session.client() as client:
        for model in chosen or [row.name for row in client.call(ListModels())]:
            for variant, shape in sorted(client.call(ShowModel(model)).shapes.items()):
                name = f"{model}:{variant}" if variant else model
                rows.append(Row(name, model, shape.set, shape.strip))
    render.rows(
        ("variants", "variant"),
        rows,
        {
            "NAME": [row.name for row in rows],
            "SET": [" ".join(f"{key}={_text(value)}" for key, value in row.set.items()) for row in rows],
            "STRIP": [" ".join(row.strip) for row in rows],
        },
        wide=set(),
        empty="There are none: llamactl models variants set NAME:fast temperature=0.2",
    )


app.command("list", hidden=True)(ls)


@app.command("set")
def set_(
    target: Target,
    parameters: Parameters = None,
    strip: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Take it away; may be repeated.")] = None,
) -> None:
    """Give requests these parameters, whatever they say themselves; a variant that is not there is made."""
    values: dict[str, Any] = {}
    for word in parameters or []:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise BadRequest(f"not KEY=VALUE: {word!r}", f"llamactl models variants set {target} temperature=0.2")
        values[key] = _value(value)
    _change(ShapeModel(target, set=values, strip=tuple(strip or ())), f"{target} is changed")


@app.command()
def unset(target: Target, keys: Annotated[list[str], typer.Argument(metavar="KEY…")]) -> None:
    """Leave parameters to the requests again."""
    _change(ShapeModel(target, unset=tuple(keys)), f"{target} is changed")


@app.command()
def rm(target: Target) -> None:
    """Take a variant away, or what is done to all other requests for a model."""
    _change(ShapeModel(target, remove=True), f"{target} has no shape of its own any more")


app.command("remove", hidden=True)(rm)


def _change(call: ShapeModel, message: str) -> None:
    with session.client() as client:
        row: ModelRow = client.call(call)
    if not render.for_program("model-row", row, row.name):
        render.note(message)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
