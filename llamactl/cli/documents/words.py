"""llamactl-start(1), llamactl-models(1) and so on: a page for each word that may follow `llamactl`."""

from llamactl.cli.documents.mdoc import examples, exits, page, subsection, text
from llamactl.cli.documents.pages import PAGES, related
from llamactl.cli.documents.synopsis import parameters, usage
from llamactl.cli.documents.tree import Command

_PAGES = {"config": ["llamactl.toml 5"], "daemon": ["llamactld 8"]}
"""Other pages to see."""


def word(command: Command) -> str:
    (name,) = command.words
    about = PAGES[name]
    group = bool(command.commands)
    body = [
        ".Sh SYNOPSIS",
        *[line for leaf in command.leaves() for line in usage(leaf)],
        ".Sh DESCRIPTION",
        *text(command.help),
        *_aliases(command),
        *([".Pp", *text(about.about)] if about.about else []),
        *([] if group else parameters(command)),
        ".Pp",
        *text("Options that every command has, as -o json, are in llamactl(1)."),
    ]
    if group:
        body += [".Sh COMMANDS", *[line for leaf in command.leaves() for line in _entry(leaf)]]
    body += [
        ".Sh EXIT STATUS",
        *text("As in llamactl(1)" + (", above all:" if about.exits else ".")),
        *(exits(about.exits) if about.exits else []),
        ".Sh EXAMPLES",
        *examples(about.examples),
    ]
    others = [f"llamactl-{other} 1" for other in related(name)]
    return page(f"llamactl-{name}", 1, about.title, body, ["llamactl 1", *others, *_PAGES.get(name, [])])


def _entry(command: Command) -> list[str]:
    title = command.usage.replace("…", " …")
    return [subsection(title), *text(command.help), *_aliases(command), *parameters(command)]


def _aliases(command: Command) -> list[str]:
    return text(f"Also: {', '.join(command.aliases)}.") if command.aliases else []
