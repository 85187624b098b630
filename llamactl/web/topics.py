"""Which events are told to those who subscribed to what, and as what. (pure)"""

from collections.abc import Iterable, Sequence
from typing import Any

from llamactl.core.access import matches
from llamactl.core.events import (
    CatalogueChanged,
    Event,
    InstanceChanged,
    InstanceDoubted,
    LogLines,
    Numbered,
    Placement,
    RequestsFinished,
    SamplesTaken,
)
from llamactl.core.instance import pid_of, state
from llamactl.core.lines import Level, at_least
from llamactl.rpc.calls import LogRow
from llamactl.web.envelope import Topic

TOPICS: dict[type[Event], Topic] = {
    SamplesTaken: "metrics",
    LogLines: "logs",
    RequestsFinished: "requests",
    InstanceChanged: "models",
    InstanceDoubted: "models",
    Placement: "models",
    CatalogueChanged: "models",
}
"""By the class of the event; all others are `status`. Whatever has a number is told to `events`, too."""


def topic_of(event: Event) -> Topic:
    return TOPICS.get(type(event), "status")


def model_of(event: Event) -> str | None:
    """The one that it is about, if it is one."""
    model: str | None = getattr(event, "model", None) or getattr(event, "source", None)
    return model


def data_of(numbered: Numbered) -> Any:
    """What those hear who subscribed to the topic of something that has a number."""
    event = numbered.event
    told: dict[str, object] = {"id": numbered.id, "change": event}
    if isinstance(event, InstanceChanged):
        row = {"name": event.model, "state": state(event.phase), "pid": pid_of(event.phase), "reason": event.reason}
        told = {"id": numbered.id, "whole": False, "models": [row], "change": event}
    elif topic_of(event) == "models":
        told = {"id": numbered.id, "whole": False, "models": [], "change": event}
    return told


def lines(events: Sequence[Any], globs: tuple[str, ...] | None, level: Level) -> list[Any]:
    """What of many `LogLines` is wanted."""
    wanted = at_least(level)
    return [event for event in events if event.level in wanted and matches(globs, event.source)]


def past(rows: Iterable[LogRow]) -> list[LogLines]:
    """Lines that were read, as they are told."""
    return [LogLines(row.model or "", row.level, row.time, (row.line,)) for row in rows]


def requests(event: Any, globs: tuple[str, ...] | None) -> list[Any]:
    """What of a `RequestsFinished` is wanted."""
    return [request for request in event.requests if matches(globs, request.model)]
