"""The settings of models in completions: their names, and what each may be."""

from llamactl.core.parameters import PARAMETERS, Parameter

FILE = "FILE"
"""Instead of words: any file."""


def _settable() -> list[Parameter]:
    return [parameter for parameter in PARAMETERS.values() if not (parameter.never or parameter.gone)]


def _words(parameter: Parameter) -> str:
    if parameter.kind == "switch":
        return "on off"
    if parameter.kind == "path":
        return FILE
    return " ".join(parameter.choices) if parameter.kind == "choice" else ""


def _by_words() -> dict[str, list[str]]:
    """Names by what they may be, where that is known."""
    found: dict[str, list[str]] = {}
    for parameter in _settable():
        if words := _words(parameter):
            found.setdefault(words, []).append(parameter.name)
    return found


def table() -> str:
    """For bash and zsh: `$_llamactl_settings`, and `_llamactl_values NAME`."""
    names = " ".join(parameter.name for parameter in _settable())
    cases = "".join(f"        {'|'.join(names)}) echo '{words}' ;;\n" for words, names in _by_words().items())
    return f"""\
_llamactl_settings='{names}'

_llamactl_values() {{
    case $1 in
{cases}    esac
}}
"""


def fish() -> str:
    """For fish: `__llamactl_settings` has names, `__llamactl_assignments` what may be typed."""
    names = " ".join(parameter.name for parameter in _settable())
    lines = "".join(
        f"    for name in {' '.join(names)}\n        printf '%s\\n' $name={{{','.join(words.split())}}}\n    end\n"
        for words, names in _by_words().items()
        if words != FILE
    )
    return f"""\
function __llamactl_settings
    printf '%s\\n' {names}
end

function __llamactl_assignments
    printf '%s\\n' {names.replace(" ", "= ")}=
{lines}end
"""
