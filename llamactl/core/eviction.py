"""Whom to stop to make room."""

import math
from collections.abc import Iterable, Mapping

import msgspec

Memory = Mapping[str, int]
"""Bytes per device; a device that is not named counts 0. Places for models are counted like a device."""


class Candidate(msgspec.Struct, frozen=True):
    """A resident that may be stopped, what that gives back, and what it costs.

    `loss` is what is expected to be lost by it: the seconds of loading it again, times how likely it is to be
    asked for soon. `bytes` is the memory of all devices together. `draining`: it already gets no new
    leases, for the sake of somebody who has waited long; a lower number has been so for longer, 0 is not at all.
    """

    model: str
    frees: Memory
    loss: float
    bytes: int
    draining: int = 0


HALF_LIFE = 300.0
"""Seconds. A model that loads in a minute is worth as much as one of half a second that was used 35 minutes later."""


def loss(reload: float, idle: float) -> float:
    """Seconds of loading expected to be lost by stopping it.

    Each `HALF_LIFE` of idleness halves the chance that it is asked for soon. So the losses of any two keep their
    ratio as time goes by: a choice between them stays what it is until something happens.
    """
    return reload * math.pow(0.5, max(idle, 0.0) / HALF_LIFE)


def rank(candidate: Candidate) -> tuple[bool, float]:
    """In this order they are taken: those that are draining, as they began to, then by what a byte of theirs costs."""
    return not candidate.draining, candidate.draining or candidate.loss / max(candidate.bytes, 1)


def exceeds(need: Memory, room: Memory) -> bool:
    """Is there a device of which more is needed than there is? (There may be less than nothing.)"""
    for device, size in need.items():  # noqa: SIM110  # most decisions come to this, and `any` takes twice as long
        if size > 0 and size > room.get(device, 0):
            return True
    return False


def take(room: dict[str, int], need: Memory) -> None:
    for device, size in need.items():
        room[device] = room.get(device, 0) - size


def give(room: dict[str, int], need: Memory) -> None:
    for device, size in need.items():
        room[device] = room.get(device, 0) + size


def choose(candidates: Iterable[Candidate], room: Memory, need: Memory) -> list[Candidate] | None:
    """The candidates to stop so that `need` fits into `room`; None when all of them would not do.

    `candidates` are in the order of `rank`. None of those chosen could be spared. A single one that does
    is preferred to several that together would be the greater loss, unless some of these are draining.
    """
    space = dict(room)
    short = {device for device, size in need.items() if size > 0 and size > space.get(device, 0)}
    if not short:
        return []
    chosen: list[Candidate] = []
    seen = list(candidates)
    for candidate in seen:
        if any(candidate.frees.get(device, 0) > 0 for device in short):
            chosen.append(candidate)
            give(space, candidate.frees)
            if not exceeds(need, space):
                break
    else:
        return None
    for candidate in chosen[::-1]:
        take(space, candidate.frees)
        if exceeds(need, space):
            give(space, candidate.frees)
        else:
            chosen.remove(candidate)
    if len(chosen) > 1 and not chosen[0].draining:
        worst = sum(candidate.loss for candidate in chosen)
        for candidate in seen:
            if candidate.loss < worst and _alone(candidate, room, need, short):
                chosen, worst = [candidate], candidate.loss
    return chosen


def _alone(candidate: Candidate, room: Memory, need: Memory, short: set[str]) -> bool:
    return all(need[device] <= room.get(device, 0) + candidate.frees.get(device, 0) for device in short)
