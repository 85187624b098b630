"""`llamactl logs`: what llama-server wrote. Reads the files, so it works without the daemon."""

import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.config.directories import find_directories
from llamactl.core.errors import NotFound, Unreachable
from llamactl.rpc.calls import Status

GLANCE = 0.2
"""Seconds between two looks at a followed file, and at whether a newer run has begun."""


def logs(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model.")],
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what it writes from now on.")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of the last lines.")] = 50,
    previous: Annotated[bool, typer.Option("--previous", help="The run before the last one.")] = False,
) -> None:
    """Show what a model's llama-server wrote."""
    runs = _runs(_directory(name))
    if len(runs) < (2 if previous else 1):
        which = "an earlier run" if previous and runs else "a run"
        raise NotFound(f"no log of {which} of {name!r}", "llamactl ps -a")
    run = runs[-2 if previous else -1]
    with run.open(encoding="utf-8", errors="replace") as file:
        for line in deque(file, maxlen=lines):
            _say(name, line)
        at = file.tell()
    if follow:
        _follow(name, run, at)


def _directory(name: str) -> Path:
    """Of the daemon that would be asked, else of this user's."""
    directories = find_directories()
    with suppress(Unreachable), session.client() as client:
        directories = msgspec.structs.replace(directories, log=Path(client.call(Status()).log))
    return directories.runs(name)


def _runs(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.log"))


def _follow(name: str, run: Path, at: int) -> None:
    """For ever, across restarts."""
    while True:
        with run.open(encoding="utf-8", errors="replace") as file:
            file.seek(at)
            newest = run
            while newest == run:
                while line := file.readline():
                    _say(name, line)
                time.sleep(GLANCE)
                newest = _runs(run.parent)[-1]
            for line in file:  # what it wrote last
                _say(name, line)
        run, at = newest, 0


def _say(name: str, line: str) -> None:
    if session.output in ("json", "jsonl"):
        render.data("log", {"model": name, "line": line.rstrip("\n")})
    else:
        render.text(line.rstrip("\n"))
