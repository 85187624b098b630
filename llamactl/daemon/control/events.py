"""What happened, and what happens."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Protocol

from llamactl.core.errors import BadRequest
from llamactl.core.events import KINDS, Numbered, kind
from llamactl.core.instance import Instance
from llamactl.daemon.control.instances import instance_row
from llamactl.daemon.control.noun import Handlers
from llamactl.hub import Hub, Watcher, numbers
from llamactl.rpc import calls
from llamactl.rpc.calls import Lost, Snapshot
from llamactl.rpc.server import Stream

TOGETHER = 500
"""Events that are read at once for who comes back."""


class History(Protocol):
    """What `store.Events` keeps."""

    def after(self, number: int, limit: int, types: Sequence[str] = ()) -> list[Numbered]: ...

    def newest(self, limit: int, types: Sequence[str] = ()) -> list[Numbered]: ...


class EventCalls:
    """`events.list` and `watch`. `present` says what runs."""

    def __init__(self, hub: Hub, history: History, present: Callable[[], Iterable[Instance]]) -> None:
        self._hub = hub
        self._history = history
        self._present = present
        self.handlers: Handlers = {calls.ListEvents: self._list, calls.Watch: self._watch}

    async def _list(self, call: calls.ListEvents) -> list[Numbered]:
        types = _known(call.types)
        if call.since is None:
            return self._history.newest(call.limit, types)
        return self._history.after(call.since, call.limit, types)

    async def _watch(self, call: calls.Watch) -> Stream:
        types = _known(call.types)
        subscription = ExitStack()
        wanted = frozenset(types)
        only = numbers if not wanted else lambda numbered: kind(numbered.event) in wanted
        follower = subscription.enter_context(self._hub.follow(only=only))
        # No await between subscribing and looking: what happens from here on will be in the follower's queue.
        rows, last = [instance_row(instance) for instance in self._present()], self._hub.last
        try:
            await self._hub.until_kept(last)  # or the number would be one that a daemon that is killed gives again
        except BaseException:
            subscription.close()
            raise
        # A number that was never given is of a database that is there no more: all that happened since is news.
        since = last if call.since is None else call.since if call.since <= last else 0
        notices = self._notices(follower, since, wanted)
        return Stream(Snapshot(last_event=last, instances=rows), notices, subscription.close)

    async def _notices(self, follower: Watcher, since: int, types: frozenset[str]) -> AsyncGenerator[object, None]:
        while since < self._hub.kept and (missed := self._history.after(since, TOGETHER)):
            if missed[0].id > since + 1:
                yield Lost(missed[0].id - since - 1)
            for numbered in missed:
                if not types or kind(numbered.event) in types:
                    yield numbered
            since = missed[-1].id
            follower.take_lost()  # they were told before, and so read just now or will be
        async for numbered in follower:
            if lost := follower.take_lost():
                yield Lost(lost)
            if numbered.id > since or not numbered.id:
                yield numbered


def _known(types: Sequence[str]) -> Sequence[str]:
    for type_ in types:
        if type_ not in KINDS:
            raise BadRequest(f"there are no events of type {type_!r}", f"they are {', '.join(KINDS)}")
    return types
