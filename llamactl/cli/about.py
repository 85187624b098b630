"""What is known of a model, for people."""

from collections.abc import Iterator, Sequence

from llamactl.cli import render
from llamactl.core.facts import Facts
from llamactl.core.units import show_count, show_size
from llamactl.rpc.calls import ModelDetail, ModelRow, Verification


def state(model: ModelRow | ModelDetail) -> str:
    """What it does; or that it cannot, because its file is gone."""
    return "missing" if model.missing and model.state == "stopped" else model.state


def lines(model: ModelDetail) -> Iterator[tuple[str, str]]:
    """Title and text, of what there is."""
    facts = model.facts
    for title, text in (
        ("name", model.name),
        ("file", model.path),
        ("size", show_size(model.size)),
        ("state", state(model)),
        ("aliases", ", ".join(model.aliases)),
        ("variants", ", ".join(sorted(filter(None, model.shapes)))),
        ("preset", model.preset),
        ("title", facts.title),
        ("architecture", facts.architecture),
        ("parameters", show_count(facts.parameters) if facts.parameters else facts.size_label),
        ("quantisation", facts.quantisation),
        ("context", f"{facts.context_length} tokens" if facts.context_length else ""),
        ("layers", str(facts.layers or "")),
        ("heads", _heads(facts)),
        ("experts", f"{facts.experts}, {facts.experts_used or '?'} of them used" if facts.experts else ""),
        ("embedding", str(facts.embedding_length or "")),
        ("vocabulary", f"{facts.vocabulary} tokens" if facts.vocabulary else ""),
        ("input", ", ".join(facts.modalities)),
        ("template", "yes" if facts.chat_template else "none" if facts.architecture else ""),
        ("licence", facts.licence),
        ("draft model", f"{model.drafts} might do: models set {model.name} model_draft=…" if model.drafts else ""),
    ):
        if text:
            yield title, text


def verified(found: Sequence[Verification]) -> None:
    checks = [(one.name, check) for one in found for check in one.checks]
    render.table(
        {
            "NAME": [name for name, _ in checks],
            "CHECK": [check.check for _, check in checks],
            "OK": [{True: "yes", False: "no", None: "-"}[check.ok] for _, check in checks],
            "DETAIL": ["; ".join(filter(None, (check.detail, check.hint))) for _, check in checks],
        }
    )


def _heads(facts: Facts) -> str:
    """Of attention, and those that keys and values are kept for; a range where layers differ."""
    if not facts.heads:
        return ""
    heads = _range(facts.heads)
    return f"{heads}, {_range(facts.kv_heads)} for keys and values" if facts.kv_heads else heads


def _range(numbers: Sequence[int]) -> str:
    least, most = min(numbers), max(numbers)
    return str(least) if least == most else f"{least} to {most}"
