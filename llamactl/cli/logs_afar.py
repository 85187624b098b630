"""Lines of logs that lie on another machine: asked of its daemon, not read from its files."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.core.events import LogLines
from llamactl.core.lines import Line
from llamactl.logs.reading import Wanted
from llamactl.rpc.calls import Lost, ReadLogs
from llamactl.rpc.calls.logs import MOST_LINES

if TYPE_CHECKING:
    from llamactl.rpc.client import Client
    from llamactl.rpc.remote import Remote

DAEMON, ITS_OWN = "", "llamactl"
"""The daemon itself, as its lines are asked for and as they are told."""


def afar(names: Sequence[str], number: int | None, wanted: Wanted, follow: bool) -> Iterator[Line]:
    """The last lines that are wanted, of these models or of the daemon, and what follows if that is asked for.

    What is wanted is looked for in the last `MOST_LINES`; the daemon takes no expressions from others.
    """
    with session.client(None) as client, session.client(60.0) as reader:
        # Subscribed before the past is read, or what is written in between would be missing.
        notices = client.watch(types=("logs",))[1] if follow else iter(())
        past = _past(reader, names, number, wanted)
        yield from past
        told = Counter((line.source, line.text) for line in past)  # what came in between comes twice
        newest = max((line.time for line in past), default=0.0)
        for notice in notices:
            if isinstance(notice, Lost):
                render.note(f"{render.count(notice.lost, 'line')} were too fast for this connection")
            elif isinstance(notice.event, LogLines):
                for line in _lines(notice.event):
                    if line.source not in names:
                        continue
                    if line.time <= newest and told[line.source, line.text] > 0:
                        told[line.source, line.text] -= 1
                    elif wanted.takes(line):
                        yield line


def _past(client: "Client | Remote", names: Sequence[str], number: int | None, wanted: Wanted) -> list[Line]:
    asked = MOST_LINES if number is None or wanted.grep is not None else min(number, MOST_LINES)
    rows = client.call(
        ReadLogs(
            models=() if DAEMON in names else tuple(names),
            level=wanted.level,
            since=None if wanted.since == float("-inf") else wanted.since,
            until=None if wanted.until == float("inf") else wanted.until,
            limit=asked,
        )
    )
    if len(rows) == MOST_LINES:
        render.note(f"only the last {MOST_LINES} lines are looked through from here")
    lines = [line for row in rows if wanted.takes(line := Line(row.model or DAEMON, row.time, row.level, row.line))]
    return lines if number is None else lines[len(lines) - min(number, len(lines)) :]


def _lines(told: LogLines) -> Iterator[Line]:
    source = DAEMON if told.source == ITS_OWN else told.source
    return (Line(source, told.time, told.level, text) for text in told.lines)
