"""Models of llama-swap's YAML: a command for each, with macros in it."""

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from llamactl.config.imports import models
from llamactl.config.imports.flags import from_words
from llamactl.config.imports.ledger import Ledger
from llamactl.config.imports.report import Imported
from llamactl.core.errors import BadRequest

FORMAT = "llama-swap"

LONGEST = 1 << 16
"""Characters of a command with all macros put in: they may be in each other, many times."""

_GLOBAL = {
    "apiKeys": "keys are kept as hashes only: llamactl keys create",
    "groups": "memory decides which models run together",
    "matrix": "memory decides which models run together",
    "routing": "memory decides which models run together",
    "peers": "llamactl runs models of this machine only",
    "startPort": "there are no ports to hand out: llama-servers listen on Unix sockets",
    "includeAliasesInList": "aliases are always found",
}
_OF_MODEL = {
    "cmdStop": "a process is stopped by a signal",
    "proxy": "llamactl says where llama-server listens",
    "checkEndpoint": "llama-server has one of its own",
    "useModelName": "a model is called the same everywhere",
    "concurrencyLimit": "residency.queue_per_model says it for all models",
    "timeouts": "residency.load_timeout and residency.max_wait say it for all models",
    "unloadTimeout": "residency.drain says it for all models",
}
_KINDS = (None, *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")))

_WORDS_OF_OURS = {"macros", "models", "healthCheckTimeout", "globalTTL", "logLevel", "hooks"}
_READ = {"cmd", "macros", "aliases", "env", "ttl"}


def llama_swap(text: str, base: Path, environment: Mapping[str, str]) -> Imported:
    """`environment` is for `${env.NAME}`. Raises `BadRequest` for what is no YAML, or not of this kind."""
    document = _parse(text)
    ledger = Ledger(FORMAT, base)
    macros = _mapping(document.get("macros"))
    for field, value in document.items():
        if field in _WORDS_OF_OURS:
            _global(ledger, field, value)
        else:
            ledger.left(field, _GLOBAL.get(field, "llamactl has nothing like it"))
    for name, about in _mapping(document.get("models")).items():
        try:
            _model(ledger, name, _mapping(about), macros, environment)
        except BadRequest as error:
            ledger.invalid(name, error.message)
    return ledger.close()


def _parse(text: str) -> dict[str, Any]:
    """Everything but merged and empty values stays the text that it was: a macro may be `on`, or `0.70`."""
    import yaml  # type: ignore[import-untyped]  # 40 ms that only this costs

    safe = yaml.SafeLoader
    known = {
        "yaml_implicit_resolvers": {"<": safe.yaml_implicit_resolvers["<"]},
        "yaml_constructors": {tag: safe.yaml_constructors[tag] for tag in _KINDS},
    }
    loader = type("Loader", (safe,), known)
    try:
        document = yaml.load(text, loader)  # a SafeLoader that knows even fewer types
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise BadRequest(f"{line}{error.problem or 'not YAML'}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadRequest(f"not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(document, dict) or "models" not in document:
        raise BadRequest("there are no models in it")
    return document


def _global(ledger: Ledger, field: str, value: object) -> None:
    match field:
        case "healthCheckTimeout":
            ledger.key(field, "residency.load_timeout", _seconds(value), "counted from the last sign of progress")
        case "globalTTL":
            seconds = _seconds(value)
            ledger.key(field, "residency.ttl", -1 if seconds == 0 else seconds, "seconds; 0 was never, here that is -1")
        case "logLevel":
            ledger.key(field, "logging.console_level", str(value))
        case "hooks":
            preload = _mapping(_mapping(value).get("on_startup")).get("preload")
            if preload:
                ledger.key("hooks.on_startup.preload", "models.preload", list(map(str, _list(preload))))


def _model(
    ledger: Ledger, name: str, about: dict[str, Any], macros: dict[str, Any], environment: Mapping[str, str]
) -> None:
    own = {"MODEL_ID": name, **macros, **_mapping(about.get("macros"))}
    words = _command(_put_in(str(about.get("cmd") or ""), own, environment))
    engine = PurePosixPath(words[0])
    if "llama-server" not in engine.name:
        ledger.left(name, f"it is run by {engine.name}, and not by llama-server itself")
        return
    model = models.model_from(ledger, name, from_words(words[1:]))
    for field in about:
        if field not in _READ:
            ledger.left(f"{name}: {field}", _OF_MODEL.get(field, "llamactl has nothing like it"))
    env = [_put_in(str(each), own, environment).partition("=") for each in _list(about.get("env"))]
    ttl = _seconds(about.get("ttl", "-1"))
    model = msgspec.structs.replace(
        model,
        aliases=tuple(dict.fromkeys([*_aliases(about.get("aliases")), *model.aliases])),
        env={variable: value for variable, _, value in env},
        ttl=None if ttl < 0 else -1.0 if ttl == 0 else float(ttl),
        engine=_engine(engine),
    )
    models.note(ledger, model)


def _engine(path: PurePosixPath) -> str:
    """A llama-server of its own: not the one that everybody finds."""
    return "" if str(path) == "llama-server" else str(path)


def _command(text: str) -> list[str]:
    """The words of a command: several lines, some of them remarks, some ending in a backslash."""
    rows = [row.strip() for row in text.split("\n")]
    joined = "\n".join(row.removesuffix("\\") for row in rows if not row.startswith("#"))
    try:
        words = shlex.split(joined)
    except ValueError as error:
        raise BadRequest(f"cmd: {str(error)[:1].lower()}{str(error)[1:]}") from None
    if not words:
        raise BadRequest("it has no cmd")
    return words


def _put_in(text: str, macros: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """`text` with every macro in its place, the last first, as each may use those before it; not `${PORT}`."""
    for name, value in reversed(list(macros.items())):
        slot, inside = f"${{{name}}}", str(value)
        if len(text) + text.count(slot) * len(inside) > LONGEST:
            raise BadRequest(f"the macros make more than {LONGEST} characters")
        text = text.replace(slot, inside)
    for variable in dict.fromkeys(re.findall(r"\$\{env\.([A-Za-z_][A-Za-z0-9_]*)\}", text)):
        if variable not in environment:
            raise BadRequest(f"the variable {variable} is not set in the environment")
        text = text.replace(f"${{env.{variable}}}", environment[variable])
    unknown = set(re.findall(r"\$\{([A-Za-z0-9_-]+)\}", text)) - {"PORT"}
    if unknown:
        raise BadRequest(f"there is no macro {min(unknown)}")
    return text


def _aliases(value: object) -> Iterable[str]:
    for alias in _list(value):
        name = alias.get("id") if isinstance(alias, dict) else alias
        if name:
            yield str(name)


def _seconds(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise BadRequest(f"not a number of seconds: {value!r}") from None


def _mapping(value: object) -> dict[str, Any]:
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise BadRequest("expected a mapping")
    return {str(key): each for key, each in value.items()}


def _list(value: object) -> list[Any]:
    if value is None or value == "":
        return []
    if not isinstance(value, list):
        raise BadRequest("expected a list")
    return value
