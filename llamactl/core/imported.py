"""What became of each thing that stood in another system's file (pure)."""

from collections.abc import Iterable
from typing import Literal

import msgspec

Outcome = Literal["taken", "translated", "left", "invalid"]


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one thing: `what` is its name there, `became` what it is called and is here.

    `left` has no counterpart, `why` says so; `invalid` could not be understood even there. Never has a secret in it.
    """

    what: str
    outcome: Outcome
    became: str = ""
    why: str = ""


def whole(notes: Iterable[Note]) -> bool:
    """Could everything be understood?"""
    return all(note.outcome != "invalid" for note in notes)
