"""What the classes of this package share."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from llamactl.rpc.calls import Call

Handlers = dict[type[Call[Any]], Callable[[Any], Awaitable[object]]]


class Noun(Protocol):
    """Answers the calls about one kind of thing."""

    @property
    def handlers(self) -> Handlers: ...
