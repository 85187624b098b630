"""For fish."""

from llamactl.cli.documents.completions import keys, names
from llamactl.cli.documents.completions.line import HEAD, aliases, everywhere, place, places, valued_names
from llamactl.cli.documents.completions.offers import Offer, of_argument, of_option
from llamactl.cli.documents.tree import Command, Option


def fish(root: Command) -> str:
    lines = "\n".join(line for command in root.all() for line in _lines(root, command))
    lead = "".join(f"            case {seems}\n                set place {known}\n" for seems, known in aliases(root))
    return f"""\
# fish completion for llamactl and llamactld
# {HEAD}

{names.IN_FISH}
{keys.in_fish()}
# Sets $__llamactl_place, the command that the line is at, and $__llamactl_count, of its arguments before the cursor.
function __llamactl_walk
    set -l words (commandline -opc)
    test "$words" = "$__llamactl_words"
    and return
    set -g __llamactl_words $words
    set -l place ''
    set -l skip ''
    set -l count 0
    for word in $words[2..-1]
        if test -n "$skip"
            set skip ''
            continue
        end
        switch $word
            case --
                break
            case {" ".join(valued_names(root))}
                set skip 1
                continue
            case '-*'
                continue
        end
        switch $place/$word
{lead}            case {" ".join(places(root))}
                set place $place/$word
            case '*'
                set count (math $count + 1)
        end
    end
    set -g __llamactl_place $place
    set -g __llamactl_count $count
end

complete -c llamactl -f
complete -c llamactld -f
# Before all others, whichever end fish begins at: to ask a hundred times takes a tenth of a second. Where the value
# of an option is completed, nothing but that option is asked.
{_WALK}
{lines}
{_WALK}
"""


_WALK = "complete -c llamactl -n '__llamactl_walk; and false' -a ''"


def _lines(root: Command, command: Command) -> list[str]:
    at = f'test "$__llamactl_place" = {place(command)}' if command is not root else 'test -z "$__llamactl_place"'
    here = f"complete -c llamactl -n '{at}'"
    anywhere = "complete -c llamactl -c llamactld" if command is root else here
    options = everywhere(root) if command is root else command.options
    value = anywhere.replace("test ", "__llamactl_walk; test ", 1)
    lines = [f"{value if option.value else anywhere}{line}" for option in options for line in _option(command, option)]
    lines += [f"{here} -a {below.words[-1]} -d {_quoted(below.help)}" for below in command.commands]
    for number, argument in enumerate(command.arguments):
        if offered := _offered(of_argument(command, argument)):
            counted = f"$__llamactl_count -{'ge' if argument.many else 'eq'} {number}"
            lines.append(f"complete -c llamactl -n '{at} -a {counted}'{offered}")
    return lines


def _option(command: Command, option: Option) -> list[str]:
    value = ""
    if option.value:
        offer = of_option(command, option)
        value = " -r -F" if offer.files == "FILE" else " -x" + _offered(offer)
    off = [f"{_name(name)} -d 'The opposite of {option.names[-1]}.'" for name in option.off]
    return [f"{''.join(map(_name, option.names))}{value} -d {_quoted(option.help)}", *off]


def _offered(offer: Offer) -> str:
    if offer.names:
        return f" -a '(__llamactl_names {' '.join(offer.names)})'"
    if offer.words:
        return f" -a '{' '.join(offer.words)}'"
    if offer.files:
        return " -a '(__fish_complete_directories)'" if offer.files == "DIR" else " -F"
    if offer.value:
        return " -a '(__llamactl_values (commandline -opc)[-1] (commandline -ct))'"
    if offer.assigned:
        return f" -a '(__llamactl_assignments (__llamactl_{offer.keys}))'"
    return f" -a '(__llamactl_{offer.keys})'" if offer.keys else ""


def _name(name: str) -> str:
    return f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
