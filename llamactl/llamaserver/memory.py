"""What llama-server's log lines say of memory (pure): buffers by device, the breakdown at exit, what was not to be had.

It names its buffers at verbosity 4 only: `load_tensors:   CPU_Mapped model buffer size =    40.02 MiB`. Source of those
of devices that we have not seen: llama.cpp's `ggml_backend_buft_name` of each backend.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from llamactl.core.footprint import Parts
from llamactl.core.model import HOST

MIB = 1 << 20

_BUFFER = re.compile(
    r"(?P<name>[\w.:\[\]-]+) +(?:(?P<kind>model|KV|RS|compute|output) +)?buffer size += +(?P<mib>[\d.]+) MiB"
)
_CONTEXT = "constructing llama_context"
_KINDS = {"KV": "kv", "RS": "state", "compute": "compute", "output": "output"}
_OURS = re.compile(r"CPU|AMX|BLAS|Host$|.*_Host$")
_SUBSET = re.compile(r"^CPU_|^AMX")
_SUFFIX = re.compile(r"_(Mapped|Private|Split)$")
_PROJECTOR = re.compile(r"load_hparams: model size: +([\d.]+) MiB")
_PROJECTOR_ON = re.compile(r"CLIP using (\S+) backend")

_ROW = re.compile(
    r"memory_breakdown_print: \| +- (?P<name>\S+)[^|]*\|(?: *\d+ = *\d+ \+ \()? *\d+ = *"
    r"(?P<model>\d+) \+ *(?P<context>\d+) \+ *(?P<compute>\d+)"
)

_SHORTAGES = tuple(
    re.compile(pattern)
    for pattern in (
        r"failed to allocate (?:(?P<device>\S+) )?buffer of size (?P<bytes>\d+)",
        r"allocating (?P<mib>[\d.]+) MiB on device (?P<number>\d+): \w+ failed: out of memory",
        r"Device memory allocation of size (?P<bytes>\d+) failed",
        r"failed to allocate buffer, size = +(?P<mib>[\d.]+) MiB",
        r"insufficient memory \(attempted to allocate +(?P<mib>[\d.]+) MB\)",
    )
)
_BARE = re.compile(
    r"(?:CUDA|ROCm|HIP|MUSA) error: out of memory|ErrorOutOf(?:Device|Host)Memory"
    r"|unable to allocate (?P<device>\S+) buffer"
    r"|failed to allocate buffer for (?:kv|rs) cache|failed to allocate compute (?:pp )?buffers|std::bad_alloc"
    r"|kIOGPUCommandBufferCallbackErrorOutOfMemory|Cannot allocate memory"
)


class Shortage(msgspec.Struct, frozen=True):
    """An allocation that failed. `asked` is bytes, None where the lines do not say; `device` is empty then, too."""

    device: str = ""
    asked: int | None = None


def buffers(lines: Iterable[str]) -> dict[str, Parts]:
    """What it has set aside, by device; empty where it does not say. `overhead` it never tells.

    Weights that are rearranged for a CPU count once: their mapped pages are not used again. Of a graph that is laid
    out more than once the largest layout counts.
    """
    lines = list(lines)
    sizes: defaultdict[tuple[str, str], float] = defaultdict(float)
    computed: defaultdict[tuple[int, str], float] = defaultdict(float)
    context = 0
    projector = (HOST, 0.0)
    for line in lines:
        context += _CONTEXT in line
        if match := _PROJECTOR.search(line):
            projector = (projector[0], float(match[1]))
        elif match := _PROJECTOR_ON.search(line):
            projector = (device_of(match[1]), projector[1])
        if not (match := _BUFFER.search(line)):
            continue
        name, kind, mib = match["name"], match["kind"] or "model", float(match["mib"])
        device = device_of(name)
        if kind == "compute":
            computed[context, device] = max(computed[context, device], mib)
        elif kind != "model":
            sizes[device, _KINDS[kind]] += mib
        elif not _SUBSET.search(name):
            sizes[device, "weights"] += mib
    for (_, device), mib in computed.items():
        sizes[device, "compute"] += mib
    kept, rearranged = _weights(lines)
    if kept or rearranged:
        sizes[HOST, "weights"] += max(kept, rearranged)
    if sizes and projector[1]:
        sizes[projector[0], "weights"] += projector[1]
    return {
        device: Parts(**{kind: round(mib * MIB) for (of, kind), mib in sizes.items() if of == device})
        for device in dict.fromkeys(device for device, _ in sizes)
    }


def mapped(lines: Iterable[str]) -> int:
    """Bytes of the host's weights that it uses where they are in the file."""
    kept, rearranged = _weights(lines)
    return round(max(0.0, kept - rearranged) * MIB)


def breakdown(lines: Iterable[str]) -> dict[str, Parts]:
    """The table that it prints at exit, in whole MiB; what it calls context is in `kv`. The last one counts."""
    found: dict[str, Parts] = {}
    for line in lines:
        if "memory breakdown [MiB]" in line:
            found = {}
        elif match := _ROW.search(line):
            model, context, compute = (int(match[kind]) * MIB for kind in ("model", "context", "compute"))
            device = device_of(match["name"])
            found[device] = found.get(device, Parts()) + Parts(weights=model, kv=context, compute=compute)
    return found


def shortage(lines: Iterable[str]) -> Shortage | None:
    """The allocation that it died of, if it did: the last one that failed.

    To be asked of a process that has ended: one that serves may have tried again with less.
    """
    found: Shortage | None = None
    for line in lines:
        told = _told(line)
        if told is not None and (found is None or told.asked is not None):
            found = Shortage(told.device or (found.device if found else ""), told.asked)
    return found


def device_of(buffer: str) -> str:
    """The device that a buffer or backend is on, as llama-server names it."""
    return HOST if _OURS.match(buffer) else _SUFFIX.sub("", buffer)


def _weights(lines: Iterable[str]) -> tuple[float, float]:
    """MiB on the host that are mapped, and that were copied to be rearranged."""
    found = {True: 0.0, False: 0.0}
    for line in lines:
        match = _BUFFER.search(line)
        if match and (match["kind"] or "model") == "model" and _SUBSET.search(match["name"]):
            found[match["name"].endswith("_Mapped")] += float(match["mib"])
    return found[True], found[False]


def _told(line: str) -> Shortage | None:
    for pattern in _SHORTAGES:
        if match := pattern.search(line):
            groups = match.groupdict()
            size = int(groups["bytes"]) if groups.get("bytes") else round(float(groups["mib"]) * MIB)
            return Shortage(_named(line, groups), size)
    if match := _BARE.search(line):
        return Shortage(_named(line, match.groupdict()))
    return None


def _named(line: str, groups: dict[str, str]) -> str:
    if groups.get("device"):
        return device_of(groups["device"])
    if groups.get("number"):
        backend = next((name for name in ("ROCm", "MUSA") if name.casefold() in line.casefold()), "CUDA")
        return f"{backend}{groups['number']}"
    return HOST if "ggml_backend_cpu" in line or "ggml_aligned_malloc" in line else ""
