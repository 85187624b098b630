"""Why a llama-server ended, as one word for programs; `MEANING` says it for people."""

from typing import Literal

Kind = Literal[
    "asked",
    "ended",
    "signal",
    "oom_kill",
    "out_of_memory",
    "assertion",
    "bad_argument",
    "missing_file",
    "corrupt_file",
    "unsupported",
    "cannot_bind",
    "illegal_instruction",
    "library_missing",
    "refused",
    "stalled",
    "wedged",
    "worker_lost",
    "other",
]

MEANING: dict[Kind, str] = {
    "asked": "stopped by llamactl",
    "ended": "ended by itself, or was told to by somebody else",
    "signal": "killed by a signal",
    "oom_kill": "killed by the kernel for lack of memory",
    "out_of_memory": "got no more memory from a device",
    "assertion": "gave up by itself: a bug, or a device that failed",
    "bad_argument": "does not know a setting or its value",
    "missing_file": "a file is not there",
    "corrupt_file": "a file is damaged, or is no GGUF",
    "unsupported": "this llama-server cannot run such a model",
    "cannot_bind": "could not listen on its socket",
    "illegal_instruction": "this llama-server was built for another processor",
    "library_missing": "a library of llama-server is missing",
    "refused": "would not start with this model and these settings",
    "stalled": "loaded without any progress",
    "wedged": "served no more, and was put down for it",
    "worker_lost": "worker lost",
    "other": "for a reason it did not tell",
}

OF_MEMORY: frozenset[Kind] = frozenset({"out_of_memory", "oom_kill"})
"""Died since there was not enough memory."""
