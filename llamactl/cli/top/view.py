"""What is known of a daemon, and what becomes of it when something happens (pure)."""

from collections import deque
from collections.abc import Iterable

import msgspec

from llamactl.core.events import (
    AlertCleared,
    AlertRaised,
    InstanceChanged,
    LogLines,
    Numbered,
    Placement,
    RequestsFinished,
    SamplesTaken,
    ServiceChanged,
)
from llamactl.core.instance import Backoff, Failed, pid_of, state
from llamactl.core.lines import Line
from llamactl.core.requests import ModelRequest
from llamactl.core.sample import Sample, beside, summary
from llamactl.rpc.calls import DaemonStatus, InstanceRow, Lost, Notice

TYPES = ("instance", "placement", "service", "alert", "cleared", "requests", "samples", "logs")
"""Of events that change what is shown."""

KEPT, LINES = 600.0, 500
"""Seconds of the past, and lines of logs."""

Key = tuple[str, str, str]
"""Of a series: kind, name and metric, as in `metrics.history`."""
Point = tuple[float, float]
"""Seconds since the epoch, and a value."""

CPU: Key = ("host", "", "cpu_usage")
MEMORY: Key = ("host", "", "memory_usage")
RATE: Key = ("host", "", "tokens_per_second")


class View(msgspec.Struct, kw_only=True):
    """`models` are all of the catalogue, `requests` those under way, `alerts` those that are raised, `decided` the last
    event about a model's place."""

    status: DaemonStatus
    models: list[InstanceRow]
    requests: list[ModelRequest] = []
    sample: Sample | None = None
    alerts: dict[str, AlertRaised] = {}
    decided: Numbered | None = None
    past: dict[Key, deque[Point]] = {}
    lines: deque[Line] = msgspec.field(default_factory=lambda: deque(maxlen=LINES))

    @property
    def healthy(self) -> bool:
        return all(service.state == "up" for service in self.status.services)

    def copy(self) -> "View":
        """One that stays as it is while this goes on."""
        return msgspec.structs.replace(
            self,
            alerts={**self.alerts},
            past={key: deque(points) for key, points in self.past.items()},
            lines=deque(self.lines, LINES),
        )

    def series(self, key: Key) -> Iterable[Point]:
        return self.past.get(key, ())


class Fresh(msgspec.Struct, frozen=True):
    """What has to be asked for: ages, queues, requests under way."""

    status: DaemonStatus
    models: list[InstanceRow]
    requests: list[ModelRequest]


def refresh(view: View, fresh: Fresh) -> None:
    view.status, view.models, view.requests = fresh.status, fresh.models, fresh.requests


def fold(view: View, notice: Notice) -> None:
    """What happened becomes part of what is known."""
    if isinstance(notice, Lost):
        return  # what counts of it is asked for again
    match notice.event:
        case SamplesTaken(sample):
            measured(view, sample)
        case InstanceChanged() as change:
            view.models = [_moved(row, change) if row.name == change.model else row for row in view.models]
        case Placement():
            view.decided = notice
        case RequestsFinished(requests):
            ended = {request.id for request in requests}
            view.requests = [request for request in view.requests if request.id not in ended]
        case LogLines() as told:
            view.lines.extend(Line(told.source, told.time, told.level, text) for text in told.lines)
        case AlertRaised() as alert:
            view.alerts[alert.series] = alert
        case AlertCleared() as cleared:
            view.alerts.pop(cleared.series, None)
        case ServiceChanged(name, state, reason):
            services = [
                msgspec.structs.replace(row, state=state, reason=reason) if row.name == name else row
                for row in view.status.services
            ]
            view.status = msgspec.structs.replace(view.status, services=services)
        case _:
            pass


def measured(view: View, sample: Sample) -> None:
    view.sample = sample
    at = sample.at / 1000
    values = {("host", "", name): value for name, value in msgspec.structs.asdict(summary(sample)).items()}
    for (kind, name), found in beside(sample).items():
        values |= {(kind, name, metric): value for metric, value in found.items()}
    for key, value in values.items():
        points = view.past.setdefault(key, deque())
        if value is not None and (not points or points[-1][0] < at):
            points.append((at, value))
    for points in view.past.values():
        while points and points[0][0] < at - KEPT:
            points.popleft()


def _moved(row: InstanceRow, change: InstanceChanged) -> InstanceRow:
    """Until it is asked for again."""
    phase = change.phase
    problem = phase.problem if isinstance(phase, Backoff | Failed) else None
    return msgspec.structs.replace(
        row, state=state(phase), pid=pid_of(phase), age=0.0, ttl=None, eta=None, sleeping=False, problem=problem
    )
