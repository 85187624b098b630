"""What a question is."""

from typing import Any, ClassVar, Generic, TypeVar

import msgspec

A = TypeVar("A")


class Call(msgspec.Struct, Generic[A], frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A question whose answer is an `A`. `method` is its name on the wire."""

    method: ClassVar[str]

    @classmethod
    def answer_type(cls) -> Any:
        return cls.__orig_bases__[0].__args__[0]  # type: ignore[attr-defined]  # what Generic keeps
