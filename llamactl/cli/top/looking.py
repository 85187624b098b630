"""What the user made of the view with keys: the order, the choice, the filter, the pause (pure)."""

from typing import Literal

import msgspec

from llamactl.cli.top.view import View
from llamactl.core.sample import Served
from llamactl.rpc.calls import InstanceRow

Order = Literal["state", "name", "tok/s", "memory", "requests"]
ORDERS: tuple[Order, ...] = ("state", "name", "tok/s", "memory", "requests")
_ACTIVE = ("loading", "starting", "ready", "stopping", "backoff", "failed", "stopped")

KEYS = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"\x1b": "escape",
    b"\r": "enter",
    b"\n": "enter",
    b"\x7f": "backspace",
    b"\x08": "backspace",
}


class Action(msgspec.Struct, frozen=True):
    what: Literal["start", "stop", "quit"]
    model: str = ""


class Looking(msgspec.Struct, frozen=True, kw_only=True):
    """`typing`: keys are letters of the filter, which is part of a name or an alias. `message` is the last that was
    said."""

    order: Order = "state"
    chosen: str = ""
    filter: str = ""
    typing: bool = False
    paused: bool = False
    message: str = ""


def keys(typed: bytes) -> list[str]:
    """What was typed, one by one: letters as they are, others by their names. Unknown sequences are nothing."""
    found: list[str] = []
    while typed:
        if typed[:1] == b"\x1b" and len(typed) > 1:
            end = next((at for at in range(2, len(typed)) if 0x40 <= typed[at] <= 0x7E), len(typed) - 1) + 1
            if name := KEYS.get(typed[:end]):
                found.append(name)
            typed = typed[end:]
            continue
        one, typed = typed[:1], typed[1:]
        if one in KEYS:
            found.append(KEYS[one])
        elif 0x20 <= one[0] < 0x7F:
            found.append(one.decode())
    return found


def press(looking: Looking, key: str, view: View) -> tuple[Looking, Action | None]:
    """After a key; and what is to be done about it."""
    change = msgspec.structs.replace
    looking = change(looking, message="")  # it was read
    if looking.typing:
        match key:
            case "enter":
                return change(looking, typing=False), None
            case "escape":
                return change(looking, typing=False, filter=""), None
            case "backspace":
                return change(looking, filter=looking.filter[:-1]), None
            case _ if len(key) == 1:
                return change(looking, filter=looking.filter + key), None
        return looking, None
    chosen = choice(looking, view)
    match key:
        case "q":
            return looking, Action("quit")
        case "up" | "k":
            return change(looking, chosen=_beside(looking, view, -1)), None
        case "down" | "j":
            return change(looking, chosen=_beside(looking, view, 1)), None
        case "o":
            return change(looking, order=ORDERS[(ORDERS.index(looking.order) + 1) % len(ORDERS)]), None
        case "/":
            return change(looking, typing=True), None
        case "escape":
            return change(looking, filter=""), None
        case "p" | " ":
            return change(looking, paused=not looking.paused), None
        case "s" if chosen:
            return change(looking, chosen=chosen, message=f"starting {chosen}"), Action("start", chosen)
        case "x" if chosen:
            return change(looking, chosen=chosen, message=f"stopping {chosen}"), Action("stop", chosen)
    return looking, None


def shown(looking: Looking, view: View) -> list[InstanceRow]:
    """The models in their order."""
    wanted = looking.filter.lower()
    found = (row for row in view.models if any(wanted in name.lower() for name in (row.name, *row.aliases)))
    rows = sorted(found, key=lambda row: row.name)
    served = {one.model: one for one in view.sample.models} if view.sample else {}
    match looking.order:
        case "state":
            rows.sort(key=lambda row: _ACTIVE.index(row.state) if row.state in _ACTIVE else len(_ACTIVE))
        case "tok/s":
            rows.sort(key=lambda row: -(rate(served.get(row.name)) or 0.0))
        case "memory":
            rows.sort(key=lambda row: -sum(row.memory.values()))
        case "requests":
            rows.sort(key=lambda row: -(row.leases + row.waiting))
    return rows


def choice(looking: Looking, view: View) -> str:
    """The model that keys are about; the first, as long as none was chosen."""
    names = [row.name for row in shown(looking, view)]
    return looking.chosen if looking.chosen in names else names[0] if names else ""


def rate(served: Served | None) -> float | None:
    return None if served is None else served.rate


def _beside(looking: Looking, view: View, step: int) -> str:
    names = [row.name for row in shown(looking, view)]
    if not names:
        return looking.chosen
    at = names.index(choice(looking, view)) + step
    return names[max(0, min(at, len(names) - 1))]
