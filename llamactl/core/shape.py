"""What is done to requests on their way to a model: parameters that are forced, and parameters that are taken away.

A variant is a name for such a shape: `qwen:fast` is the model `qwen`, asked in another way.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from llamactl.core.errors import BadRequest, NotFound

_VARIANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NOT_ITS = frozenset(("model", "stream"))
"""Whom a request is for and how its answer is sent is not a matter of sampling."""


class Shape(msgspec.Struct, frozen=True, omit_defaults=True):
    """`set` are members of the request's JSON and their values, whatever the client says; `strip` are taken away."""

    set: dict[str, Any] = {}
    strip: tuple[str, ...] = ()

    def over(self, other: "Shape") -> "Shape":
        """This one where it says something, else the other."""
        kept = {name: value for name, value in other.set.items() if name not in self.strip}
        stripped = [name for name in (*other.strip, *self.strip) if name not in self.set]
        return Shape({**kept, **self.set}, tuple(dict.fromkeys(stripped)))


def split(name: str) -> tuple[str, str]:
    """The model and the variant that `qwen:fast` may mean; no variant if it can be none."""
    model, colon, variant = name.rpartition(":")
    return (model, variant) if colon and _VARIANT.fullmatch(variant) else (name, "")


def changed(shape: Shape, set: Mapping[str, Any], strip: Collection[str], unset: Collection[str]) -> Shape:
    """The shape with other parameters; of those in `unset` it says nothing any more.

    Raises `BadRequest` for what it cannot be about or is told in two ways, `NotFound` for what is not there to unset.
    """
    for name in (*set, *strip):
        if name in _NOT_ITS or not name:
            raise BadRequest(
                f"{name or 'a parameter without a name'} cannot be set or stripped", "each request says that itself"
            )
    if twice := sorted({name for name in strip if name in set} | {name for name in unset if name in (*set, *strip)}):
        raise BadRequest(f"{twice[0]} is said twice", "set it, strip it or unset it")
    for name in unset:
        if name not in shape.set and name not in shape.strip:
            raise NotFound(f"{name} is neither set nor stripped", "llamactl models variants ls")
    gone = {*set, *strip, *unset}
    return Shape(
        {**{name: value for name, value in shape.set.items() if name not in gone}, **set},
        tuple(sorted({*(name for name in shape.strip if name not in gone), *strip})),
    )
