"""A model as it is started elsewhere: flags sorted into what we call it, what is passed on, and what is ours to say."""

from collections.abc import Iterable

from llamactl.config.imports.flags import Flag, from_words, with_files_from
from llamactl.config.imports.ledger import Ledger
from llamactl.config.imports.report import ImportedModel
from llamactl.core.errors import BadRequest, Refused
from llamactl.core.model import Setting
from llamactl.core.parameters import parse

_GATHERED = (
    *("lora", "lora_scaled", "control_vector", "control_vector_scaled"),
    *("override_kv", "override_tensor", "spec_draft_override_tensor"),
    *("reverse_prompt", "dry_sequence_breaker", "logit_bias"),
)
"""Lists that get longer each time llama-server meets their flag; of all others the last counts."""

_FETCHED = ("model_url", "docker_repo", "hf_repo", "hf_file")


def model_from(ledger: Ledger, name: str, flags: Iterable[Flag]) -> ImportedModel:
    """`name` with these flags. What it does not keep is in the ledger, under `name: flag`."""
    path = ""
    aliases: list[str] = []
    arguments: list[str] = []
    for flag in flags:
        what, parameter, value = f"{name}: {flag.word}", flag.parameter, flag.value or ""
        if parameter is None:
            arguments.extend(flag.words)
        elif parameter.name == "model_path":
            path = str(ledger.base / value)
        elif parameter.name == "alias":
            aliases += [alias.strip() for alias in value.split(",")]
        elif parameter.name in ("host", "port"):
            ledger.left_once("--host, --port", "llama-servers listen on Unix sockets, and clients on http.port")
        elif parameter.name in _FETCHED:
            ledger.left(what, f"llama-server fetched it; get the file and put it into the catalogue as {name}")
        elif parameter.secret:
            ledger.left(what, f"a secret; if it is needed: llamactl models set {name} {parameter.name}=…")
        elif parameter.never:
            ledger.left(what, parameter.never)
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
        number = sum(1 for _ in from_words(model.arguments))
        became.append(f"{number} flag{'' if number == 1 else 's'}")
    if model.env:
        became.append(f"with {', '.join(model.env)} in its environment")
    if model.ttl is not None:
        became.append("never unloaded" if model.ttl < 0 else f"unloaded after {model.ttl:g} s")
    ledger.taken(model.name, "; ".join(became))
    ledger.models.append(model)


def settings_of(model: ImportedModel) -> tuple[dict[str, Setting], tuple[str, ...]]:
    """The arguments as settings of the parameter table, and those that are none, as they are."""
    settings: dict[str, Setting] = {}
    rest: list[str] = []
    for flag in from_words(model.arguments):
        parameter = flag.parameter
        try:
            if parameter is None or parameter.gone:
                raise BadRequest("not a setting")
            if parameter.name == "one_shot_preset":
                flag = Flag(flag.word, flag.word.lstrip("-"))
            value: object = flag.word not in parameter.off if flag.value is None else flag.value
            if parameter.name in _GATHERED and parameter.name in settings:
                value = f"{settings[parameter.name]}{parameter.separator}{value}"
            settings[parameter.name] = parse(parameter.name, value)
        except (BadRequest, Refused):
            rest += flag.words
    return settings, tuple(rest)
