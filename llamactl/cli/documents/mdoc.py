"""The words of mdoc(7), the language of manual pages."""

import re
import textwrap

REVISED = "November 23, 2026"
"""When what the pages say last changed; part of every page."""


def page(name: str, section: int, what: str, body: list[str], see: list[str]) -> str:
    """A whole page. `see` are other pages, as `llamactl 1`."""
    head = [
        '.\\" Written by python -m llamactl.cli.documents; change llamactl/cli or llamactl/config instead.',
        f".Dd {REVISED}",
        f".Dt {name.upper()} {section}",
        ".Os",
        ".Sh NAME",
        f".Nm {name}",
        f".Nd {what}",
    ]
    others = [f".Xr {other}{' ,' if other != see[-1] else ''}" for other in see]
    return "\n".join([*head, *body, ".Sh SEE ALSO", *others, ""])


def text(words: str) -> list[str]:
    """Running text, a line for each sentence, long ones broken."""
    words = " ".join(words.split()).replace("\\", "\\e").replace("`", "").replace("…", "...")
    words = "".join(each if each.isascii() else f"\\[u{ord(each):04X}]" for each in words)
    lines = [
        line
        for sentence in re.split(r"(?<=[.!?]) (?=[A-Z])", words)
        for line in textwrap.wrap(sentence, 78, break_long_words=False, break_on_hyphens=False)
    ]
    return [literal(line) for line in lines]


def literal(line: str) -> str:
    """A line as it is, whatever it begins with."""
    return f"\\&{line}" if line[:1] in (".", "'") else line


def example(typed: str) -> list[str]:
    return [".Bd -literal -offset indent", *map(literal, typed.rstrip().split("\n")), ".Ed"]


def items(pairs: list[tuple[str, list[str]]], kind: str = "-tag -width Ds") -> list[str]:
    """A list: what each item is called, as arguments of a macro, and the lines about it."""
    inside = [line for called, lines in pairs for line in (f".It {called}".rstrip(), *lines)]
    return [f".Bl {kind}", *inside, ".El"]


def flag(name: str) -> str:
    """`--json` as a macro with its argument."""
    return f"Fl {name[1:]}"
