"""How everything is: `status`, and `top`, which goes on showing it."""

import os
import shutil
import sys

import typer

from llamactl.cli import metrics, render, requests
from llamactl.cli.session import session
from llamactl.core.errors import NotRunning, Refused
from llamactl.core.units import show_time


def top() -> None:
    """Show machine, GPUs, models, requests and logs live; keys start and stop models, sort, filter, pause."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "dumb") == "dumb" or session.machine:
        raise Refused("top needs a terminal", "llamactl status")
    from llamactl.cli.top.live import run  # with rich.live, threads and all

    run()


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
