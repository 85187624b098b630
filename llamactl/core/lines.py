"""Lines of logs: how grave each is, when it was written, and what must not be seen in it (pure)."""

import re
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

Level = Literal["debug", "info", "warn", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warn", "error")
"""From the least on."""

SOURCE = "llamactl"
"""What the daemon is called among the sources of lines."""

STAMP = re.compile(r"(?P<minutes>\d+)\.(?P<seconds>\d\d)\.(?P<micros>\d{3}\.\d{3}) (?P<level>[A-Z]) ")
"""How a line of llama-server begins: time since its start, and level. Older builds write neither, and so do
libraries beneath it."""

COMPLAINT = re.compile(r"\b(error|failed|couldn't|cannot|unable|invalid|unsupported|insufficient)\b", re.IGNORECASE)
LAST_WORDS = re.compile(r"GGML_ASSERT\(|GGML_ABORT|CUDA error|ROCm error|what\(\): |Remote RPC server crashed")
"""Said by what ends a process from within."""
_WARNING = re.compile(r"\bwarn(ing)?\b|\bdeprecated\b", re.IGNORECASE)
_LETTERS: dict[str, Level] = {"D": "debug", "I": "info", "W": "warn", "E": "error"}

_SECRET = re.compile(
    r"(?P<kept>\bBearer\s+|\b(?:llk|hf|sk)[_-]"
    r"|\b(?:x-)?(?:api|access|auth|hf)[_-]?(?:key|token)[\"']?\s*[=:]\s*[\"']?(?:Bearer\s+)?"
    r"|\b(?:password|passwd|secret)[\"']?\s*[=:]\s*[\"']?)"
    r"[^\s\"',;&)\]}]{4,}",
    re.IGNORECASE,
)
_HINTS = ("bearer", "key", "token", "passw", "secret", "llk", "hf_", "hf-", "sk_", "sk-")
"""One of them is in every text with a secret; looking for them takes a tenth of the time."""


class Line(msgspec.Struct, frozen=True):
    """One line of a source: a model, or llamactl itself. `time` is seconds since the epoch."""

    source: str
    time: float
    level: Level
    text: str


def at_least(level: Level) -> frozenset[Level]:
    """This level and the graver ones."""
    return frozenset(LEVELS[LEVELS.index(level) :])


def redacted(text: str) -> str:
    """Keys, tokens and passwords without what is secret in them."""
    lower = text.lower()
    return _SECRET.sub(r"\g<kept>***", text) if any(hint in lower for hint in _HINTS) else text


def of_run(source: str, began: float, lines: Iterable[str], time: float | None = None) -> Iterator[Line]:
    """Lines of a llama-server that began then.

    One without a stamp was written when the one before it was (the first of them at `time`) and goes on with what
    that says, unless it complains: libraries beneath llama-server do so in plain words.
    """
    time, before = began if time is None else time, None
    for line in lines:
        stamp = STAMP.match(line)
        if stamp:
            minutes, seconds, micros, letter = stamp.groups()
            time = began + int(minutes) * 60 + int(seconds) + int(micros.replace(".", "")) / 1e6
            before = _LETTERS.get(letter, "info")
            yield Line(source, time, before, line)
        else:
            yield Line(source, time, _guessed(line, before), line)


def _guessed(line: str, before: Level | None) -> Level:
    if LAST_WORDS.search(line):
        return "error"
    if before == "debug":  # what it was asked and what it answers may be in there
        return before
    if COMPLAINT.search(line):
        return "error"
    return "warn" if _WARNING.search(line) else before or "info"
