"""Keys and their values in completions: settings of models, parameters of requests, the configuration."""

from typing import Literal, get_args, get_origin

from llamactl.config.describe import Described, describe
from llamactl.config.values import FilePath, Program, parameter_of, without_none
from llamactl.core.parameters import PARAMETERS, Parameter

FILE, NAME = "FILE", "NAME"
"""Instead of words: any file, the name of any model."""

_MODELS = {"models.default", "models.standby", "models.preload"}


def lists() -> dict[str, list[str]]:
    """Names of keys, by what list of them they are in."""
    settable = _settable()
    return {
        "settings": [each.name for each in settable],
        "defaults": [each.name for each in settable if each.group == "server"],
        # Of a request these have other words: true and false.
        "parameters": [each.name for each in settable if each.group == "sampling" and not _words(each)],
        "config": [each.key for each in describe()],
    }


def values() -> dict[str, list[str]]:
    """Keys by what they may be, where that is known: words, `FILE` or `NAME`."""
    known = [(each.name, _words(each)) for each in _settable()] + [(each.key, _written(each)) for each in describe()]
    found: dict[str, list[str]] = {}
    for name, words in known:
        if words:
            found.setdefault(words, []).append(name)
    return found


def in_bash_and_zsh() -> str:
    """`$_llamactl_settings` and its like; `_llamactl_values KEY` adds to `$offers`, or sets `$files`."""
    arrays = "".join(f"_llamactl_{name}=({' '.join(keys)})\n" for name, keys in lists().items())
    adds = {FILE: "files=-f", NAME: "_llamactl_names model alias"}
    cases = "".join(
        f"        {'|'.join(keys)}) {adds.get(words, f'offers+=({words})')} ;;\n" for words, keys in values().items()
    )
    return f"""\
{arrays}
_llamactl_values() {{
    case $1 in
{cases}    esac
}}
"""


def in_fish() -> str:
    """`__llamactl_settings` and its like; `__llamactl_values KEY`."""
    functions = "".join(
        f"function __llamactl_{name}\n    printf '%s\\n' {' '.join(keys)}\nend\n\n" for name, keys in lists().items()
    )
    says = {FILE: "__fish_complete_path $argv[2]", NAME: "__llamactl_names model alias"}
    cases = "".join(
        f"        case {' '.join(keys)}\n            {says.get(words, _printed + words)}\n"
        for words, keys in values().items()
    )
    return f"""\
{functions}function __llamactl_values
    switch $argv[1]
{cases}    end
end

# What may come where KEY=VALUE is expected, with these keys.
function __llamactl_assignments
    set -l parts (string split -m 1 = -- (commandline -ct))
    if set -q parts[2]
        printf '%s\\n' $parts[1]=(__llamactl_values $parts[1] $parts[2])
    else
        printf '%s=\\n' $argv
    end
end
"""


_printed = "printf '%s\\n' "


def _settable() -> list[Parameter]:
    return [parameter for parameter in PARAMETERS.values() if not (parameter.never or parameter.gone)]


def _words(parameter: Parameter, switch: str = "on off") -> str:
    by_kind: dict[str, str] = {"switch": switch, "path": FILE, "choice": " ".join(parameter.choices)}
    return by_kind.get(parameter.kind, "")


def _written(key: Described) -> str:
    """In the configuration."""
    kind = without_none(key.kind)
    if parameter := parameter_of(kind):
        return _words(parameter, "true false")
    if key.key in _MODELS:
        return NAME
    if kind is bool:
        return "true false"
    if get_origin(kind) is Literal:
        return " ".join(get_args(kind))
    return FILE if kind in (FilePath, Program) or FilePath in get_args(kind) else ""
