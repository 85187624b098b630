"""The command tree as plain values.

Structure and names come from the commands that typer makes, everything else from the signatures they are
made from: what lies between differs from one version of typer to the next.
"""

import inspect
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
import typer.main

from llamactl.cli import quick
from llamactl.cli.app import commands


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """`names` are all spellings, `off` those that say the opposite; `value` is empty for a switch."""

    names: tuple[str, ...]
    off: tuple[str, ...] = ()
    value: str = ""
    choices: tuple[str, ...] = ()
    help: str = ""
    default: str = ""
    required: bool = False


class Argument(msgspec.Struct, frozen=True, kw_only=True):
    value: str
    choices: tuple[str, ...] = ()
    help: str = ""
    required: bool = True
    many: bool = False


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """`words` lead to it, without `llamactl`; `aliases` are other last words. A group has `commands`."""

    words: tuple[str, ...]
    help: str
    aliases: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    arguments: tuple[Argument, ...] = ()
    commands: tuple["Command", ...] = ()

    def all(self) -> Iterator["Command"]:
        yield self
        for command in self.commands:
            yield from command.all()

    def leaves(self) -> Iterator["Command"]:
        return (command for command in self.all() if not command.commands)

    @property
    def spellings(self) -> list[tuple[str, ...]]:
        """`words`, and the same with each alias."""
        return [self.words, *((*self.words[:-1], alias) for alias in self.aliases)]

    @property
    def usage(self) -> str:
        """As one would type it, without options: `llamactl models add FILE`."""
        arguments = [
            (argument.value if argument.required else f"[{argument.value}]") + ("…" if argument.many else "")
            for argument in self.arguments
        ]
        return " ".join(["llamactl", *self.words, *arguments])


def read_tree() -> Command:
    return _command(typer.main.get_command(commands()), (), ())


def help_text() -> str:
    """What `llamactl --help` says."""
    made = typer.main.get_command(commands())
    # A margin of two columns is left, except where the width is said.
    context = typer.Context(made, info_name="llamactl", terminal_width=quick.WIDTH - 2, **made.context_settings)
    return context.get_help() + "\n"


def _command(made: Any, words: tuple[str, ...], aliases: tuple[str, ...]) -> Command:
    signature = inspect.signature(made.callback).parameters if made.callback else {}
    parameters = [(made_one, signature[made_one.name]) for made_one in made.params if not made_one.hidden]
    below: dict[str, Any] = getattr(made, "commands", {})
    return Command(
        words=words,
        help=made.help,
        aliases=aliases,
        options=tuple(_option(*each) for each in parameters if each[0].param_type_name == "option"),
        arguments=tuple(_argument(*each) for each in parameters if each[0].param_type_name == "argument"),
        commands=tuple(
            _command(command, (*words, name), tuple(other for other in below if _is_alias(below[other], command)))
            for name, command in below.items()
            if not command.hidden
        ),
    )


def _is_alias(other: Any, command: Any) -> bool:
    return bool(other.hidden and inspect.unwrap(other.callback) is inspect.unwrap(command.callback))


def _option(made: Any, parameter: inspect.Parameter) -> Option:
    kind, info = _annotation(parameter)
    switch = kind is bool
    choices = _choices(kind)
    default = parameter.default
    return Option(
        names=tuple(made.opts),
        off=tuple(made.secondary_opts),
        value="" if switch else info.metavar or "|".join(choices) or _called(kind, made.name),
        choices=choices,
        help=info.help or "",
        default=""
        if switch or default in (None, "", parameter.empty)
        else f"{default:g}"
        if kind is float
        else str(default),
        required=default is parameter.empty,
    )


def _argument(made: Any, parameter: inspect.Parameter) -> Argument:
    kind, info = _annotation(parameter)
    return Argument(
        value=re.sub(r"^\[(.*)\]$", r"\1", (info.metavar or _called(kind, made.name)).rstrip("…")),
        choices=_choices(kind),
        help=info.help or "",
        required=parameter.default is parameter.empty,
        many=made.nargs == -1,
    )


def _annotation(parameter: inspect.Parameter) -> tuple[Any, Any]:
    """The type, without `| None` and `list`, and typer's description."""
    assert get_origin(parameter.annotation) is Annotated
    kind, info = get_args(parameter.annotation)
    rest = [member for member in get_args(kind) if member is not NoneType]
    if NoneType in get_args(kind) and len(rest) == 1:
        kind = rest[0]
    return (get_args(kind)[0] if get_origin(kind) is list else kind), info


def _choices(kind: Any) -> tuple[str, ...]:
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(kind) if isinstance(kind, type) and issubclass(kind, StrEnum) else ()


def _called(kind: Any, name: str) -> str:
    return "N" if kind in (int, float) else "FILE" if kind is Path else name.upper().replace("_", "-")
