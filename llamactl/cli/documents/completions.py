"""Completions for bash, zsh and fish: commands, options and what they may be set to.

All three walk the line in the same way to find the command it is at, since global flags may stand
anywhere. A place is written `/models/ls`; `llamactld` is at `/daemon/run`.
"""

from collections.abc import Iterable

from llamactl.cli.documents import assignments as settings
from llamactl.cli.documents.tree import Argument, Command, Option

_HELP = Option(names=("-h", "--help"), help="Show what there is to say.")
_HEAD = "Written by python -m llamactl.cli.documents; change llamactl/cli instead."


def bash(root: Command) -> str:
    own = [(f"{_place(command)}' '", option) for command, option in _clashing(root)]
    everywhere = [("*' '", option) for option in _valued(root) if _bash_value(option)]
    values = "".join(
        f"            {'|'.join(at + name for name in option.names)}) {_bash_value(option) or ':'} ;;\n"
        for at, option in own + everywhere
    )
    cases = "".join(
        f"            {_place(command)})\n{inside}                ;;\n"
        for command in root.all()
        if (inside := _bash_inside(root, command))
    )
    return f"""\
# bash completion for llamactl and llamactld                    -*- shell-script -*-
# {_HEAD}

{settings.table()}
# What may come where KEY=VALUE is expected.
_llamactl_assignment() {{
    if [[ -z $equals ]]; then
        words="${{_llamactl_settings// /= }}="
        compopt -o nospace
    else
        words=$(_llamactl_values "$previous")
        [[ $words == FILE ]] && words='' files=yes
    fi
}}

_llamactl() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    local place='' word='' skip='' ended='' options='' words='' files='' equals='' arguments=''
    [[ ${{COMP_WORDS[0]##*/}} == llamactld ]] && place=/daemon/run
    COMPREPLY=()
    # bash cuts --output=json into three words.
    if [[ $current == = ]]; then
        current='' equals=yes
    elif [[ $previous == = ]]; then
        equals=yes
        previous=${{COMP_WORDS[COMP_CWORD-2]}}
    fi
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
{_walk(root)}    done
    if [[ -n $skip ]]; then
        case $place' '$previous in
{values}        esac
    else
        case $place in
{cases}        esac
        if [[ $current == -* && -z $ended ]]; then
            words="$options {_bash_options(_global(root))}" files=''
        fi
    fi
    if [[ -n $files ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen "$([[ $files == yes ]] && echo -f || echo -d)" -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    fi
}}

complete -F _llamactl llamactl llamactld
"""


def zsh(root: Command) -> str:
    everywhere = "".join(f"        {spec}\n" for option in _global(root) for spec in _zsh_option(option))
    cases = "".join(
        f"        {_place(command)})\n{_zsh_inside(root, command)}            ;;\n" for command in root.all()
    )
    return f"""\
#compdef llamactl llamactld
# {_HEAD}

{settings.table()}
# What may come where KEY=VALUE is expected.
_llamactl_assignment() {{
    local key=${{PREFIX%%=*}}
    local -a values
    if compset -P '*='; then
        values=($(_llamactl_values $key))
        if [[ $values == FILE ]]; then _files; else compadd -a values; fi
    else
        compadd -S = -- ${{=_llamactl_settings}}
    fi
}}

_llamactl() {{
    local place='' word='' skip='' ended='' arguments='' at=1 i
    local context state state_descr line
    local -a found
    local -A opt_args
    local -a everywhere=(
{everywhere}    )
    [[ ${{words[1]:t}} == llamactld ]] && place=/daemon/run
    for (( i = 2; i < CURRENT; i++ )); do
        word=$words[i]
{_walk(root, " at=$i")}    done
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


def fish(root: Command) -> str:
    lines = "\n".join(line for command in root.all() for line in _fish_lines(root, command))
    aliases = "".join(
        f"            case {place}\n                set place {known}\n" for place, known in _aliases(root)
    )
    return f"""\
# fish completion for llamactl and llamactld
# {_HEAD}

{settings.fish()}
# Is the line at this command?
function __llamactl_at
    set -l place ''
    set -l skip ''
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test -n "$skip"
            set skip ''
            continue
        end
        switch $word
            case --
                break
            case {" ".join(_valued_names(root))}
                set skip 1
                continue
            case '-*'
                continue
        end
        switch $place/$word
{aliases}            case {" ".join(_places(root))}
                set place $place/$word
        end
    end
    test "$place" = "$argv"
end

