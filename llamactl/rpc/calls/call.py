"""What a question is."""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Generic, Self, TypeVar

import msgspec

from llamactl.core.access import Scope

A = TypeVar("A")


class Call(msgspec.Struct, Generic[A], frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A question whose answer is an `A`. `method` is its name on the wire, `scope` what a key must allow for it.

    `repeatable`: it may take long, and asked a second time it comes to the same. Where the daemon executes itself
    anew before it has answered, the next one is asked.
    """

    method: ClassVar[str]
    scope: ClassVar[Scope] = "control"
    repeatable: ClassVar[bool] = False

    def later(self, seconds: float) -> Self:
        """What to ask when it is asked again so much later."""
        return self

    @classmethod
    def answer_type(cls) -> Any:
        return cls.__orig_bases__[0].__args__[0]  # type: ignore[attr-defined]  # what Generic keeps


Ask = Callable[[Call[Any]], Awaitable[Any]]
"""Who answers calls; they raise `LlamactlError`s."""
