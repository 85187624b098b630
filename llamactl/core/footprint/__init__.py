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
from llamactl.core.footprint.cache import Layer, kv_bytes, layers, state_bytes
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
    found = [{HOST: Parts(weights=facts.input_bytes, output=output_bytes(facts, resolved))}]
    found += [_layer(facts, resolved, number, layer, places[number]) for number, layer in enumerate(kept)]
    output = facts.output_bytes
    if facts.tied_output and places[-1] != HOST:
        output += facts.input_bytes  # a copy of the embeddings
    beyond = sum(facts.layer_bytes[len(kept) :])  # of layers that only predict further tokens
    found.append({places[-1]: Parts(weights=output + beyond)})
    compute = compute_bytes(facts, kept, resolved)
    busy = dict.fromkeys(places)
    found += [{device: Parts(compute=compute)} for device in busy]
    if HOST not in busy:
        found.append({HOST: Parts(compute=input_bytes(facts, kept, resolved))})
    return together(found)


def _layer(facts: Facts, resolved: Setup, number: int, layer: Layer, device: str) -> dict[str, Parts]:
    weights = facts.layer_bytes[number] if number < len(facts.layer_bytes) else 0
    near = facts.expert_bytes[number] if number < min(resolved.cpu_experts, len(facts.expert_bytes)) else 0
    away = Parts(weights=weights - near)
    kept = Parts(kv=kv_bytes(layer, resolved, facts), state=state_bytes(layer, resolved))
    holder = device if resolved.offload_kv else HOST
    return together([{device: away}, {HOST: Parts(weights=near)}, {holder: kept}])


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
