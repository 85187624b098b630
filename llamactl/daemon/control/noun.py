"""What the classes of this package share."""

from collections.abc import Awaitable, Callable
from typing import Any

from llamactl.rpc.calls import Call

Handlers = dict[type[Call[Any]], Callable[[Any], Awaitable[object]]]
