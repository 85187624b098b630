"""How everything is: `status`, and `top`, which goes on showing it."""

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from llamactl.cli import metrics, render, requests
from llamactl.cli.session import session
from llamactl.core.errors import NotRunning, Refused
from llamactl.core.units import show_time


def top(
    svg: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw it once, into this file, as large as COLUMNS and LINES say."),
    ] = None,
) -> None:
    """Show machine, GPUs, models, requests and logs live; keys start and stop models, sort, filter, pause."""
    if svg is not None:
        _draw(svg)
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "dumb") == "dumb" or session.machine:
        raise Refused("top needs a terminal", "llamactl status")
    from llamactl.cli.top.live import run  # with rich.live, threads and all

    run()


def _draw(file: Path) -> None:
    from io import StringIO

    from rich.console import Console
    from rich.text import Text

    from llamactl.cli.top.drawing import screen
    from llamactl.cli.top.looking import Looking
    from llamactl.cli.top.pictures import FINE
    from llamactl.cli.top.present import with_past

    with session.client() as client:
        view = with_past(client)
    width, height = shutil.get_terminal_size((120, 32))
    console = Console(record=True, file=StringIO(), force_terminal=True, color_system="standard", width=width)
    console.print(Text("\n").join(screen(view, Looking(), width, height, FINE)))
    try:
        file.write_text(console.export_svg(title="llamactl top"), encoding="utf-8")
    except OSError as error:
        raise Refused(f"cannot write {file}: {error.strerror}", f"ls -ld {file.parent}") from None


def status() -> None:
    """Show machine, GPUs, running models and requests under way, once. Exit 3 when a part of the daemon is not up."""
    from llamactl.cli.top.present import present

    with session.client() as client:
        view = present(client)
    if session.json:
        at = view.sample and show_time(view.sample.at / 1000)
        render.data(
            "status",
            {
                "healthy": view.healthy,
                "daemon": view.status,
                "at": at,
                "machine": view.sample and metrics.as_data(view.sample),
                "alerts": list(view.alerts.values()),
                "models": view.models,
                "requests": [requests.as_data(each) for each in view.requests],
            },
        )
    else:
        from llamactl.cli.top.drawing import report
        from llamactl.cli.top.pictures import FINE, PLAIN

        glyphs = FINE if session.fine(sys.stdout) else PLAIN
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 120
        console = render.console()
        for row in report(view, width, glyphs):
            console.print(row, soft_wrap=True)
    if not view.healthy:
        raise typer.Exit(NotRunning.exit)
