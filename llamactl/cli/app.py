"""The command tree and its edge: flags in, exit code out."""

import os
import re
import shutil
import sys
from importlib import import_module
from itertools import chain
from typing import Annotated, Any, Literal

import typer

from llamactl import __version__
from llamactl.cli import render
from llamactl.cli.session import Output, session
from llamactl.core.errors import BadRequest, LlamactlError

_COMMANDS = {
    "quickstart": "quickstart:quickstart",
    "chat": "chat:chat",
    "status": "status:status",
    "top": "status:top",
    "ps": "instances:ps",
    "start": "instances:start",
    "load": "instances:start",
    "stop": "instances:stop",
    "unload": "instances:stop",
    "restart": "instances:restart",
    "pin": "instances:pin",
    "unpin": "instances:unpin",
    "wait": "instances:wait",
    "why": "why:why",
    "logs": "logs:logs",
    "events": "events:events",
    "fit": "fit:fit",
    "devices": "fit:devices",
    "completion": "completion:completion",
    "doctor": "doctor:doctor",
    "api": "api:api",
    "version": "daemon:version",
    "models": "models:app",
    "presets": "presets:app",
    "templates": "templates:app",
    "requests": "requests:app",
    "keys": "keys:app",
    "rpc": "rpc:app",
    "config": "config:app",
    "daemon": "daemon:app",
    "metrics": "metrics:app",
    "db": "db:app",
}
"""The module of each, and the function, or the group, in it."""

_ALIASES = {"load", "unload"}

LEAST_WIDTH = 52
"""Columns: typer takes any terminal to have as many, and what it has to say would be folded twice."""

_VALUED = {"-H", "--host", "-o", "--output", "--color", "--config"}
_PLAIN = {"--json", "-q", "--quiet", "-v", "--verbose", "-y", "--yes", "--no-input"}


_OWN = {"a": False, "f": False, "h": False, "n": True}
"""Short options of commands, which may stand in one word with global ones: do they take a value?"""


def _hoist(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Global flags may stand before or after the verb, as far as `--`: those, and the rest."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    while (word := next(words, None)) is not None:
        if word == "--":
            return front, [*rest, word, *words]
        name, equals, _ = word.partition("=")
        if word in _PLAIN or (equals and name in _VALUED) or (word[:2] in _VALUED and len(word) > 2):
            front.append(word)
        elif word in _VALUED:
            value = next(words, None)
            if value is None:
                return [word], []  # so that it is this flag that lacks something
            front += [word, value]
        elif cluster := _cluster(word):
            flags, own = cluster
            words = chain(flags, words)
            rest += own
        else:
            rest.append(word)
    return front, rest


def _cluster(word: str) -> tuple[list[str], list[str]] | None:
    """The global flags in a word like `-aqo`, each of its own, and what is left of it; None for any other word."""
    if len(word) < 3 or word[0] != "-":
        return None
    flags, own = [], ""
    for at, letter in enumerate(word[1:], 1):
        flag = f"-{letter}"
        if flag in _PLAIN:
            flags.append(flag)
        elif flag in _VALUED:
            flags.append(f"-{word[at:]}")
            break
        elif letter not in _OWN:
            return None
        elif _OWN[letter]:
            own += word[at:]
            break
        else:
            own += letter
    return flags, [f"-{own}"] if own else []


def commands(word: str = "") -> typer.Typer:
    """The tree of them; where `word` is one, of that alone: the others take time, and cannot be meant."""
    app = typer.Typer(
        name="llamactl",
        help="systemctl for local language models.",
        no_args_is_help=False,
        add_completion=False,
        rich_markup_mode=None,  # with rich, --help takes twice as long: markdown, syntax highlighting and all
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(root)
    for name in [word] if word in _COMMANDS else _COMMANDS:
        module, _, inside = _COMMANDS[name].partition(":")
        made = getattr(import_module(f"llamactl.cli.{module}"), inside)
        if isinstance(made, typer.Typer):
            app.add_typer(made, name=name)
        else:
            app.command(name, hidden=name in _ALIASES)(made)
    return app


def _undecoded(word: str) -> bool:
    return any("\udc80" <= letter <= "\udcff" for letter in word)


def run(arguments: list[str]) -> int:
    """The exit code: see `core.errors`; 130 when interrupted."""
    front, rest = _hoist(arguments)
    app = commands(rest[0] if rest else "")
    narrow = {"terminal_width": width - 2} if (width := shutil.get_terminal_size().columns) < LEAST_WIDTH else {}
    try:
        if unknown := next(filter(_undecoded, arguments), None):
            _output(front)
            raise BadRequest(f"not in the encoding of this locale: {unknown!a}", "export LC_ALL=C.UTF-8")
        code = app([*front, *rest], prog_name="llamactl", standalone_mode=False, **narrow)
        return code if isinstance(code, int) else 0
    except LlamactlError as error:
        render.failure(error)
        return error.exit
    except typer.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        if sys.stderr.isatty():
            print(file=sys.stderr)  # after the ^C
        return 130
    except OSError as error:
        if error.filename is None:  # about our output: nothing more may be flushed into it at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever read it has had enough
            return 0
        failed = LlamactlError(f"{error.filename or 'cannot write'}: {error.strerror}")
        render.failure(failed)
        return failed.exit
    except Exception as error:  # those of the command line have classes that typer keeps to itself
        if not hasattr(error, "format_message"):
            raise
        _output(front)
        return _misused(error)


def _output(flags: list[str]) -> None:
    """What the flags say of it, where nothing has looked at them yet."""
    if re.search(r"(^| )(--json|(-o|--output)[ =]?jsonl?)( |$)", " ".join(flags)):
        session.output = "json"


def _misused(error: Any) -> int:
    """click says what is wrong with the command line."""
    if session.json:
        path = error.ctx.command_path if error.ctx else "llamactl"
        render.failure(BadRequest(error.format_message(), f"{path} --help"))
    else:
        error.show()
    return BadRequest.exit


def root(
    context: typer.Context,
    host: Annotated[str, typer.Option("-H", "--host", help="The daemon: unix:///path or http(s)://host:port.")] = "",
    output: Annotated[Output, typer.Option("-o", "--output", help="How to show what is found.")] = "table",
    json: Annotated[bool, typer.Option("--json", help="The same as -o json.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No messages, only data and errors.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say more.")] = False,
    color: Annotated[Literal["auto", "always", "never"], typer.Option(help="Colours on the terminal.")] = "auto",
    config: Annotated[
        str, typer.Option(metavar="FILE", help="Another configuration file.", envvar="LLAMACTL_CONFIG")
    ] = "",
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Ask nothing: the answer is yes.")] = False,
    no_input: Annotated[
        bool, typer.Option("--no-input", help="Ask nothing: refuse what would have to be asked.")
    ] = False,
    show_version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """systemctl for local language models."""
    session.host, session.output, session.quiet, session.verbose = host, "json" if json else output, quiet, verbose
    session.color, session.config, session.yes, session.no_input = color, config, yes, no_input
    if show_version:
        render.text(f"llamactl {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        from llamactl.cli import summary

        summary.show()
