"""Whom to stop to make room."""

from collections.abc import Mapping, Sequence

import msgspec

Memory = Mapping[str, int]
"""Bytes per device; a device that is not named counts 0."""


class Candidate(msgspec.Struct, frozen=True):
    """A resident that may be stopped: what that gives back, and when it was last used (seconds).

    `draining`: it already gets no new leases, for the sake of somebody who has waited long.
    """

    model: str
    frees: Memory
    used: float
    draining: bool = False


def exceeds(need: Memory, room: Memory) -> bool:
    """Is there a device of which more is needed than there is? (There may be less than nothing.)"""
    return any(size > room.get(device, 0) and size > 0 for device, size in need.items())


class Space:
    """Bytes per device and places for models, as many as are left; fewer than none when oversold."""

    __slots__ = ("memory", "places")

    def __init__(self, memory: Memory, places: int) -> None:
        self.memory = dict(memory)
        self.places = places

    def take(self, need: Memory) -> None:
        """What one model needs."""
        self.places -= 1
        for device, size in need.items():
            self.memory[device] = self.memory.get(device, 0) - size

    def give(self, need: Memory) -> None:
        self.places += 1
        for device, size in need.items():
            self.memory[device] = self.memory.get(device, 0) + size

    def fits(self, need: Memory) -> bool:
        """Is there room for one more model that needs this?"""
        return self.places > 0 and not exceeds(need, self.memory)

    def least(self, other: "Space") -> "Space":
        """What is left in both."""
        devices = self.memory.keys() | other.memory.keys()
        memory = {device: min(self.memory.get(device, 0), other.memory.get(device, 0)) for device in devices}
        return Space(memory, min(self.places, other.places))


def choose(candidates: Sequence[Candidate], room: Memory, places: int | None, need: Memory) -> list[Candidate] | None:
    """The candidates to stop so that `need` fits into `room`; None when all of them would not do.

    `places` is how many more models may be resident (None: any number). Draining ones go first, then the
    least recently used; those that turn out not to be needed are spared, the most recently used first.
    """
    space = Space(room, len(candidates) + 1 if places is None else places)
    chosen: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: (not c.draining, c.used)):
        if space.fits(need):
            break
        chosen.append(candidate)
        space.give(candidate.frees)
    if not space.fits(need):
        return None
    for candidate in chosen[::-1]:
        space.take(candidate.frees)
        if space.fits(need):
            chosen.remove(candidate)
        else:
            space.give(candidate.frees)
    return chosen
