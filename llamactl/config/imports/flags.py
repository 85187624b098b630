"""A command line of llama-server taken apart, with the table of its parameters."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from llamactl.core.parameters import BY_FLAG, LEFT_OUT, Parameter

_LIKE_A_FLAG = re.compile(r"--?[A-Za-z]")
_ONCE_SWITCHES = ("-fa", "--flash-attn")
"""They had no value once, and meant `on`."""

OFF = ("off", "disabled", "false", "0")
"""What llama.cpp takes for that in its presets."""


class Flag(NamedTuple):
    """`word` as it is typed, with its dashes; `value` None where there is none."""

    word: str
    value: str | None = None

    @property
    def parameter(self) -> Parameter | None:
        return BY_FLAG.get(self.word)

    @property
    def words(self) -> tuple[str, ...]:
        return (self.word,) if self.value is None else (self.word, self.value)


def from_words(words: Iterable[str]) -> Iterator[Flag]:
    """The flags of a command line; words that belong to none are left out, as llama-server has no such.

    A flag that the table does not have has a value, unless another flag follows it.
    """
    rest = list(words)
    while rest:
        word = _spelled(rest.pop(0))
        if not _LIKE_A_FLAG.match(word):
            continue
        if not _is_bare(word) and rest and not _LIKE_A_FLAG.match(rest[0]):
            yield Flag(word, rest.pop(0))
        else:
            yield Flag(word, "on" if word in _ONCE_SWITCHES else None)


def from_setting(key: str, value: str) -> Flag | None:
    """What `key = value` of a preset is on the command line; None: nothing is passed."""
    word = next((word for word in (f"--{key}".replace("_", "-"), f"-{key}") if word in BY_FLAG or word in LEFT_OUT), "")
    if not word:
        return Flag(f"--{key}".replace("_", "-"), value)
    if not _is_bare(word):
        return Flag(word, value)
    if value.lower() not in OFF:
        return Flag(word)
    parameter = BY_FLAG.get(word)
    opposites = () if parameter is None else parameter.flags if word in parameter.off else parameter.off
    return Flag(opposites[0]) if opposites else None


def with_files_from(flag: Flag, base: Path) -> Flag:
    """Files of relative names, as they would be found from `base`: llama-server is started elsewhere here."""
    parameter = flag.parameter
    if parameter is None or not flag.value or (parameter.kind != "path" and parameter.item != "path"):
        return flag
    names = flag.value.split(parameter.separator) if parameter.kind == "list" else [flag.value]
    return Flag(flag.word, parameter.separator.join(str(base / Path(name).expanduser()) for name in names))


def _is_bare(word: str) -> bool:
    """It has no value."""
    parameter = BY_FLAG.get(word)
    if parameter is None:
        return word in LEFT_OUT
    return word in parameter.off or parameter.name == "one_shot_preset" or _is_switch(parameter)


def _is_switch(parameter: Parameter) -> bool:
    return parameter.kind == "switch" and parameter.words is None


def _spelled(word: str) -> str:
    """llama-server reads `_` as `-` in long flags."""
    return word.replace("_", "-") if word.startswith("--") else word
