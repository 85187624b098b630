"""Settings and capabilities → command line (pure)."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from llamactl.core.errors import Refused
from llamactl.core.model import Model, Setting
from llamactl.core.parameters import PARAMETERS, SECRETS, Parameter, pieces
from llamactl.core.parameters.layers import LOADING, Effective, Layer, effective
from llamactl.llamaserver.capabilities import Capabilities
from llamactl.llamaserver.extra import checked

_SOURCES = ("docker_repo", "hf_repo", "one_shot_preset")
"""With one of these llama-server finds a file itself, and would take the model's for a name inside it."""

_MODES: dict[str, dict[str, bool]] = {
    "auto": {},
    "none": {"mmap": False},
    "mmap": {"mmap": True},
    "mlock": {"mmap": False, "mlock": True},
    "mmap+mlock": {"mmap": True, "mlock": True},
    "dio": {"direct_io": True},
}
"""What each word of `--load-mode` is called by builds that have no such flag."""


class Command(msgspec.Struct, frozen=True):
    """What to execute, and what to add to its environment: secrets stand there, for all can read arguments."""

    arguments: tuple[str, ...]
    environment: dict[str, str] = {}


def build(
    engine: str,
    model: Model,
    socket: str,
    layers: Sequence[Layer],
    able: Capabilities,
    *,
    extra: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Command:
    """The command that serves `model` on the Unix socket `socket`; `engine` is the executable's path.

    `layers` are what stands behind the model's own settings, the strongest last: configuration, server
    defaults, preset. What none of them sets is left to llama-server. `server_path` is not looked at: `engine` is
    what came of it. `extra` are arguments passed as they are, after those of the setting `custom_params`.
    `environment` is what the engine needs anyway.

    Raises `BadRequest` for a setting that does not exist or cannot have its value, `Refused` for one that
    this build of llama-server does not have, or that llamactl does not pass.
    """
    own = Layer("model", model.settings, model.name)
    settings = effective([*layers, own])
    line = [engine]
    if not any(source in settings for source in _SOURCES):
        line += ["--model", model.path]
    line += ["--alias", model.name, "--host", socket]
    if "metrics_enabled" not in settings and able.has("--metrics"):
        line.append("--metrics")
    added = dict(environment or {})
    for name, setting in settings.items():
        parameter = PARAMETERS[name]
        if parameter.ours:
            continue
        if name == "chat_template":
            line += _template(setting, settings.get("jinja"), able)
        if parameter.secret:
            _flag(parameter, setting.layer, able)
            added[parameter.environment] = str(setting.value)
        elif parameter.kind == "arguments":
            line += checked(pieces(parameter, setting.value), able, setting.layer.way_out(name))
        elif name == "load_mode" or name in LOADING:
            line += _loading(name, settings, able)
        else:
            line += _arguments(parameter, setting.value, setting.layer, able)
    line += checked(extra, able, own.way_out("custom_params"))
    return Command(tuple(line), added)


def show(command: Command) -> str:
    """One line that a shell can read. Secrets are `***`."""
    shown = {name: "***" if name in SECRETS else value for name, value in command.environment.items()}
    assignments = [f"{name}={shlex.quote(value)}" for name, value in shown.items()]
    return " ".join([*assignments, shlex.join(command.arguments)])


def _arguments(parameter: Parameter, value: Setting, layer: Layer, able: Capabilities) -> Iterator[str]:
    if parameter.name == "one_shot_preset":
        yield _first([f"--{value}"], parameter, layer, able)
    elif parameter.kind == "switch" and parameter.words is None:
        yield from _switch(parameter, bool(value), layer, able)
    else:
        flag = _flag(parameter, layer, able)
        items = pieces(parameter, value)
        _listed(flag, items, layer.way_out(parameter.name), able)
        if parameter.passing == "each":
            yield from (word for item in items for word in (flag, item))
        elif parameter.passing == "spread":
            yield from (flag, *items)
        else:
            yield from (flag, parameter.separator.join(items))


def _switch(parameter: Parameter, on: bool, layer: Layer, able: Capabilities) -> list[str]:
    """A build that has one of the two flags only is the other way unless told."""
    wanted, other = (parameter.flags, parameter.off) if on else (parameter.off, parameter.flags)
    if flag := next(filter(able.has, wanted), None):
        return [flag]
    if any(map(able.has, other)) or not wanted:
        return []
    return [_first(wanted, parameter, layer, able)]


def _template(template: Effective, jinja: Effective | None, able: Capabilities) -> list[str]:
    """What must come before a chat template: with Jinja llama-server takes a name for the text of a template.

    It then makes the same prompt of every conversation: that name. Only `chatml` it knows either way.
    """
    name, way_out = str(template.value), template.layer.way_out("chat_template")
    if "{" in name or name == "chatml" or not able.templates:
        return []
    if name not in able.templates:
        raise Refused(
            f"this build of llama-server (version {able.version}) has no chat template {name}",
            f"llamactl templates ls has those there are; {way_out}",
        )
    if jinja is not None and jinja.value:
        raise Refused(
            f"the chat template {name} works without Jinja only, and jinja is on ({jinja.layer.title})",
            f"{jinja.layer.way_out('jinja')}; or {way_out}",
        )
    return ["--no-jinja"] if jinja is None and able.has("--no-jinja") else []


def _loading(name: str, settings: Mapping[str, Effective], able: Capabilities) -> Iterator[str]:
    """Four settings for one thing: passed once, where the first of them stands."""
    given = {part: settings[part] for part in ("load_mode", *LOADING) if part in settings}
    if name != next(iter(given)):
        return
    mode = PARAMETERS["load_mode"]
    layer = given[name].layer
    if any(map(able.has, mode.flags)):
        word = str(given[name].value) if name == "load_mode" else _mode(given)
        if word:
            yield from _arguments(mode, word, layer, able)
    elif name == "load_mode":
        for part, on in _MODES[str(given[name].value)].items():
            yield from _switch(PARAMETERS[part], on, layer, able)
    else:
        for part, setting in given.items():
            yield from _switch(PARAMETERS[part], bool(setting.value), setting.layer, able)


def _mode(given: Mapping[str, Effective]) -> str:
    """The word for what older builds are told by switches, where mmap is on unless switched off."""
    mmap, mlock, direct = (given[part].value if part in given else None for part in LOADING)
    if direct and mlock:
        raise Refused(
            "this build of llama-server can lock a model in memory or read past the page cache, not both",
            given["mlock"].layer.way_out("mlock"),
        )
    if direct:
        return "dio"
    if mlock:
        return "mlock" if mmap is False else "mmap+mlock"
    return {None: "", True: "mmap", False: "none"}[None if mmap is None else bool(mmap)]


def _flag(parameter: Parameter, layer: Layer, able: Capabilities) -> str:
    return _first(parameter.flags, parameter, layer, able)


def _first(flags: Sequence[str], parameter: Parameter, layer: Layer, able: Capabilities) -> str:
    """The spelling that this build knows."""
    if flag := next(filter(able.has, flags), None):
        return flag
    way_out = layer.way_out(parameter.name)
    raise Refused(
        f"this build of llama-server (version {able.version}) has no {flags[0]}",
        f"{parameter.gone}; {way_out}" if parameter.gone else way_out,
    )


def _listed(flag: str, items: Sequence[str], way_out: str, able: Capabilities) -> None:
    """Where the build says what may follow the flag, nothing else does."""
    known = able.choices.get(flag)
    if known and (unknown := next((item for item in items if item not in known), None)):
        raise Refused(
            f"this build of llama-server (version {able.version}) has no {flag} {unknown}, only {', '.join(known)}",
            way_out,
        )
