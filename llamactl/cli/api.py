"""`llamactl api`: any call of the contract, for scripts and for who looks what there is."""

import difflib
import inspect
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.config.given import read_text
from llamactl.core.errors import BadRequest, NotFound
from llamactl.core.units import parse_duration
from llamactl.rpc.calls import CALLS, Call, Watch
from llamactl.rpc.messages import LONGEST


class Method(msgspec.Struct, frozen=True):
    """A call by its name on the wire; of `params`, those in brackets may be left out."""

    name: str
    scope: str
    params: tuple[str, ...]
    answer: str
    help: str


def api(
    method: Annotated[str, typer.Argument(metavar="[METHOD]", help="What to ask, like models.show.")] = "",
    params: Annotated[
        str, typer.Argument(metavar="[JSON]", help="Its parameters as an object; - reads them, @FILE too.")
    ] = "{}",
    listed: Annotated[bool, typer.Option("--list", help="Show all methods.")] = False,
    describe: Annotated[bool, typer.Option("--describe", help="Show the JSON schema of a method.")] = False,
    timeout: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Wait no longer than this for the answer.")
    ] = None,
) -> None:
    """Ask the daemon anything, and show the answer as it is: JSON. What goes on is an object a line."""
    if listed:
        _show_all()
        return
    if not method:
        raise BadRequest("no method was named", "llamactl api --list")
    if describe:
        _write(described(_find(method)))
        return
    call = _call(_find(method), params)
    with session.client(None if timeout is None else parse_duration(timeout)) as client:
        if isinstance(call, Watch):
            snapshot, notices = client.watch(call.since, call.types)
            _write(snapshot, line=True)
            for notice in notices:
                _write(notice, line=True)
        else:
            _write(client.answer(call))


def _find(method: str) -> type[Call[Any]]:
    if kind := CALLS.get(method):
        return kind
    near = difflib.get_close_matches(method, CALLS, 3, 0.5)
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    raise NotFound(f"no method {method!r}", f"{meant}llamactl api --list")


def _call(kind: type[Call[Any]], given: str) -> Call[Any]:
    text = given
    if given == "-":
        text = read_text(Path("standard input"), LONGEST, sys.stdin.buffer)
    elif given.startswith("@"):
        text = read_text(Path(given[1:]).expanduser(), LONGEST)
    try:
        call: Call[Any] = msgspec.json.decode(text.strip() or "{}", type=kind)
        return call
    except (msgspec.DecodeError, RecursionError) as error:
        what = "" if isinstance(error, msgspec.ValidationError) else "the parameters are not JSON: "
        raise BadRequest(f"{kind.method}: {what}{error}", f"llamactl api {kind.method} --describe") from None


def described(kind: type[Call[Any]]) -> dict[str, Any]:
    """What it takes and answers, as JSON Schema."""
    (params, answer), definitions = msgspec.json.schema_components(
        [kind, kind.answer_type()], ref_template="#/$defs/{name}"
    )
    return {
        "schema": "llamactl.method-schema/v1",
        "method": kind.method,
        "scope": kind.scope,
        "params": params,
        "answer": answer,
        "$defs": definitions,
    }


def _show_all() -> None:
    methods = [_method(kind) for _, kind in sorted(CALLS.items())]
    render.rows(
        ("methods", "method"),
        methods,
        {
            "METHOD": [method.name for method in methods],
            "SCOPE": [method.scope for method in methods],
            "PARAMS": [" ".join(method.params) for method in methods],
            "ANSWER": [method.answer for method in methods],
            "WHAT": [method.help for method in methods],
        },
        wide={"ANSWER", "WHAT"},
    )


def _method(kind: type[Call[Any]]) -> Method:
    fields = msgspec.structs.fields(kind)
    params = tuple(field.name if field.required else f"[{field.name}]" for field in fields)
    answer = re.sub(r"[\w.]+\.", "", inspect.formatannotation(kind.answer_type())).replace("NoneType", "null")
    lines = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].splitlines()
    return Method(kind.method, kind.scope, params, answer, " ".join(lines))


def _write(value: object, line: bool = False) -> None:
    """For a person in several lines, for a program in one."""
    text = msgspec.json.encode(value)
    if sys.stdout.isatty() and not (line or session.machine):
        text = msgspec.json.format(text, indent=2)
    render.text(text.decode())
