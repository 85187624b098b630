"""The fenced blocks of a Markdown text."""

import re
from typing import NamedTuple

_FENCE = re.compile(
    r"^(?:<!-- not run: (?P<why>[^\n]+) -->\n)?```(?P<kind>\S*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


class Block(NamedTuple):
    """`why` it cannot be run here is what a comment before it says; `line` is that of its first one."""

    line: int
    kind: str
    text: str
    why: str


def blocks(markdown: str) -> list[Block]:
    return [
        Block(markdown.count("\n", 0, found.start("text")) + 1, found["kind"], found["text"], found["why"] or "")
        for found in _FENCE.finditer(markdown)
    ]


def commands(console: str) -> list[tuple[str, str]]:
    """What is typed after `$ `, over several lines where they end with a backslash, and what is then to be seen."""
    found: list[tuple[str, str]] = []
    typing = False
    for line in console.splitlines(keepends=True):
        if line.startswith("$ ") or typing:
            typed, seen = ("", "") if line.startswith("$ ") and not typing else found.pop()
            found.append((typed + (line if typing else line[2:]), seen))
            typing = line.endswith("\\\n")
        else:
            assert found, f"no command before {line!r}"
            typed, seen = found[-1]
            found[-1] = (typed, seen + line)
    return found
