"""For zsh."""

from llamactl.cli.documents.completions import keys, names
from llamactl.cli.documents.completions.line import HEAD, everywhere, own, place, walk
from llamactl.cli.documents.completions.offers import Offer, of_argument, of_option
from llamactl.cli.documents.tree import Argument, Command, Option


def zsh(root: Command) -> str:
    anywhere = "".join(f"        {spec}\n" for option in everywhere(root) for spec in _option(root, option))
    cases = "".join(f"        {place(command)})\n{_inside(root, command)}            ;;\n" for command in root.all())
    return f"""\
#compdef llamactl llamactld
# {HEAD}

{keys.in_bash_and_zsh()}
{names.IN_BASH_AND_ZSH}
_llamactl_named() {{
    local -a offers
    _llamactl_names "$@"
    compadd -a offers
}}

_llamactl_value() {{
    local files=''
    local -a offers
    _llamactl_values "$1"
    if [[ -n $files ]]; then _files; else compadd -a offers; fi
}}

# What may come where KEY=VALUE is expected, with these keys.
_llamactl_assignment() {{
    local key=${{PREFIX%%=*}}
    if compset -P '*='; then
        _llamactl_value "$key"
    else
        compadd -S = -- "$@"
    fi
}}

_llamactl() {{
    local place='' word='' skip='' ended='' at=1 count=0 i
    local context state state_descr line
    local -a found
    local -A opt_args
    local -a everywhere=(
{anywhere}    )
    [[ ${{words[1]:t}} == llamactld ]] && place=/daemon/run
    for (( i = 2; i < CURRENT; i++ )); do
        word=$words[i]
{walk(root, " at=$i")}    done
    # What is left of the line begins with the command; global flags before it are done with.
    words=("${{(@)words[at,-1]}}")
    (( CURRENT -= at - 1 ))
    case $place in
{cases}    esac
    [[ $state == command ]] && _describe -t commands command found
}}

# As a file of fpath this is the function itself, until it is called; sourced, it is to be made known.
if [[ $funcstack[1] == _llamactl ]]; then
    _llamactl "$@"
elif (( $+functions[compdef] )); then
    compdef _llamactl llamactl llamactld
fi
"""


def _inside(root: Command, command: Command) -> str:
    specs = [spec for option in own(root, command) for spec in _option(command, option)]
    specs += [_argument(command, argument) for argument in command.arguments]
    found = ""
    if command.commands:
        specs.append("'*: :->command'")
        below = "".join(f"                '{each.words[-1]}:{_text(each.help)}'\n" for each in command.commands)
        found = f"            found=(\n{below}            )\n"
    lines = "".join(f" \\\n                {spec}" for spec in specs)
    return f"{found}            _arguments -s -S $everywhere{lines}\n"


def _option(command: Command, option: Option) -> list[str]:
    text = _text(option.help)
    if not option.value:
        off = [f"'{name}[The opposite of {option.names[-1]}.]'" for name in option.off]
        return [f"'{name}[{text}]'" for name in option.names] + off
    value = "value" if option.choices else _text(option.value)
    taken = f"{value}:{_offered(of_option(command, option))}"
    return [f"'{name}{'=' if name.startswith('--') else '+'}[{text}]:{taken}'" for name in option.names]


def _argument(command: Command, argument: Argument) -> str:
    offered = _offered(of_argument(command, argument))
    return f"'{'*' if argument.many else ''}:{_text(argument.value)}:{offered}'"


def _offered(offer: Offer) -> str:
    """As an action of `_arguments`; empty: nothing."""
    if offer.names:
        return f"{{_llamactl_named {' '.join(offer.names)}}}"
    if offer.words:
        return f"({' '.join(offer.words)})"
    if offer.files:
        return "_files -/" if offer.files == "DIR" else "_files"
    if offer.value:
        return "{_llamactl_value $line[1]}"
    command = "_llamactl_assignment" if offer.assigned else "compadd --"
    return offer.keys and f"{{{command} $_llamactl_{offer.keys}}}"


def _text(text: str) -> str:
    for character in "\\[]:":
        text = text.replace(character, f"\\{character}")
    return text.replace("'", "'\\''")
