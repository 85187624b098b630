"""What llama-server's log lines say (pure).

A line is `0.00.004.839 E gguf_init_from_file: failed to open GGUF file …`: time since the start, level,
an optional component, the function, the message. Older builds write neither time nor level, and so do
libraries beneath it.
"""

import re
import signal as signals
from collections.abc import Sequence

import msgspec

from llamactl.core.exits import Kind
from llamactl.core.lines import COMPLAINT, LAST_WORDS, STAMP

_SOURCE = re.compile(r"^(?:(?:srv|slot|que|cmn) +[\w()]+: |\w+_\w+(?:\(\))?: |\w+\(\): )+")

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

# The first that matches is what it died of: memory comes early, since it makes everything else fail. Those of CUDA,
# ROCm, Vulkan, SYCL and Metal are from the sources of ggml.
_NO_MEMORY = re.compile(
    r"out of memory|insufficient memory|cannot allocate memory|bad_alloc|memory allocation of size"
    r"|(failed|unable) to allocate|ErrorOutOf\w*Memory|out_of_(device|host)_memory",
    re.IGNORECASE,
)
_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    # Said of a worker that went away, while loading or later, and before it ends by SIGABRT.
    ("worker_lost", re.compile(r"Remote RPC server crashed")),
    ("out_of_memory", _NO_MEMORY),
    ("library_missing", re.compile(r"loading shared libraries|Library not loaded|symbol lookup error")),
    (
        "bad_argument",
        re.compile(r"invalid argument: |error while handling argument|unknown argument|requires? flash_attn"),
    ),
    ("cannot_bind", re.compile(r"couldn't bind")),
    (
        "unsupported",
        re.compile(
            r"unknown (model architecture|pre-tokenizer|tokenizer)|unsupported model|only supports up to version"
        ),
    ),
    ("missing_file", re.compile(r"failed to open|No such file or directory")),
    (
        "corrupt_file",
        re.compile(
            rf"{_UNREADABLE.pattern}|not within the file bounds|corrupted or incomplete|has wrong shape|missing tensor"
            r"|wrong number of tensors|exceeds remaining file size"
        ),
    ),
)

_HINTS = {
    "ILL": ", perhaps built for another processor",
    "SEGV": ": it crashed",
    "BUS": ": it crashed, perhaps the model's file was cut short while in use",
    "ABRT": ": it gave up",
}
_BY_KERNEL = {
    None: ", perhaps by the kernel for lack of memory",
    True: ", most likely by the kernel: it killed for lack of memory meanwhile",
    False: ", it seems by somebody else",
}


class Death(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of how a llama-server ended.

    `lines` are its last ones, `code` or `signal` what the kernel says (neither when it was not our child);
    `asked` if it was told to end by us,
    `served` if it had been ready, `oom` if the kernel killed some process for lack of memory meanwhile (None: it
    does not tell).
    """

    lines: Sequence[str]
    code: int | None = None
    signal: int | None = None
    asked: bool = False
    served: bool = False
    oom: bool | None = None


def reason(death: Death) -> str:
    """Why a llama-server ended, in one line: its own decisive words where it said any."""
    if death.asked:
        return "stopped by force" if death.signal == signals.SIGKILL else "stopped"
    if death.signal is not None:
        return _killed(death, death.signal)
    if death.code == 0:
        if _spoke(death):
            return "stopped from outside"  # llama-server leaves with 0 when told to, and only then
        return "ended by itself before it served; is it llama-server?"
    how = "ended, and nobody was told how" if death.code is None else f"exit code {death.code}"
    return _told(_complaints(death)) or f"{how}{_remark(death.lines)}"


def kind(death: Death) -> Kind:
    """The class of its end."""
    if death.asked:
        return "asked"
    if death.signal == signals.SIGKILL:
        return "oom_kill" if death.oom else "signal"
    if death.signal == signals.SIGILL:
        return "illegal_instruction"
    if death.code == 0:
        return "ended" if _spoke(death) else "refused"
    said = "\n".join(_complaints(death) + _last_words(death)[:1])
    for one, pattern in _KINDS[:2] if death.served else _KINDS:
        if pattern.search(said):
            return one
    if death.signal is not None:
        return "assertion" if _last_words(death) else "signal"
    return "refused" if said and not death.served else "other"


def _spoke(death: Death) -> bool:
    """It said what only a llama-server says."""
    return any(STAMP.match(line) or line.startswith("srv ") for line in death.lines)


def _killed(death: Death, signal: int) -> str:
    try:
        name = signals.Signals(signal).name.removeprefix("SIG")
    except ValueError:
        name = "?"
    if name == "KILL":
        return f"killed by signal {signal} (KILL){_BY_KERNEL[death.oom]}"
    for line in _last_words(death):
        return f"{line} (signal {signal}, {name})"
    # It may complain, and then crash while it cleans up.
    told = "" if death.served else _told(_complaints(death))
    return f"{told} (signal {signal}, {name})" if told else f"killed by signal {signal} ({name}){_HINTS.get(name, '')}"


def _last_words(death: Death) -> list[str]:
    # The first of them is the cause: a backtrace may follow.
    return [_message(line) for line in death.lines if LAST_WORDS.search(line)] if death.signal is not None else []


def _complaints(death: Death) -> list[str]:
    """What failed, from the inside out: `insufficient memory` comes before `failed to initialize the context`.

    What was logged while it still served is of no interest, nor what follows its last words.
    """
    complaints: list[str] = []
    for line in death.lines[-60:]:
        if "listening on" in line:
            complaints.clear()
        elif _ends_complaints(line, death):
            break
        elif _is_complaint(line) and not _HOLLOW.search(line):
            complaints.append(_message(line))
    return complaints


def _ends_complaints(line: str, death: Death) -> bool:
    """After it comes the description of a flag, which may speak of errors too, or a backtrace."""
    return line.strip() == "usage:" or (death.signal is not None and LAST_WORDS.search(line) is not None)


def _told(complaints: Sequence[str]) -> str:
    """The last complaint with substance, and the first: the load is sometimes tried twice."""
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
    return ", without saying why" if STAMP.match(lines[-1]) else f": {lines[-1].strip()}"


def _is_complaint(line: str) -> bool:
    stamp = STAMP.match(line)
    return stamp["level"] == "E" if stamp else bool(COMPLAINT.search(line))


def _message(line: str) -> str:
    """The line without time, level and the names of functions."""
    stamp = STAMP.match(line)
    return _SOURCE.sub("", (line[stamp.end() :] if stamp else line).strip()).strip()
