"""What a model can be given where not everything fits.

As llama-server does it by itself (`--fit`): of what is not set, first the context is cut down, then layers stay with
the host. Here it is done with the memory that models may take, not with all that happens to be free.
"""

from collections.abc import Iterator, Mapping, Sequence

from llamactl.core.devices import Device
from llamactl.core.eviction import Memory, exceeds
from llamactl.core.facts import Facts
from llamactl.core.footprint import Subject, project, totals
from llamactl.core.footprint.placement import used
from llamactl.core.footprint.setup import setup
from llamactl.core.model import Setting

LEAST = 4096
"""Tokens: a context is not cut down further, unless `fit_ctx` says so."""

STEP = 1024
"""Tokens: a recommended context is a multiple of it."""


def options(
    subject: Subject, settings: Mapping[str, Setting], devices: Sequence[Device]
) -> Iterator[dict[str, Setting]]:
    """What may be added to the settings to need less, the best first; to begin with nothing.

    A context is halved, not cut to measure: what is free changes all the time, and what was learned of a context is
    worth something only if it comes again.
    """
    yield {}
    if settings.get("fit", "on") == "off":
        return
    facts = subject.facts or Facts()
    added: dict[str, Setting] = {}
    if "ctx_size" not in settings:
        context, least = setup(facts, settings).context, int(settings.get("fit_ctx", LEAST))
        while context // 2 >= least:
            context //= 2
            added = {"ctx_size": context}
            yield added
    layers = facts.layers or 0
    if "gpu_layers" not in settings and used(setup(facts, settings), devices):
        for away in range(layers, -1, -max(1, layers // 16)):
            yield added | {"gpu_layers": away}


def largest_context(
    subject: Subject, settings: Mapping[str, Setting], devices: Sequence[Device], room: Memory
) -> int | None:
    """Tokens, up to the model's own; None if not even the least fits. `settings` say everything else."""
    facts = subject.facts or Facts()
    most = setup(facts, {**settings, "ctx_size": 0}).context

    def fits(context: int) -> bool:
        return not exceeds(totals(project(subject, {**settings, "ctx_size": context}, devices)), room)

    if fits(most):
        return most
    low, high = 0, most // STEP + 1  # in steps: this one fits, that one does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle * STEP) else (low, middle)
    return low * STEP or None
