"""The command tree and its edge: flags in, exit code out."""

import os
import re
import sys
from typing import Annotated, Any, Literal

import typer

from llamactl import __version__
from llamactl.cli import (
    api,
    chat,
    completion,
    config,
    daemon,
    db,
    doctor,
    events,
    fit,
    instances,
    keys,
    logs,
    metrics,
    models,
    presets,
    quickstart,
    render,
    requests,
    rpc,
    status,
    templates,
    why,
)
from llamactl.cli.session import Output, session
from llamactl.core.errors import BadRequest, LlamactlError, Unreachable
from llamactl.rpc.calls import ListInstances, Status

app = typer.Typer(
    name="llamactl",
    help="systemctl for local language models.",
    no_args_is_help=False,
    add_completion=False,
    rich_markup_mode=None,  # with rich, --help takes twice as long: markdown, syntax highlighting and all
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_VALUED = {"-H", "--host", "-o", "--output", "--color", "--config"}
_PLAIN = {"--json", "-q", "--quiet", "-v", "--verbose", "-y", "--yes"}


def _hoist(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Global flags may stand before or after the verb, as far as `--`: those, and the rest."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
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
        else:
            rest.append(word)
    return front, rest


def run(arguments: list[str]) -> int:
    """The exit code: see `core.errors`; 130 when interrupted."""
    front, rest = _hoist(arguments)
    try:
        code = app([*front, *rest], prog_name="llamactl", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except LlamactlError as error:
        render.failure(error)
        return error.exit
    except typer.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except OSError as error:
        if error.filename is None:  # about our output: nothing more may be flushed into it at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever read it has had enough
            return 0
        failed = LlamactlError(f"{error.filename or 'cannot write'}: {error.strerror}")
        render.failure(failed)
        return failed.exit
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return _misused(error, " ".join(front))


def _misused(error: Any, flags: str) -> int:
    """click says what is wrong with the command line: before or after it has looked at the global flags."""
    if re.search(r"(^| )(--json|(-o|--output)[ =]?jsonl?)( |$)", flags):
        session.output = "json"
        path = error.ctx.command_path if error.ctx else "llamactl"
        render.failure(BadRequest(error.format_message(), f"{path} --help"))
    else:
        error.show()
    return BadRequest.exit


@app.callback(invoke_without_command=True)
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
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Ask nothing.")] = False,
    show_version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """systemctl for local language models."""
    session.host, session.output, session.quiet, session.verbose = host, "json" if json else output, quiet, verbose
    session.color, session.config, session.yes = color, config, yes
    if show_version:
        render.text(f"llamactl {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        _short_status()


def _short_status() -> None:
    try:
        with session.client() as client:
            daemon_status = client.call(Status())
            running = client.call(ListInstances())
    except Unreachable:
        if session.machine:
            render.data("daemon", {"running": False})
            return
        render.text("No daemon is running.")
        render.text("  llamactl quickstart      engine, model, daemon, answer: all in one")
        render.text("  llamactl daemon start    only the daemon")
        render.text("  llamactl --help          all commands")
        return
    if not session.machine:
        catalogue = f"{render.count(daemon_status.models, 'model')} in the catalogue"
        render.text(f"llamactl {daemon_status.version} on {', '.join(daemon_status.http)}, {catalogue}")
    instances.show(running)


app.command()(quickstart.quickstart)
app.command()(chat.chat)
app.command()(status.status)
app.command()(status.top)
app.command()(instances.ps)
app.command()(instances.start)
app.command("load", hidden=True)(instances.start)
app.command()(instances.stop)
app.command("unload", hidden=True)(instances.stop)
app.command()(instances.restart)
app.command()(instances.pin)
app.command()(instances.unpin)
app.command()(instances.wait)
app.command()(why.why)
app.command()(logs.logs)
app.command()(events.events)
app.command()(fit.fit)
app.command()(fit.devices)
app.add_typer(models.app, name="models")
app.add_typer(presets.app, name="presets")
app.add_typer(templates.app, name="templates")
app.add_typer(requests.app, name="requests")
app.add_typer(keys.app, name="keys")
app.add_typer(rpc.app, name="rpc")
app.add_typer(config.app, name="config")
app.add_typer(daemon.app, name="daemon")
app.add_typer(metrics.app, name="metrics")
app.add_typer(db.app, name="db")
app.command()(completion.completion)
app.command()(doctor.doctor)
app.command()(api.api)
app.command()(daemon.version)
