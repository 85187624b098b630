"""Commands, options and arguments in the words of mdoc(7)."""

from llamactl.cli.documents.mdoc import flag, items, text
from llamactl.cli.documents.tree import Argument, Command, Option


def usage(command: Command) -> list[str]:
    """One of the forms of a SYNOPSIS."""
    name = [".Nm llamactl", f".Cm {' '.join(command.words)}"] if command.words else [".Nm"]
    return [*name, *map(_optional, command.options), *map(_argument, command.arguments)]


def parameters(command: Command) -> list[str]:
    """A list of what may be said of arguments and options, if anything."""
    pairs = [(f"Ar {argument.value}", text(argument.help)) for argument in command.arguments if argument.help]
    pairs += [option(each) for each in command.options]
    return items(pairs) if pairs else []


def option(option: Option) -> tuple[str, list[str]]:
    """An item of a list."""
    lines = text(option.help)
    if option.default:
        lines += text(f"Default: {option.default}.")
    return _called(option, ",", (*option.names, *option.off)), lines


def _optional(option: Option) -> str:
    macro = "" if option.required else "Op "
    return f".{macro}{_called(option, '|', (*option.names[-1:], *option.off))}"


def _argument(argument: Argument) -> str:
    many = " ..." if argument.many else ""
    return f".Ar {argument.value}{many}" if argument.required else f".Op Ar {argument.value}{many}"


def _called(option: Option, between: str, names: tuple[str, ...]) -> str:
    """All of these names, with the value, as arguments of a macro."""
    value = option.value.replace("|", " | ")
    called = f" {between} ".join(map(flag, names))
    if not value:
        return called
    return f"{called} {'Cm' if option.choices else 'Ar'} {value}"
