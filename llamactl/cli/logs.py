"""`llamactl logs`: what the daemon and its llama-servers wrote. Reads the files, so it works without the daemon."""

import fnmatch
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from heapq import merge
from pathlib import Path
from shlex import quote
from typing import Annotated
from urllib.parse import unquote

import msgspec
import typer

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.cli.times import moment
from llamactl.config.directories import Directories, find_directories
from llamactl.core.errors import BadRequest, NotFound, Unreachable
from llamactl.core.lines import Level, Line
from llamactl.core.units import show_time
from llamactl.logs import daily, reading, runs
from llamactl.logs.reading import Block, Wanted
from llamactl.logs.tail import DayTail, RunTail, whole
from llamactl.rpc.calls import Status

GLANCE = 0.2
"""Seconds between two looks at what is followed."""
LINES = 50
"""Shown where neither their number nor a time is given."""
DAEMON = ""
"""Among names of models: llamactl itself."""

_NAMES = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)
_LEVELS = {"error": 31, "warn": 33, "debug": 2}


def logs(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]…", help="Models, also by globs; none: the daemon itself.")
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what is written from now on.")] = False,
    lines: Annotated[
        int | None,
        typer.Option("-n", "--lines", min=0, help=f"How many of the last lines. [default: {LINES}; all with --since]"),
    ] = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="From then on: 15m, 10:30, yesterday, a date.")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Until then.")] = "",
    level: Annotated[Level, typer.Option(help="Only lines at least that grave.")] = "debug",
    grep: Annotated[str, typer.Option(metavar="REGEX", help="Only lines in which this is found.")] = "",
    previous: Annotated[bool, typer.Option("--previous", help="The run before the last one.")] = False,
) -> None:
    """Show what the daemon, or models' llama-servers, wrote."""
    if previous and (follow or not names):
        raise BadRequest("--previous shows an earlier run of a model, which has ended", "llamactl logs --previous NAME")
    now = datetime.now().astimezone()
    wanted = Wanted(
        level=level,
        since=moment(since, now) if since else float("-inf"),
        until=moment(until, now) if until else float("inf"),
        grep=_pattern(grep),
    )
    number = LINES if lines is None and not (since or until) else lines
    if session.url:
        from llamactl.cli import remote_logs  # with all that HTTP takes

        chosen = remote_logs.chosen(names or [])
        found = remote_logs.lines(chosen, number, wanted, follow=follow, previous=previous)
    else:
        directories = _directories()
        chosen = _chosen(directories, names or [])
        found = _lines([_Source(directories, name, previous, follow) for name in chosen], number, wanted, follow)
    say = _sayer(chosen or [DAEMON])
    shown = False
    for line in found:
        say(line)
        shown = True
    if not shown and (grep or since or until or level != "debug"):
        render.note("no line is like that")


def _lines(sources: Sequence["_Source"], number: int | None, wanted: Wanted, follow: bool) -> Iterator[Line]:
    every_run = (wanted.since, wanted.until) != (float("-inf"), float("inf"))
    yield from _past([source.past(every_run=every_run) for source in sources], number, wanted)
    while follow:
        news = [line for source in sources for line in source.news() if wanted.takes(line)]
        yield from news
        if not news:
            time.sleep(GLANCE)


class _Source:
    """A model, or the daemon. If it is followed, its past ends with the last whole line, after which its news begin."""

    def __init__(self, directories: Directories, name: str, previous: bool, follow: bool) -> None:
        """Raises `NotFound` when it has written nothing."""
        self.name = name
        self._log = directories.log
        if name == DAEMON:
            self._files = daily.files(self._log, daily.APPLICATION)
            if not self._files:
                raise NotFound(f"no log of the daemon in {self._log}", "llamactl daemon status")
            self._end = whole(self._files[-1]) if follow else None
            self._days = DayTail(self._log, self._files[-1], self._end) if self._end is not None else None
            return
        self._files = runs.runs(directories.runs(name))
        if len(self._files) < (2 if previous else 1):
            which = "an earlier run" if previous and self._files else "a run"
            raise NotFound(f"no log of {which} of {name!r}", "llamactl ps -a")
        self._end = whole(self._files[-1]) if follow else None
        self._tail = RunTail(directories.runs(name), self._files[-1], self._end or 0)
        self._previous = previous

    def past(self, *, every_run: bool) -> list[Block]:
        if self.name == DAEMON:
            return reading.of_daemon(self.name, self._log, self._end)
        if self._previous:
            return reading.of_runs(self.name, self._files[-2:-1])
        return reading.of_runs(self.name, self._files if every_run else self._files[-1:], self._end)

    def news(self) -> Iterator[Line]:
        if self.name == DAEMON:
            assert self._days is not None
            yield from self._days.lines(self.name)
        else:
            for run, lines in self._tail.chunks():
                yield from reading.of_lines(self.name, run, lines)


def _past(sources: Sequence[list[Block]], number: int | None, wanted: Wanted) -> Iterable[Line]:
    """Of all sources together, in the order of their time."""
    if number is None:
        return merge(*(reading.forward(blocks, wanted) for blocks in sources), key=lambda line: line.time)
    found = merge(*(reading.last(blocks, number, wanted) for blocks in sources), key=lambda line: line.time)
    return deque(found, maxlen=number)


def _directories() -> Directories:
    """Of the daemon that would be asked, else of this user's."""
    directories = find_directories()
    with suppress(Unreachable), session.client() as client:
        return msgspec.structs.replace(directories, log=Path(client.call(Status()).log))
    return directories


def _chosen(directories: Directories, names: Sequence[str]) -> list[str]:
    """Globs stand for all models that ever wrote something."""
    if not names:
        return [DAEMON]
    chosen: dict[str, None] = {}
    for name in names:
        found = [name]
        if set(name) & set("*?["):
            known = sorted(unquote(path.name) for path in (directories.log / "models").glob("*/"))
            found = fnmatch.filter(known, name)
            if not found:
                raise NotFound(f"no model with a log matches {name!r}", "llamactl ps -a")
        elif not directories.runs(name).is_dir():
            with suppress(Unreachable):  # then nobody knows of other names
                found = [session.resolved(name)]
        chosen.update(dict.fromkeys(found))
    return list(chosen)


def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise BadRequest(f"--grep: {error}", f"llamactl logs --grep {quote(re.escape(text))}") from None


def _sayer(sources: Sequence[str]) -> Callable[[Line], None]:
    """How a line is shown: those of several models with their names before them."""
    colour = render.coloured()
    width = max(map(len, sources))
    names = {
        source: render.painted(f"{source:{width}} | ", _NAMES[number % len(_NAMES)] if colour else 0)
        for number, source in enumerate(sources)
    }

    def say(line: Line) -> None:
        if session.json:
            at = show_time(line.time)
            shown = {"model": line.source or None, "time": at, "level": line.level, "line": line.text}
            render.data("log", shown)
            return
        text = line.text
        if line.source == DAEMON:
            local = datetime.fromtimestamp(line.time)
            text = f"{local:%Y-%m-%d %H:%M:%S},{local.microsecond // 1000:03} {line.level:5} {text}"
        text = render.painted(text, _LEVELS.get(line.level, 0) if colour else 0)
        render.text(names[line.source] + text if len(sources) > 1 else text)

    return say
