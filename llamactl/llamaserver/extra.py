"""Arguments that a user passes to llama-server as they are: what of them llamactl must refuse (pure)."""

import re
from collections.abc import Iterator, Sequence

from llamactl.core.errors import Refused
from llamactl.core.parameters import BY_FLAG, LEFT_OUT, Parameter
from llamactl.core.parameters.layers import LOADING
from llamactl.llamaserver.capabilities import Capabilities

_LIKE_A_FLAG = re.compile(r"--?[A-Za-z]")
_OURS = {"--api-key": "--api-key-file", "--ssl-": "--ssl-key-file"}
"""Whatever begins like the one is refused as the other is."""


def checked(words: Sequence[str], able: Capabilities, way_out: str) -> list[str]:
    """The words themselves; raises `Refused` when llama-server or llamactl would have none of them.

    What is llamactl's own is refused wherever it stands, for what looks like a value to us may be a flag to
    another build.
    """
    for word in words:
        if _LIKE_A_FLAG.match(word):
            _forbid(word, way_out)
    for flag, values in _flags(words, way_out):
        parameter = BY_FLAG.get(flag)
        if not able.has(flag):
            raise Refused(
                f"this build of llama-server (version {able.version}) has no {flag}",
                "; ".join(filter(None, (_called(flag, parameter, able), way_out))),
            )
        if parameter and (wanted := _values(flag, parameter)) != len(values):
            takes = {0: "no value", 1: "one value"}.get(wanted, f"{wanted} values")
            raise Refused(f"{flag} takes {takes}, not {' '.join(values) or 'none'}", way_out)
    return list(words)


def _spelled(word: str) -> str:
    """llama-server reads `_` as `-` in long flags."""
    return word.replace("_", "-") if word.startswith("--") else word


def _forbid(word: str, way_out: str) -> None:
    flag = _spelled(word.partition("=")[0])
    parameter = BY_FLAG.get(flag)
    ours = next((BY_FLAG[known] for begins, known in _OURS.items() if flag.startswith(begins)), parameter)
    if why := LEFT_OUT.get(flag) or (ours.never if ours else ""):
        raise Refused(f"{flag} cannot be passed to llama-server: {why}", way_out)
    if parameter and parameter.secret:
        raise Refused(f"{flag} would show a secret to everyone on this machine: set {parameter.name} instead", way_out)


def _flags(words: Sequence[str], way_out: str) -> Iterator[tuple[str, list[str]]]:
    """Each flag with the words that are its values."""
    rest = list(words)
    while rest:
        flag = _spelled(rest.pop(0))
        if not _LIKE_A_FLAG.match(flag):
            raise Refused(f"{flag!r} stands where llama-server would look for a flag", way_out)
        values: list[str] = []
        parameter = BY_FLAG.get(flag)
        most = _values(flag, parameter) if parameter else len(rest)
        while rest and len(values) < most and not _ends(rest[0], parameter):
            values.append(rest.pop(0))
        yield flag, values


def _ends(word: str, parameter: Parameter | None) -> bool:
    """It is the next flag, not a value."""
    return _spelled(word) in BY_FLAG or (parameter is None and bool(_LIKE_A_FLAG.match(word)))


def _values(flag: str, parameter: Parameter) -> int:
    if flag in parameter.off or parameter.name == "one_shot_preset":
        return 0
    if parameter.kind == "switch" and parameter.words is None:
        return 0
    return parameter.items[0] if parameter.passing == "spread" else 1


def _called(flag: str, parameter: Parameter | None, able: Capabilities) -> str:
    """What it is called in this build."""
    if parameter is None:
        return ""
    if parameter.name in LOADING and able.has("--load-mode"):
        return "it is called --load-mode there"
    spellings = parameter.off if flag in parameter.off else parameter.flags
    other = next(filter(able.has, spellings), None)
    return f"it is called {other} there" if other else parameter.gone
