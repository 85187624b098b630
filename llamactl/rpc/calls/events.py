"""What happened, and what happens."""

from typing import Annotated

import msgspec

from llamactl.core.events import Numbered
from llamactl.rpc.calls.call import Call
from llamactl.rpc.calls.instances import InstanceRow

MOST = 10_000


class ListEvents(Call[list[Numbered]], frozen=True):
    """Events that were kept, the oldest first: those after the number `since`, or else the newest.

    `types` are those of `core.events.KINDS`; none is all.
    """

    method = "events.list"
    scope = "observe"
    since: int | None = None
    types: tuple[str, ...] = ()
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST)] = 1000


class Lost(msgspec.Struct, frozen=True):
    """So many events are not shown: the watcher was too slow, or they are kept no more."""

    lost: int


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What runs, as of the event with the number `last_event`."""

    last_event: int
    instances: list[InstanceRow]


class Watch(Call[Snapshot], frozen=True):
    """The present, then every event as a notification `event` with a `Numbered` or a `Lost`.

    Events come from that after the present on, or from that after the number `since`; `types` as in `ListEvents`,
    but that what passes and is not kept comes only where its type is named.
    """

    method = "watch"
    scope = "observe"
    repeatable = True
    since: int | None = None
    types: tuple[str, ...] = ()


Notice = Numbered | Lost
