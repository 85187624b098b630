"""How much memory a model will take, per device and by what it is for: arithmetic on what its file says.

`project` is the whole; `fitting` chooses what a model can be given. Weights count in full although they are mapped:
they are used all the time, and mapped pages that nobody counts would be dropped and read again for each token.

What a llama-server takes beside its buffers is measured on build b10434, x86-64, without a GPU: 21 MiB of code, 5 MiB
of its own, and 170 to 210 bytes for each token of the vocabulary.
"""

from collections.abc import Mapping, Sequence

import msgspec

from llamactl.core.devices import Device
from llamactl.core.facts import Facts
from llamactl.core.footprint.cache import at_layer, kv_bytes, layers, state_bytes
from llamactl.core.footprint.compute import compute_bytes, input_bytes, output_bytes
from llamactl.core.footprint.placement import place, used
from llamactl.core.footprint.setup import RELEVANT, Setup, draft_settings, setup
from llamactl.core.model import HOST, Setting
from llamactl.core.parts import Footprint, Parts, together, totals

__all__ = [
    "RELEVANT",
    "Footprint",
    "Parts",
    "Subject",
    "project",
    "setup",
    "together",
    "totals",
]

OVERHEAD = 32 << 20
"""Bytes that a llama-server takes beside its buffers, and"""
OVERHEAD_PER_TOKEN = 256
"""of its vocabulary, merges included."""

OVERHEAD_DEVICE = 256 << 20
"""Bytes that a driver takes of a GPU for each process; CUDA's context has 200 to 500 MB. Not measured by us."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be loaded: `size` is bytes of the model's file, `facts` what is known of it.

    `draft` is the same of a draft model, `projector` the bytes of the file that `mmproj` names.
    """

    size: int
    facts: Facts | None = None
    draft: "Subject | None" = None
    projector: int = 0


def project(subject: Subject, settings: Mapping[str, Setting], devices: Sequence[Device] = ()) -> dict[str, Parts]:
    """What the model takes on the host and on each device that it is shared among.

    `settings` are those that count; `devices` are the GPUs that llama-server finds.
    """
    facts = subject.facts or Facts()
    resolved = setup(facts, settings)
    found = [_model(subject, resolved, devices), {HOST: Parts(overhead=_overhead(facts))}]
    found += [{device.name: Parts(overhead=OVERHEAD_DEVICE)} for device in used(resolved, devices)]
    if subject.draft is not None:
        of_draft = subject.draft
        found.append(_model(of_draft, setup(of_draft.facts or Facts(), draft_settings(settings)), devices))
    if subject.projector:
        near = used(resolved, devices)
        place_of_it = near[0].name if near and settings.get("mmproj_offload", True) else HOST
        # What it computes with depends on the size of images; a quarter of its weights is a guess.
        found.append({place_of_it: Parts(weights=subject.projector, compute=subject.projector // 4)})
    return together(found)


def _overhead(facts: Facts) -> int:
    return OVERHEAD + OVERHEAD_PER_TOKEN * (facts.vocabulary or 0)


def _model(subject: Subject, resolved: Setup, devices: Sequence[Device]) -> dict[str, Parts]:
    facts = subject.facts
    if facts is None or not facts.layers or not facts.layer_bytes:
        return _unknown(subject, resolved, devices)
    kept = layers(facts)
    places = place(len(kept), resolved, devices)
    found = _Tally()
    found.add(HOST, weights=facts.input_bytes, output=output_bytes(facts, resolved))
    for number, layer in enumerate(kept):
        weights, experts = at_layer(facts.layer_bytes, number), at_layer(facts.expert_bytes, number)
        if number < resolved.cpu_experts:
            found.add(HOST, weights=experts)
            weights -= experts
        found.add(places[number], weights=weights)
        holder = places[number] if resolved.offload_kv else HOST
        found.add(holder, kv=kv_bytes(layer, resolved, facts), state=state_bytes(layer, resolved))
    output = facts.output_bytes + sum(facts.layer_bytes[len(kept) :])  # and layers that only predict further tokens
    if facts.tied_output and places[-1] != HOST:
        output += facts.input_bytes  # a copy of the embeddings
    found.add(places[-1], weights=output)
    compute = compute_bytes(facts, kept, resolved)
    for device in dict.fromkeys(places):
        found.add(device, compute=compute)
    if HOST not in places:
        found.add(HOST, compute=input_bytes(facts, kept, resolved))
    return found.parts()


class _Tally:
    """Bytes by device and kind while they are being added up."""

    def __init__(self) -> None:
        self._bytes: dict[str, dict[str, int]] = {}

    def add(self, device: str, **bytes: int) -> None:
        sums = self._bytes.setdefault(device, {})
        for kind, size in bytes.items():
            sums[kind] = sums.get(kind, 0) + size

    def parts(self) -> dict[str, Parts]:
        return {device: Parts(**sums) for device, sums in self._bytes.items()}


def _unknown(subject: Subject, resolved: Setup, devices: Sequence[Device]) -> dict[str, Parts]:
    """Of a file that could not be read: a tenth of the weights for everything else."""
    chosen = used(resolved, devices)
    whole = Parts(weights=subject.size, compute=subject.size // 10)
    if not chosen:
        return {HOST: whole}
    free = sum(device.free or device.total or 1 for device in chosen)
    parts = [(device.name, (device.free or device.total or 1) / free) for device in chosen]
    return {
        name: Parts(weights=int(whole.weights * share), compute=int(whole.compute * share)) for name, share in parts
    }
