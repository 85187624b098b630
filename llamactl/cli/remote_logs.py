"""What `llamactl logs` shows of a daemon on another machine: its files are there, so it is asked for the lines."""

from collections import Counter
from collections.abc import Iterator, Sequence

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.core.events import LogLines, Numbered
from llamactl.core.lines import SOURCE, Line
from llamactl.logs.reading import Wanted
from llamactl.rpc.calls import ListModels, Lost, Notice, ReadLogs
from llamactl.rpc.calls.logs import MOST_LINES

MOST_TOLD = 1000
"""Lines that may have been written between the two questions: what is told of them both times is shown once."""


def chosen(names: Sequence[str]) -> list[str]:
    """The names of these models, which may be aliases or globs."""
    if not names:
        return []
    with session.client() as client:
        rows = client.call(ListModels())
    aliases = {alias: row.name for row in rows for alias in row.aliases}
    return [aliases.get(name, name) for name in session.models(list(names))]


def lines(names: Sequence[str], number: int | None, wanted: Wanted, *, follow: bool, previous: bool) -> Iterator[Line]:
    """The last `number` (None: as many as may be asked for), and those that come if it is to `follow`.

    No names: the daemon's own, which are of the source "".
    """
    if not follow:
        yield from _past(names, number, wanted, previous)
        return
    with session.client(None) as client:
        _, notices = client.watch(types=("logs",))  # first, so that nothing is missed in between
        past = list(_past(names, None if number is None else max(number, MOST_TOLD), wanted))
        yield from past if number is None else past[len(past) - min(number, len(past)) :]
        yield from filter(wanted.takes, _news(notices, {*(names or [SOURCE])}, past))


def _past(names: Sequence[str], number: int | None, wanted: Wanted, previous: bool = False) -> Iterator[Line]:
    # The expression is not for the daemon: one that takes for ever would stop everything there.
    limit = MOST_LINES if number is None or wanted.grep else min(number, MOST_LINES)
    call = ReadLogs(
        models=tuple(names),
        level=wanted.level,
        since=None if wanted.since == float("-inf") else wanted.since,
        until=None if wanted.until == float("inf") else wanted.until,
        limit=limit,
        previous=previous,
    )
    with session.client() as client:
        rows = client.call(call)
    if len(rows) == MOST_LINES:
        render.note(f"only the last {MOST_LINES} lines can be asked for over HTTP")
    found = [Line(row.model or "", row.time, row.level, row.line) for row in rows]
    found = [line for line in found if wanted.takes(line)]
    yield from found if number is None else found[len(found) - min(number, len(found)) :]


def _news(notices: Iterator[Notice], sources: set[str], past: Sequence[Line]) -> Iterator[Line]:
    told = Counter((line.source, line.text) for line in past)
    newest = {line.source: line.time for line in past}
    for notice in notices:
        if isinstance(notice, Lost):
            render.note(f"{render.count(notice.lost, 'event')} not shown: they came too fast")
            continue
        if not isinstance(notice, Numbered) or not isinstance(notice.event, LogLines):
            continue
        event = notice.event
        if event.source not in sources:
            continue
        if event.lost:
            render.note(f"{event.source}: {render.count(event.lost, 'line')} not shown: they came too fast")
        source = "" if event.source == SOURCE else event.source
        for text in event.lines:
            if told[source, text] and event.time <= newest[source]:
                told[source, text] -= 1
            else:
                yield Line(source, event.time, event.level, text)
