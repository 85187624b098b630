"""The walk along the line that is typed, to the command that it is at; the same in bash and zsh."""

from llamactl.cli.documents.completions.offers import Offer, of_option
from llamactl.cli.documents.tree import Command, Option

HEAD = "Written by python -m llamactl.cli.documents; change llamactl/cli instead."

_HELP = Option(names=("-h", "--help"), help="Show what there is to say.")


def everywhere(root: Command) -> list[Option]:
    """The options that may stand anywhere."""
    return [*root.options, _HELP]


def own(root: Command, command: Command) -> tuple[Option, ...]:
    return command.options if command is not root else ()


def valued(root: Command) -> list[tuple[str, Option, Offer]]:
    """Every option that a value follows, with the pattern of the places where it is so: what counts for one first."""
    usual: dict[tuple[str, ...], tuple[Option, Offer]] = {}
    here = []
    for command in root.all():
        for option in command.options:
            offer = of_option(command, option)
            if option.value and usual.setdefault(option.names, (option, offer))[1] != offer:
                here.append((place(command), option, offer))
    return [*here, *(("*", option, offer) for option, offer in usual.values())]


def valued_names(root: Command) -> list[str]:
    return sorted({name for _, option, _ in valued(root) for name in option.names})


def place(command: Command) -> str:
    return "".join(f"/{word}" for word in command.words) or "''"


def places(root: Command) -> list[str]:
    return [place(command) for command in root.all() if command is not root]


def aliases(root: Command) -> list[tuple[str, str]]:
    """Where an alias seems to lead, and where it does."""
    return [("/" + "/".join(spelling), place(command)) for command in root.all() for spelling in command.spellings[1:]]


def walk(root: Command, advance: str = "") -> str:
    """The inside of a loop over `$word` that sets `$place`, `$skip`, `$ended` and `$count`, of arguments."""
    lead = "".join(f"            {seems}) place={known}{advance} ;;\n" for seems, known in aliases(root))
    return f"""\
        if [[ -n $skip ]]; then
            skip=''
            continue
        fi
        case $word in
            --) ended=yes; break ;;
            {"|".join(valued_names(root))}) skip=yes; continue ;;
            -*) continue ;;
        esac
        case $place/$word in
{lead}            {"|".join(places(root))}) place+=/$word{advance} ;;
            *) (( ++count )) ;;
        esac
"""
