"""What the scheduler wants done."""

from dataclasses import dataclass, field

import msgspec

from llamactl.core.errors import LlamactlError


@dataclass(frozen=True, slots=True)
class Start:
    """`details` are the numbers behind the decision, for people; two with different ones are equal."""

    model: str
    details: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Stop:
    """`why` in few words, and the numbers behind it in `details`, which do not make a difference."""

    model: str
    why: str
    details: str = field(default="", compare=False)


class Grant(msgspec.Struct, frozen=True):
    ticket: int
    model: str


class Refuse(msgspec.Struct, frozen=True):
    """`error` is compared by identity; it is raised where the waiter stands."""

    ticket: int
    error: LlamactlError


Effect = Start | Stop | Grant | Refuse
