"""What happened, as told to the hub and through it to every watcher."""

from typing import Literal, get_args

import msgspec

from llamactl.core.instance import Phase
from llamactl.core.lines import Level
from llamactl.core.requests import ModelRequest
from llamactl.core.sample import Sample


class InstanceChanged(msgspec.Struct, frozen=True, tag="instance"):
    """A model moved to another phase; `reason` says why where the phase does not."""

    model: str
    phase: Phase
    reason: str = ""


class InstanceDoubted(msgspec.Struct, frozen=True, tag="wedged"):
    """An instance has requests, and nothing moves in it for `seconds`; None: it works after all, or is gone."""

    model: str
    seconds: float | None


class Placement(msgspec.Struct, frozen=True, tag="placement"):
    """What was decided about a model's place in memory, with the reason and its numbers.

    `action`: it is started, stopped, refused, or those who want it wait.
    """

    model: str
    action: Literal["start", "stop", "refuse", "wait"]
    reason: str


class CatalogueChanged(msgspec.Struct, frozen=True, tag="catalogue"):
    """Models came, went or were changed; names, sorted.

    `missing` are those whose file is gone since the last look; they stay in the catalogue.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class ServiceChanged(msgspec.Struct, frozen=True, tag="service"):
    """A part of the daemon is up, down or being restarted; `reason` says why it is down."""

    service: str
    state: str
    reason: str = ""


class ConfigChanged(msgspec.Struct, frozen=True, tag="config"):
    """Another configuration counts: keys that changed, and all that wait for a restart of the daemon."""

    changed: tuple[str, ...] = ()
    restart_for: tuple[str, ...] = ()


class RequestsFinished(msgspec.Struct, frozen=True, tag="requests"):
    """Requests for models that have ended within a second, the latest of them; `more` others are not told of."""

    requests: tuple[ModelRequest, ...]
    more: int = 0


class SamplesTaken(msgspec.Struct, frozen=True, tag="samples"):
    """The machine, its GPUs and our llama-servers were measured; it is kept already."""

    sample: Sample


class LogLines(msgspec.Struct, frozen=True, tag="logs"):
    """New lines of a model, or of llamactl itself: those of one level that follow each other, without secrets.

    `time` is that of the first, in seconds since the epoch. `lost` lines before them are not told: there were too
    many; they are in the files.
    """

    source: str
    level: Level
    time: float
    lines: tuple[str, ...]
    lost: int = 0


Misuse = Literal["unknown", "secret", "token", "revoked", "expired", "scope", "model", "rate", "parallel"]
"""No key has that id; not with that secret; a JWT is not accepted; taken back; past its end; the key is not for that;
not for that model; more requests a minute, or at once, than it may send."""


class KeyMisused(msgspec.Struct, frozen=True, tag="key"):
    """A key, by its id, was used as it may not be: `count` times since this was told, the last time from `address`.

    No `key`: those that are not known, together. No `address`: from a Unix socket.
    """

    key: str
    what: Misuse
    address: str = ""
    count: int = 1


class AlertRaised(msgspec.Struct, frozen=True, tag="alert"):
    """A value is beyond its limit, and has been for a while. `series` names what was measured."""

    series: str
    value: float
    limit: float
    unit: str = ""


class AlertCleared(msgspec.Struct, frozen=True, tag="cleared"):
    """It is within its limit again, after so many seconds; `value` is None if it is measured no more."""

    series: str
    value: float | None
    limit: float
    unit: str = ""
    seconds: float = 0.0


Event = (
    InstanceChanged
    | InstanceDoubted
    | Placement
    | CatalogueChanged
    | ServiceChanged
    | ConfigChanged
    | KeyMisused
    | AlertRaised
    | AlertCleared
    | RequestsFinished
    | SamplesTaken
    | LogLines
)

PASSING = (SamplesTaken, LogLines, RequestsFinished)
"""What is told and not numbered, since what it tells is kept elsewhere."""


def passing(event: Event) -> bool:
    return isinstance(event, PASSING)


def kind(event: Event) -> str:
    """Its type as one word: that by which events are asked for."""
    return str(event.__struct_config__.tag)


KINDS = tuple(str(type_.__struct_config__.tag) for type_ in get_args(Event))
"""Of all events."""


class Numbered(msgspec.Struct, frozen=True):
    """An event with its place in the order of all events and its time (seconds since the epoch, to the millisecond).

    Numbers rise by one, without a gap, over restarts too; 0 is that of events that pass.
    """

    id: int
    at: float
    event: Event
