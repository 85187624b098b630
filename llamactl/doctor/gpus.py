"""Who sees the GPUs, and who does not (pure, but for `bus`)."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from llamactl.core.finding import Finding, problem, warning
from llamactl.core.surroundings import Surroundings

VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD"}
"""Whose GPUs are worth computing with, where there is a choice; by PCI number."""

_DISPLAYS = ("0x0300", "0x0302", "0x0380")
"""PCI's classes of what draws or computes in 3D."""

_WITHOUT = frozenset(("cpu", "blas"))
"""Backends that use no GPU."""


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """`here` what this process sees, `service` what the daemon does; `bus` the vendors of GPUs on the PCI bus.

    `devices` are the GPUs that llama-server finds where it is to run, `own_devices` those that the same one finds when
    it is run from here; None is not known. `edit` and `restart` are the commands for the daemon's unit, and for itself.
    """

    here: Surroundings
    service: Surroundings | None = None
    bus: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    devices: tuple[str, ...] | None = None
    own_devices: tuple[str, ...] | None = None
    edit: str = ""
    restart: str = ""


def decide(sight: Sight) -> Iterator[Finding]:
    """The first thing that is wrong: what comes after it follows from it."""
    runner = sight.service or sight.here
    if sight.service is not None and (lacking := next(sight.service.lacks(sight.here), None)):
        what, why = lacking
        yield problem("gpu-hidden", f"the daemon cannot use {what}, and you can", why, _let(sight, sight.service, what))
    elif forbidden := runner.forbidden:
        node = forbidden[0]
        yield warning(
            "gpu-forbidden",
            f"{runner.user} may not use {node.path}",
            f"it is for the group {node.group}, and {runner.user} is in {', '.join(runner.groups) or 'none'}; "
            "who has joined a group is in it from the next login on",
            f"sudo usermod -aG {node.group} {runner.user}",
        )
    elif silent := [vendor for vendor in sight.bus if not _told(vendor, runner)]:
        yield warning(
            "gpu-driver",
            f"a GPU of {silent[0]} is in this machine, and no driver tells of it",
            "none is installed or loaded; or this is a container that was started without it",
            "nvidia-smi" if silent[0] == "NVIDIA" else "lsmod | grep amdgpu",
        )
    elif sight.devices == () and sight.own_devices:
        yield problem(
            "gpu-hidden",
            f"llama-server finds {', '.join(sight.own_devices)} when you run it, and none as the daemon does",
            "the daemon looked when it started, and the driver came later; or its unit forbids devices",
            sight.restart,
        )
    elif sight.devices == () and runner.gpus:
        yield _unused(sight, runner)


def _unused(sight: Sight, runner: Surroundings) -> Finding:
    message = f"llama-server finds no GPU, and there is {runner.gpus[0]}"
    capable = [name for name in sight.backends if name not in _WITHOUT]
    if "vulkan" in capable:
        why = "it was built with Vulkan, and finds no driver of the GPU for that"
        return warning("gpu-unused", message, why, "sudo apt-get install mesa-vulkan-drivers")
    if capable:
        why = f"it was built with {', '.join(capable)}, and finds no GPU for that: is its driver new enough?"
        return warning("gpu-unused", message, why, "llamactl devices")
    why = "this build computes on the CPU alone; the engine package and builds with a backend for GPUs do not"
    return warning("gpu-unused", message, why, "pip install 'llamactl-daemon[engine]'")


def bus(root: Path = Path("/")) -> tuple[str, ...]:
    """The vendor of each GPU on the PCI bus of a machine whose `/` is `root`."""
    found = []
    for device in sorted((root / "sys/bus/pci/devices").glob("*")):
        try:
            vendor, kind = ((device / name).read_text().strip() for name in ("vendor", "class"))
        except OSError:
            continue
        if vendor in VENDORS and kind.startswith(_DISPLAYS):
            found.append(VENDORS[vendor])
    return tuple(found)


def _told(vendor: str, by: Surroundings) -> bool:
    """Do its drivers tell of one of that vendor? NVIDIA's names need not say so."""
    radeon = [gpu for gpu in by.gpus if "AMD" in gpu or "Radeon" in gpu]
    return bool(radeon) if vendor == "AMD" else len(radeon) < len(by.gpus)


def _let(sight: Sight, service: Surroundings, what: str) -> str:
    """What gives it to the daemon."""
    node = service.node(what)
    if node is not None:
        return f"sudo usermod -aG {node.group} {service.user} && {sight.restart}"
    return sight.edit if what.startswith("/") and sight.edit else sight.restart