complete -c llamactl -f
complete -c llamactld -f
{lines}
"""


# --- what the three have in common ---------------------------------------------------------------


def _global(root: Command) -> list[Option]:
    return [*root.options, _HELP]


def _own(root: Command, command: Command) -> tuple[Option, ...]:
    return command.options if command is not root else ()


def _valued(root: Command) -> list[Option]:
    """Every option that a value follows; those that are called the same only once, as the first of them is."""
    found: dict[tuple[str, ...], Option] = {}
    for command in root.all():
        for option in command.options:
            if option.value:
                found.setdefault(option.names, option)
    return list(found.values())


def _clashing(root: Command) -> list[tuple[Command, Option]]:
    """Options that take something else here than where they are called the same and come first."""
    first = {option.names: _bash_value(option) for option in _valued(root)}
    return [
        (command, option)
        for command in root.all()
        for option in command.options
        if option.value and _bash_value(option) != first[option.names]
    ]


def _valued_names(root: Command) -> list[str]:
    return sorted({name for option in _valued(root) for name in option.names})


def _place(command: Command) -> str:
    return "".join(f"/{word}" for word in command.words) or "''"


def _places(root: Command) -> list[str]:
    return [_place(command) for command in root.all() if command is not root]


def _aliases(root: Command) -> list[tuple[str, str]]:
    """Where an alias seems to lead, and where it does."""
    return [("/" + "/".join(spelling), _place(command)) for command in root.all() for spelling in command.spellings[1:]]


def _walk(root: Command, advance: str = "") -> str:
    """The inside of a loop over `$word` that sets `$place`, `$skip` and `$ended`; the same in bash and zsh."""
    aliases = "".join(f"            {place}) place={known}{advance} ;;\n" for place, known in _aliases(root))
    return f"""\
        if [[ -n $skip ]]; then
            [[ $word == = ]] || skip=''
            continue
        fi
        case $word in
            --) ended=yes; break ;;
            {"|".join(_valued_names(root))}) skip=yes; continue ;;
            -*|=) continue ;;
        esac
        case $place/$word in
{aliases}            {"|".join(_places(root))}) place+=/$word{advance} ;;
            *) arguments+=x ;;
        esac
"""


# --- one command in each -------------------------------------------------------------------------


def _bash_options(options: Iterable[Option]) -> str:
    return " ".join(name for option in options for name in (*option.names, *option.off))


def _bash_value(option: Option) -> str:
    """What may follow it; empty: anything."""
    if option.choices:
        return f"words='{' '.join(option.choices)}'"
    return "files=yes" if option.value == "FILE" else ""


def _bash_inside(root: Command, command: Command) -> str:
    lines = []
    if options := _bash_options(_own(root, command)):
        lines.append(f"options='{options}'")
    if command.commands:
        lines.append(f"words='{' '.join(below.words[-1] for below in command.commands)}'")
    files = {"FILE": "files=yes", "DIR": "files=directories"}
    lines += [files[argument.value] for argument in command.arguments if argument.value in files]
    for before, argument in enumerate(command.arguments):
        if argument.value in ("KEY", "KEY=VALUE") and argument.many:
            how = "_llamactl_assignment" if argument.value == "KEY=VALUE" else 'words="$_llamactl_settings"'
            lines.append(f"(( ${{#arguments}} >= {before} )) && {how}")
    return "".join(f"                {line}\n" for line in lines)


def _zsh_inside(root: Command, command: Command) -> str:
    specs = [spec for option in _own(root, command) for spec in _zsh_option(option)]
    specs += [_zsh_argument(argument) for argument in command.arguments]
    found = ""
    if command.commands:
        specs.append("'*: :->command'")
        below = "".join(f"                '{each.words[-1]}:{_zsh_text(each.help)}'\n" for each in command.commands)
        found = f"            found=(\n{below}            )\n"
    lines = "".join(f" \\\n                {spec}" for spec in specs)
    return f"{found}            _arguments -s -S $everywhere{lines}\n"


def _zsh_option(option: Option) -> list[str]:
    text = _zsh_text(option.help)
    if not option.value:
        off = [f"'{name}[The opposite of {option.names[-1]}.]'" for name in option.off]
        return [f"'{name}[{text}]'" for name in option.names] + off
    action = f"value:({' '.join(option.choices)})" if option.choices else f"{option.value}:{_zsh_files(option.value)}"
    return [f"'{name}{'=' if name.startswith('--') else '+'}[{text}]:{action}'" for name in option.names]


def _zsh_argument(argument: Argument) -> str:
    action = _zsh_files(argument.value) if argument.many or argument.value != "KEY" else ""  # of the configuration
    return f"'{'*' if argument.many else ''}:{argument.value}:{action}'"


def _zsh_files(value: str) -> str:
    known = {"KEY=VALUE": "_llamactl_assignment", "KEY": "(${=_llamactl_settings})"}
    return {"FILE": "_files", "DIR": "_files -/", **known}.get(value, "")


def _zsh_text(text: str) -> str:
    for character in "\\[]:":
        text = text.replace(character, f"\\{character}")
    return text.replace("'", "'\\''")


def _fish_lines(root: Command, command: Command) -> list[str]:
    at = f"complete -c llamactl -n '__llamactl_at {'' if command is root else _place(command)}'"
    anywhere = "complete -c llamactl -c llamactld" if command is root else at
    options = _global(root) if command is root else command.options
    lines = [f"{anywhere}{line}" for option in options for line in _fish_option(option)]
    lines += [f"{at} -a {below.words[-1]} -d {_fish_quoted(below.help)}" for below in command.commands]
    known = {
        "FILE": "-F",
        "DIR": "-a '(__fish_complete_directories)'",
        "KEY": "-a '(__llamactl_settings)'",
        "KEY=VALUE": "-a '(__llamactl_assignments)'",
    }
    keys = {argument.value: argument.many for argument in command.arguments}
    return lines + [
        f"{at} {known[value]}" for value, many in keys.items() if value in known and (many or value != "KEY")
    ]


def _fish_option(option: Option) -> list[str]:
    value = " -r -F" if option.value == "FILE" else " -x" if option.value else ""
    choices = f" -a '{' '.join(option.choices)}'" if option.choices else ""
    off = [f"{_fish_name(name)} -d 'The opposite of {option.names[-1]}.'" for name in option.off]
    names = "".join(map(_fish_name, option.names))
    return [f"{names}{value}{choices} -d {_fish_quoted(option.help)}", *off]


def _fish_name(name: str) -> str:
    return f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
