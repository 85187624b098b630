"""What is asked of a daemon to know how everything is."""

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from llamactl.cli.top.view import KEPT, LINES, Fresh, View, fold, measured
from llamactl.core.errors import NotRunning
from llamactl.core.lines import Line
from llamactl.rpc.calls import (
    ListEvents,
    ListInstances,
    ListRequests,
    ReadLogs,
    ShowHistory,
    ShowMetrics,
    Status,
)

if TYPE_CHECKING:
    from llamactl.rpc.client import Client
    from llamactl.rpc.remote import Remote

METRICS = ("cpu_usage", "memory_usage", "tokens_per_second", "usage")
ALERTS = 1000
"""Events that are looked through for alerts which still stand."""
TAIL = 50
"""Lines that are shown of what was written before."""


def fresh(client: "Client | Remote") -> Fresh:
    return Fresh(client.call(Status()), client.call(ListInstances(all=True)), client.call(ListRequests(limit=0)))


def present(client: "Client | Remote") -> View:
    """Without the past."""
    now = fresh(client)
    view = View(status=now.status, models=now.models, requests=now.requests)
    placed = client.call(ListEvents(types=("placement",), limit=1))
    view.decided = placed[0] if placed else None
    with suppress(NotRunning):  # nothing was measured yet, and so there are no alerts
        sample = client.call(ShowMetrics())
        measured(view, sample)
        born = sample.at / 1000 - sample.uptime - 1  # alerts of an earlier daemon stand no more
        for told in client.call(ListEvents(types=("alert", "cleared"), limit=ALERTS)):
            if told.at >= born:
                fold(view, told)
    return view


def with_past(client: "Client | Remote") -> View:
    """With what is drawn of the last minutes, and with the last lines of what runs and of the daemon."""
    view = present(client)
    history = client.call(ShowHistory(KEPT, metrics=METRICS))
    for series in history.series:
        for metric in METRICS:
            points = [(point.at, point.values[metric].mean) for point in series.points if metric in point.values]
            if points:
                view.past[series.kind, series.name, metric] = deque(points)
    running = tuple(row.name for row in view.models if row.pid is not None)
    rows = client.call(ReadLogs(limit=TAIL)) + (client.call(ReadLogs(models=running, limit=TAIL)) if running else [])
    lines = sorted((Line(row.model or "llamactl", row.time, row.level, row.line) for row in rows), key=_time)
    view.lines = deque(lines, LINES)
    return view


def _time(line: Line) -> float:
    return line.time
