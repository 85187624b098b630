"""What llama-server's log lines say (pure).

A line is `0.00.004.839 E gguf_init_from_file: failed to open GGUF file …`: time since the start, level,
an optional component, the function, the message. Older builds write neither time nor level, and so do
libraries beneath it.
"""

import re
import signal as signals
from collections.abc import Sequence

_STAMP = re.compile(r"\d+\.\d\d\.\d{3}\.\d{3} (?P<level>[A-Z]) ")
_SOURCE = re.compile(r"^(?:(?:srv|slot|que|cmn) +[\w()]+: |\w+_\w+(?:\(\))?: |\w+\(\): )+")
_COMPLAINT = re.compile(r"\b(error|failed|couldn't|cannot|unable|invalid|unsupported|insufficient)\b", re.IGNORECASE)

# Said after every failure, and without its cause.
_HOLLOW = re.compile(
    r"exiting due to"
    r"|(failed|unable) to load model\b"
    r"|llama_model_loader: failed to load model from"
    r"|encountered an error while trying to fit params"
    r"|failed to create.context with model"
)

# What the reader of a GGUF says at whatever place it stops.
_UNREADABLE = re.compile(r"failed to read (magic|header|key-value pairs|tensor info|tensor data)|invalid magic")

# Said by what ends a process from within. The first of them is the cause: a backtrace may follow.
_LAST_WORDS = re.compile(r"GGML_ASSERT\(|GGML_ABORT|CUDA error|ROCm error|what\(\): ")

_HINTS = {
    "KILL": ", perhaps by the kernel for lack of memory",
    "ILL": ", perhaps built for another processor",
    "SEGV": ": it crashed",
    "BUS": ": it crashed, perhaps the model's file was cut short while in use",
    "ABRT": ": it gave up",
}


def reason(lines: Sequence[str], code: int | None, signal: int | None, *, asked: bool = False) -> str:
    """Why a llama-server ended, in one line: its own decisive words where it said any.

    `lines` are its last ones, `code` or `signal` what the kernel says (neither when it was not our child); `asked`
    if it was told to end.
    """
    if asked:
        return "stopped by force" if signal == signals.SIGKILL else "stopped"
    if signal is not None:
        return _killed(lines, signal)
    if code == 0:
        if any(_STAMP.match(line) or line.startswith("srv ") for line in lines):
            return "stopped from outside"  # llama-server leaves with 0 when told to, and only then
        return "ended by itself before it served; is it llama-server?"
    how = "ended with a code that nobody knows" if code is None else f"exit code {code}"
    return _complaint(lines) or f"{how}{_remark(lines)}"


def _killed(lines: Sequence[str], signal: int) -> str:
    try:
        name = signals.Signals(signal).name.removeprefix("SIG")
    except ValueError:
        name = "?"
    if name != "KILL":
        for line in lines:
            if _LAST_WORDS.search(line):
                return f"{_message(line)} (signal {signal}, {name})"
    return f"killed by signal {signal} ({name}){_HINTS.get(name, '')}"


def _complaint(lines: Sequence[str]) -> str:
    """What failed and why: the last complaint with substance, and the first.

    A load fails from the inside out, `insufficient memory` before `failed to initialize the context`, and
    is sometimes tried twice. What was logged while it still served is of no interest.
    """
    complaints: list[str] = []
    for line in lines[-60:]:
        if "listening on" in line:
            complaints.clear()
        elif line.strip() == "usage:":  # the description of a flag, which may speak of errors too
            break
        elif _is_complaint(line) and not _HOLLOW.search(line):
            complaints.append(_message(line))
    if not complaints:
        return ""
    cause, effect = complaints[0], complaints[-1]
    told = effect if cause == effect else f"{effect}: {cause}"
    return f"{told} (not a GGUF file, or a truncated one)" if _UNREADABLE.search(told) else told


def _remark(lines: Sequence[str]) -> str:
    """The last line, where it is not one of everyday.

    A llama-server can lose its last lines: they are written by a thread that it does not wait for. On a busy
    machine the cause was lost in 5 to 18 % of the launches that failed at once, rarely every line.
    """
    if not lines:
        return ", without a word"
    return ", without saying why" if _STAMP.match(lines[-1]) else f": {lines[-1].strip()}"


def _is_complaint(line: str) -> bool:
    stamp = _STAMP.match(line)
    return stamp["level"] == "E" if stamp else bool(_COMPLAINT.search(line))


def _message(line: str) -> str:
    """The line without time, level and the names of functions."""
    stamp = _STAMP.match(line)
    return _SOURCE.sub("", (line[stamp.end() :] if stamp else line).strip()).strip()
