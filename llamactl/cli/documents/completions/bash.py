"""For bash."""

from collections.abc import Iterable

from llamactl.cli.documents.completions import keys, names
from llamactl.cli.documents.completions.line import HEAD, everywhere, own, place, valued, walk
from llamactl.cli.documents.completions.offers import NOTHING, Offer, of_argument
from llamactl.cli.documents.tree import Command, Option


def bash(root: Command) -> str:
    values = "".join(
        f"            {'|'.join(_quoted(at, name) for name in option.names)}) {_offered(offer) or ':'} ;;\n"
        for at, option, offer in valued(root)
        if at != "*" or offer != NOTHING
    )
    cases = "".join(
        f"            {place(command)})\n{inside}                ;;\n"
        for command in root.all()
        if (inside := _inside(root, command))
    )
    return f"""\
# bash completion for llamactl and llamactld                    -*- shell-script -*-
# {HEAD}

{keys.in_bash_and_zsh()}
{names.IN_BASH_AND_ZSH}
# What may come where KEY=VALUE is expected, with these keys.
_llamactl_assignment() {{
    if [[ $current == *=* ]]; then
        before=${{current%%=*}}=
        current=${{current#*=}}
        _llamactl_values "${{before%=}}"
    else
        offers+=("${{@/%/=}}")
        compopt -o nospace
    fi
}}

_llamactl() {{
    local line=${{COMP_LINE:0:COMP_POINT}} piece='' current='' before='' quote='' cut='' word='' special=$'"\\'`$' i
    local place='' skip='' ended='' files='' count=0
    local -a typed=() offers=() options=()
    COMPREPLY=()
    # bash cuts words after = and :, and before @: what has no blank before it belongs to the one before.
    for (( i = 0; i <= COMP_CWORD; i++ )); do
        word=${{line#"${{line%%[![:blank:]]*}}"}}
        piece=${{COMP_WORDS[i]}}
        (( i == COMP_CWORD )) && piece=$word
        if [[ $i != 0 && $word == "$line" ]]; then
            typed[-1]+=$piece
        else
            typed+=("$piece")
        fi
        line=${{word#"$piece"}}
    done
    current=${{typed[-1]}}
    unset 'typed[-1]'
    # What stands before the last of these pieces is not to be repeated.
    cut=${{current%"$piece"}}
    [[ -n $piece && $COMP_WORDBREAKS == *"${{piece:0:1}}"* && $piece != @* ]] && cut=$current
    case $current in
        [\\"\\']*) quote=yes current=${{current:1}} cut='' ;;
        *) current=${{current//\\\\/}} cut=${{cut//\\\\/}} ;;
    esac

    [[ ${{typed[0]##*/}} == llamactld ]] && place=/daemon/run
    for word in "${{typed[@]:1}}"; do
{walk(root)}    done
    word=${{typed[-1]}}
    if [[ -z $skip$ended && $current == --*=* ]]; then
        skip=yes word=${{current%%=*}} before=${{current%%=*}}= current=${{current#*=}}
    fi
    if [[ -n $skip ]]; then
        case $place' '$word in
{values}        esac
    elif [[ $current == -* && -z $ended ]]; then
        case $place in
{_options(root)}        esac
        offers=("${{options[@]}}" {_spelt(everywhere(root))})
    else
        case $place in
{cases}        esac
    fi
    if [[ -n $files ]]; then
        compopt -o filenames
        mapfile -t offers < <(compgen "$files" -- "$current")
    fi
    for word in "${{offers[@]}}"; do
        [[ $word == "$current"* ]] || continue
        word=$before$word
        word=${{word#"$cut"}}
        if [[ -z $quote$files ]]; then
            printf -v word %q "$word"
        elif [[ -n $quote && $word == *[$special]* ]]; then
            continue
        fi
        COMPREPLY+=("$word")
    done
}}

complete -F _llamactl llamactl llamactld
"""


def _quoted(at: str, name: str) -> str:
    return f"{at}' '{name}"


def _spelt(options: Iterable[Option]) -> str:
    return " ".join(name for option in options for name in (*option.names, *option.off))


def _options(root: Command) -> str:
    return "".join(
        f"            {place(command)}) options=({spelt}) ;;\n"
        for command in root.all()
        if (spelt := _spelt(own(root, command)))
    )


def _inside(root: Command, command: Command) -> str:
    lines = []
    if command.commands:
        lines.append(f"offers=({' '.join(below.words[-1] for below in command.commands)})")
    for number, argument in enumerate(command.arguments):
        if offered := _offered(of_argument(command, argument)):
            lines.append(f"(( count {'>=' if argument.many else '=='} {number} )) && {offered}")
    return "".join(f"                {line}\n" for line in lines)


def _offered(offer: Offer) -> str:
    """What adds it to `$offers`, or says which files; empty: nothing."""
    if offer.names:
        return f"_llamactl_names {' '.join(offer.names)}"
    if offer.words:
        return f"offers=({' '.join(offer.words)})"
    if offer.files:
        return "files=-d" if offer.files == "DIR" else "files=-f"
    if offer.value:
        return '_llamactl_values "$word"'
    keys_of = f'"${{_llamactl_{offer.keys}[@]}}"'
    return offer.keys and (f"_llamactl_assignment {keys_of}" if offer.assigned else f"offers=({keys_of})")
