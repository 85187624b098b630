"""What is written down about the commands and the configuration, made from them: manual, completions, README.

`python -m llamactl.cli.documents` writes the files of `documents()` into the checkout; a test compares
them. No command imports this.

Start reading at `tree`, what all of it is made from.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from llamactl.cli import quick
from llamactl.cli.documents import completions, manual, output, settings, words
from llamactl.cli.documents.tree import Command, help_text, read_tree

ROOT = Path(__file__).parents[3]
"""Of the checkout."""

BEGIN, END = "<!-- commands: written by python -m llamactl.cli.documents -->\n", "<!-- /commands -->\n"


def documents(readme: str) -> dict[str, str]:
    """The text of every generated file by its path in the checkout; `readme` is the README as it is."""
    root = read_tree()
    makers: dict[str, Callable[[Command], str]] = {
        "man/llamactl.1": manual.llamactl,
        **{f"man/llamactl-{command.words[0]}.1": _page(command) for command in root.commands},
        "man/llamactld.8": manual.llamactld,
        "man/llamactl.toml.5": lambda _: settings.toml(),
        "man/llamactl-output.7": lambda _: output.output(ROOT / "llamactl/cli/schemas"),
        "completions/llamactl.bash": completions.bash,
        "completions/_llamactl": completions.zsh,
        "completions/llamactl.fish": completions.fish,
        f"llamactl/cli/{quick.HELP}": lambda _: help_text(),
        "README.md": lambda root: _with_table(readme, root),
    }
    return {path: make(root) for path, make in makers.items()}


def _page(command: Command) -> Callable[[Command], str]:
    return lambda _: words.word(command)


def _with_table(readme: str, root: Command) -> str:
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md lacks the line {(END if begin else BEGIN).strip()}")
    single = [command for command in root.commands if not command.commands]
    rows = [f"| `llamactl …` | {_words(single)} |\n"]
    rows += [
        f"| `llamactl {group.words[0]} …` | {group.help.rstrip('.')}: {_words(group.commands)} |\n"
        for group in root.commands
        if group.commands
    ]
    return before + begin + "| | |\n|---|---|\n" + "".join(rows) + end + after


def _words(commands: Iterable[Command]) -> str:
    return ", ".join(f"`{command.words[-1]}`" for command in commands)
