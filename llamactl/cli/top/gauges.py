"""The machine and its GPUs: gauges with limits, and the last minutes."""

from rich.text import Text

from llamactl.cli.top.pictures import Glyphs, gauge, sparkline
from llamactl.cli.top.view import CPU, MEMORY, RATE, Key, View
from llamactl.core.alerts import USUAL
from llamactl.core.sample import Gpu, Sample, share
from llamactl.core.units import show_size

LIMITS = USUAL
"""What is red. Alerts themselves are those of the daemon."""
NEAR = 0.8
"""From this part of a limit on it is yellow."""
SPAN = 300.0
LABEL = 6


def machine(view: View, width: int, gpus: int, glyphs: Glyphs) -> list[Text]:
    """At most so many GPUs, in a row each."""
    sample = view.sample
    if sample is None:
        return [Text("nothing has been measured yet", style="dim")]
    host, half = sample.host, (width - 2) // 2
    used = host.memory_total - host.memory_available
    memory = share(used, host.memory_total)
    load = "-" if host.load is None else " ".join(f"{each:.1f}" for each in host.load[: 1 if width < 100 else 3])
    speed = next((value for at, value in reversed([*view.series(RATE)]) if at == sample.at / 1000), None)
    rows = [
        _pair(
            _meter(view, "cpu", host.cpu, LIMITS.cpu, f"load {load}", CPU, half, glyphs),
            _meter(view, "memory", memory, LIMITS.memory, _of(used, host.memory_total), MEMORY, half, glyphs),
            half,
        )
    ]
    right = Text("tok/s".ljust(LABEL + 1) + ("    -" if speed is None else f"{speed:5.0f}") + " ")
    right.append(_past(view, RATE, max(0, half - len(right)), None, glyphs), style="cyan")
    disks = [
        _meter(view, "disk", disk.usage, LIMITS.disk, f"{_of(disk.used, disk.total)} {disk.path}", None, half, glyphs)
        for disk in host.disks[:2]
    ] or [Text("disk   -")]
    rows.append(_pair(disks[0], right, half))
    rows += [_pair(disk, Text(), half) for disk in disks[1:] if gpus > 3]
    shown = sample.gpus if len(sample.gpus) <= gpus else sample.gpus[: gpus - 1]
    rows += [_gpu(view, gpu, width, half, glyphs) for gpu in shown]
    if len(shown) < len(sample.gpus):
        rows.append(Text(f"and {len(sample.gpus) - len(shown)} more GPUs: llamactl devices", style="dim"))
    return rows


def colour(value: float | None, limit: float) -> str:
    """0 is no limit."""
    if value is None or not limit:
        return ""
    return "red" if value >= limit else "yellow" if value >= NEAR * limit else "green"


def _gpu(view: View, gpu: Gpu, width: int, half: int, glyphs: Glyphs) -> Text:
    memory = None
    if gpu.memory_used is not None and gpu.memory_total is not None:
        memory = share(gpu.memory_used, gpu.memory_total)
    said = Text()
    warm = "  -" if gpu.temperature is None else f"{gpu.temperature:3.0f}"
    said.append(warm, colour(gpu.temperature, LIMITS.gpu_temperature))
    said.append("°C " if glyphs.full == "█" else "C ")
    said.append("-" if gpu.power is None else f"{gpu.power:.0f}", colour(gpu.power, LIMITS.gpu_power))
    said.append("W" if gpu.power_limit is None else f"/{gpu.power_limit:.0f}W")
    left = _meter(view, gpu.label[-LABEL:], gpu.usage, LIMITS.gpu, said, ("gpu", gpu.label, "usage"), half, glyphs)
    size = _of(gpu.memory_used, gpu.memory_total)
    return _pair(left, _meter(view, "vram", memory, LIMITS.gpu_memory, size, None, half, glyphs), half)


def _meter(
    view: View, label: str, percent: float | None, limit: float, said: str | Text, key: Key | None, width: int,
    glyphs: Glyphs,
) -> Text:  # fmt: skip
    """Label, bar, percent, what is said of it; and the last minutes in the room that is left."""
    line = Text(label.ljust(LABEL + 1))
    line.append(gauge(percent, max(6, width // 6), glyphs), colour(percent, limit))
    line.append("    - " if percent is None else f" {percent:3.0f}% ")
    line.append_text(said if isinstance(said, Text) else Text(said))
    if key is not None and (left := width - len(line) - 1) > 3:
        line.append(" ").append(_past(view, key, left, 100.0, glyphs), style="cyan")
    return line


def _past(view: View, key: Key, width: int, top: float | None, glyphs: Glyphs) -> str:
    sample: Sample | None = view.sample
    end = sample.at / 1000 if sample else 0.0
    return sparkline(view.series(key), end, SPAN, width, top, glyphs) if width > 0 else ""


def _pair(left: Text, right: Text, half: int) -> Text:
    left.truncate(half, pad=True)
    return left.append("  ").append_text(right)


def _of(part: float | None, whole: float | None) -> str:
    if part is None or whole is None:
        return "-"
    value, unit = show_size(part).split()
    total = show_size(whole)
    return f"{value}/{total}" if total.endswith(f" {unit}") else f"{value} {unit}/{total}"
