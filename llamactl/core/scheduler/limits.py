"""What all instances together must keep to, and what each takes of it."""

import re

import msgspec

from llamactl.core.errors import BadRequest
from llamactl.core.eviction import Memory

PLACES = "places"
"""Counted like a device: every model takes one, and there are `max_models`."""

_GROUP = "group "


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A set of models. At most `max` of them are resident (0: any number); `exclusive`: or none but them."""

    name: str
    models: frozenset[str]
    max: int = 0
    exclusive: bool = False

    @classmethod
    def read(cls, text: str) -> "Group":
        """From `NAME=MODEL,MODEL;max=1;exclusive`. Raises `BadRequest`."""
        members, *rules = (part.strip() for part in text.split(";"))
        name, _, models = members.partition("=")
        given = dict(rule.partition("=")[::2] for rule in rules)
        most, exclusive = given.pop("max", ""), given.pop("exclusive", None)
        group = cls(
            name=name.strip(),
            models=frozenset(model.strip() for model in models.split(",") if model.strip()),
            max=int(most) if re.fullmatch("[0-9]{1,9}", most) else 0,
            exclusive=exclusive is not None,
        )
        rule = group.max > 0 or (group.exclusive and not most)
        if given or exclusive or not (group.name and group.models and rule):
            raise BadRequest(
                f"not a group: {text!r}",
                "write it like NAME=MODEL,MODEL;max=1, with ;exclusive where no other model may be loaded beside it",
            )
        return group

    @property
    def device(self) -> str:
        """Counted like a device: every member takes one of `max`."""
        return _GROUP + self.name


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`budget` in bytes per device; `max_models` 0 means any number; `max_wait` in seconds."""

    budget: dict[str, int]
    max_models: int = 0
    queue_per_model: int = 64
    queue_total: int = 256
    max_wait: float = 10.0
    groups: tuple[Group, ...] = ()

    def claim(self, model: str, need: Memory) -> Memory:
        """All that it takes: its memory, a place, and a place in each of its groups."""
        claim = {**need, PLACES: 1}
        for group in self.groups:
            if group.max and model in group.models:
                claim[group.device] = 1
        return claim

    def capacity(self) -> dict[str, int]:
        """What may be claimed altogether."""
        capacity = {**self.budget, PLACES: self.max_models or 1 << 30}
        for group in self.groups:
            if group.max:
                capacity[group.device] = group.max
        return capacity

    def cohort(self, model: str) -> frozenset[str]:
        """The exclusive groups it is in. Only models of one cohort are resident at once."""
        return frozenset(group.name for group in self.groups if group.exclusive and model in group.models)


def is_memory(device: str) -> bool:
    """Is it a real device, rather than one that places are counted in?"""
    return device != PLACES and not device.startswith(_GROUP)
