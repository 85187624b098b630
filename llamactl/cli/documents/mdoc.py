"""The words of mdoc(7), the language of manual pages."""

import re
import textwrap
from collections.abc import Iterator, Mapping

REVISED = "November 28, 2026"
"""When what the pages say last changed; part of every page."""

_TYPED = {"'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "-": "\\-"}
"""Characters that typesetting makes finer ones of, which no shell understands."""


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
    see = sorted(see, key=lambda other: (other[-1], other))
    others = [f".Xr {other}{' ,' if other != see[-1] else ''}" for other in see]
    return "\n".join([*head, *body, ".Sh SEE ALSO", *others, ""])


def text(words: str) -> list[str]:
    """Running text, a line for each sentence, long ones broken."""
    words = characters(" ".join(words.split()).replace("`", ""))
    words = re.sub(r"(?<!\w)-(?=[\w-])", r"\\-", words)  # of an option
    words = re.sub(r"\bllamactl(?![\w.-]*\()", r"\\%llamactl", words)  # which no line may end within
    lines = [
        line
        for sentence in re.split(r"(?<=[.!?]) (?=[A-Z])", words)
        for line in textwrap.wrap(sentence, 78, break_long_words=False, break_on_hyphens=False)
    ]
    return [part for line in lines for part in _references(line)]


def _references(line: str) -> Iterator[str]:
    """What names another page, as `llamactl(1)`, on a line of its own."""
    for part in filter(None, re.split(r" ?(\S+\(\d\)[.,;:]?)(?: |$)", line)):
        if found := re.fullmatch(r"(\S+)\((\d)\)([.,;:]?)", part):
            yield f".Xr {found[1]} {found[2]} {found[3]}".rstrip()
        else:
            yield literal(part)


def _literally(line: str) -> str:
    """A line that is to be typed as it stands."""
    return literal(re.sub(r"['`^-]", lambda found: _TYPED[found[0]], characters(line)))


def literal(line: str) -> str:
    """A line as it is, whatever it begins with."""
    return f"\\&{line}" if line[:1] in (".", "'") else line


def characters(words: str) -> str:
    """Backslashes, tildes, and what is not ASCII, as escapes."""
    words = words.replace("\\", "\\e").replace("~", "\\(ti").replace("…", "...")
    return "".join(each if each.isascii() else f"\\[u{ord(each):04X}]" for each in words)


def example(typed: str) -> list[str]:
    return [".Bd -literal -offset indent", *map(_literally, typed.rstrip().split("\n")), ".Ed"]


def examples(typed: Mapping[str, str]) -> list[str]:
    """What each of them is for, and what is typed."""
    return [line for what, lines in typed.items() for line in (".Pp", *text(what), *example(lines))][1:]


def items(pairs: list[tuple[str, list[str]]], kind: str = "-tag -width Ds") -> list[str]:
    """A list: what each item is called, as arguments of a macro, and the lines about it."""
    inside = [line for called, lines in pairs for line in (f".It {called}".rstrip(), *lines)]
    return [f".Bl {kind}", *inside, ".El"]


def subsection(title: str) -> str:
    """`\\&` ends it, since brackets and dots at the end of a title would belong to it."""
    return f".Ss {characters(title)}\\&"


def exits(codes: Mapping[int, str]) -> list[str]:
    return items([(str(code), text(what)) for code, what in codes.items()], "-tag -width 130 -compact")


def flag(name: str) -> str:
    """`--json` as a macro with its argument."""
    return f"Fl {name[1:]}"
