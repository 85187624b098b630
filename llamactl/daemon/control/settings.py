"""Settings that are asked for, shown and changed."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from llamactl.core.errors import BadRequest
from llamactl.core.model import Setting
from llamactl.core.parameters import PARAMETERS, find, parse
from llamactl.core.parameters.layers import Effective
from llamactl.rpc.calls import SettingRow

T = TypeVar("T")


def setting_rows(settings: Mapping[str, Effective]) -> list[SettingRow]:
    """Secrets without their values."""
    return [
        SettingRow(
            name=name,
            group=PARAMETERS[name].group,
            value=None if PARAMETERS[name].secret else setting.value,
            origin=setting.layer.title,
            unit=PARAMETERS[name].unit,
        )
        for name, setting in settings.items()
    ]


def merged(before: Mapping[str, Setting], given: Mapping[str, Setting], gone: Iterable[str]) -> dict[str, Setting]:
    """`before` with these set and those unset. Raises `BadRequest`, and `Refused` for what is never passed."""
    unset = {find(name).name for name in gone}
    set_ = {find(name).name: parse(name, value) for name, value in given.items()}
    if clash := unset & set_.keys():
        raise BadRequest(f"{' and '.join(sorted(clash))} cannot be set and unset at once")
    return {name: value for name, value in before.items() if name not in unset} | set_


async def settled(look: Callable[[], T], check: Callable[[T], Awaitable[None]]) -> T:
    """What `look` makes of the present, once it has been checked.

    The first look at a llama-server takes a while: where something else was changed meanwhile, it is made anew.
    """
    while True:
        found = look()
        await check(found)
        if look() == found:
            return found
