"""A model as it is started elsewhere: flags sorted into what we call it, what is passed on, and what is ours to say."""

from collections.abc import Iterable

from llamactl.config.imports.flags import Flag, Roles, from_words, with_files_from
from llamactl.config.imports.ledger import Ledger
from llamactl.config.imports.report import ImportedModel


def model_from(ledger: Ledger, name: str, flags: Iterable[Flag]) -> ImportedModel:
    """`name` with these flags. What it does not keep is in the ledger, under `name: flag`."""
    path = ""
    aliases: list[str] = []
    arguments: list[str] = []
    for flag in flags:
        what = f"{name}: {flag.words[0]}"
        if flag.name in Roles.model and flag.value:
            path = str(ledger.base / flag.value)
        elif flag.name in Roles.alias and flag.value:
            aliases += [alias.strip() for alias in flag.value.split(",")]
        elif flag.name in Roles.elsewhere:
            ledger.left(what, f"llama-server fetched it; get the file and put it into the catalogue as {name}")
        elif flag.name in Roles.secret:
            ledger.left(what, "a secret, and nothing is fetched")
        elif flag.name in ("host", "port"):
            ledger.left_once("--host, --port", "llama-servers listen on Unix sockets, and clients on http.port")
        elif flag.name in Roles.ours or (flag.value and "${PORT}" in flag.value):
            ledger.left(what, "llamactl says where llama-server listens, and who may ask")
        else:
            arguments.extend(with_files_from(flag, ledger.base).words)
    return ImportedModel(
        name=name,
        path=path,
        aliases=tuple(alias for alias in dict.fromkeys(aliases) if alias and alias != name),
        arguments=tuple(arguments),
    )


def note(ledger: Ledger, model: ImportedModel) -> None:
    """That there is this model, in the words of the report."""
    became = [model.path or "settings for a model of the catalogue"]
    if model.aliases:
        became.append(f"aliases {', '.join(model.aliases)}")
    if model.arguments:
        became.append(f"{sum(1 for _ in from_words(model.arguments))} flags")
    if model.env:
        became.append(f"with {', '.join(model.env)} in its environment")
    if model.ttl is not None:
        became.append("never unloaded" if model.ttl < 0 else f"unloaded after {model.ttl:g} s")
    ledger.taken(model.name, "; ".join(became))
    ledger.models.append(model)
