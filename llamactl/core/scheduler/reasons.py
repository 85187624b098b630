"""Decisions in words and numbers."""

from llamactl.core.errors import DoesNotFit, Draining
from llamactl.core.eviction import Memory
from llamactl.core.scheduler.limits import PLACES, is_memory
from llamactl.core.scheduler.residents import Resident, Residents
from llamactl.core.units import show_size

SHOWN = 4
"""So many models are named, the others counted."""


def fits(need: Memory, free: Memory) -> str:
    """Why it is started."""
    parts = [
        f"{show_size(size)} of {show_size(max(free.get(device, 0), 0))} free on {device}"
        for device, size in need.items()
        if size > 0
    ]
    return f"fits: needs {' and '.join(parts) or 'nothing'}"


def lost(resident: Resident, reload: float | None, now: float) -> str:
    """What stopping it costs and gives."""
    again = "" if reload is None else f"reload {reload:.1f} s, "
    return f"idle {now - resident.used:.0f} s, {again}frees {show_size(resident.bytes)}"


def too_large(claim: Memory, capacity: Memory, residents: Residents) -> DoesNotFit | None:
    """Why it could not start even if everything that may be stopped were stopped; None where it could."""
    for device, size in claim.items():
        left = capacity.get(device, 0) - residents.pinned.get(device, 0)
        if size <= 0 or size <= left:
            continue
        if not is_memory(device):
            kind = "places" if device == PLACES else f"places of {device}"
            return DoesNotFit(
                f"all {capacity.get(device, 0)} {kind} are held by pinned models", "unpin one: llamactl unpin NAME"
            )
        return DoesNotFit(
            f"needs {show_size(size)} on {device}, where {_numbers(device, capacity, residents)}",
            "unpin a model, choose a smaller one, or raise residency.memory",
        )
    return None


def strangers(cohort: frozenset[str], residents: Residents) -> DoesNotFit | None:
    """The same, for groups that let nobody else in."""
    for model in sorted(residents.pins):
        resident = residents.by_name.get(model)
        if resident is not None and not resident.leaving and resident.cohort != cohort:
            group = min(resident.cohort ^ cohort)
            return DoesNotFit(
                f"{model} is pinned, and the group {group} allows only one of the two", f"llamactl unpin {model}"
            )
    return None


def waits(claim: Memory, cohort: frozenset[str], free: Memory, residents: Residents, ahead: int) -> str:
    """Why it is not started yet."""
    others = sorted(model for model, one in residents.by_name.items() if one.cohort != cohort)
    if others:
        return f"waits for {_names(others)} to go: a group is exclusive"
    for device, size in claim.items():
        if size > max(free.get(device, 0), 0):
            return f"waits for {_holders(device, residents)}: {_short(device, size, max(free.get(device, 0), 0))}"
    return f"waits for {ahead} before it, whose memory is kept for them" if ahead else "waits for its turn"


def draining(model: str, seconds: float) -> Draining:
    return Draining(f"{model} is being stopped", "try again once it has stopped", retry_after=max(seconds, 1.0))


# --- inside --------------------------------------------------------------------------------------


def _short(device: str, size: int, free: int) -> str:
    if not is_memory(device):
        return "no place is left" if device == PLACES else f"no place is left in {device}"
    return f"needs {show_size(size)} on {device}, {show_size(free)} free"


def _holders(device: str, residents: Residents) -> str:
    """Who has something of it, by what they do."""
    doing: dict[str, list[str]] = {}
    for model, one in sorted(residents.by_name.items()):
        if one.claim.get(device, 0) > 0:
            state = "in use" if one.leases and not one.leaving else "idle" if one.idle else one.state
            doing.setdefault("pinned" if model in residents.pins else state, []).append(model)
    return ", ".join(f"{_names(models)} ({state})" for state, models in doing.items()) or "memory"


def _names(models: list[str]) -> str:
    more = len(models) - SHOWN
    return ", ".join(models[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _numbers(device: str, capacity: Memory, residents: Residents) -> str:
    """What is free of a device, and who has the rest."""
    idle = busy = 0
    for model, one in residents.by_name.items():
        if one.idle and model not in residents.pins:
            idle += one.need.get(device, 0)
        elif model not in residents.pins or one.leaving:
            busy += one.need.get(device, 0)
    free = max(capacity.get(device, 0) - residents.held.get(device, 0), 0)
    pinned = residents.pinned.get(device, 0)
    parts = [
        f"{show_size(size)} {told}"
        for size, told in (
            (idle, "could be freed by stopping idle models"),
            (busy, "by those in use, later"),
            (pinned, "are pinned"),
        )
        if size
    ]
    return ", ".join([f"{show_size(free)} are free", *parts])
