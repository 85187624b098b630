"""The lines of a TOML text: which key stands where. No parser tells, so this looks for itself."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r""""{3}(?:\\.|[^\\])*?"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\#[^\n]*|[^"'\#\[\]{}\n]+|.""", re.DOTALL
)
"""A text, a comment, a run of what is neither, or one character."""
_PART = r"""(?:"[^"\n]*"|'[^'\n]*'|[A-Za-z0-9_-]+)"""
_NAME = rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*"
_HEADER = re.compile(rf"\s*\[{{1,2}}{_NAME}\]")
_ASSIGNMENT = re.compile(rf"{_NAME}=")


class Line(NamedTuple):
    """One statement, comment or empty line; a value may go on for several lines of the text.

    `first` and `last` are counted from 1. `table` is the one that it stands in or begins, `key` is empty
    where nothing is assigned; `comment` is what stands behind the `#` of a line with nothing else.
    """

    first: int
    last: int
    table: tuple[str, ...]
    key: tuple[str, ...] = ()
    header: bool = False
    comment: str | None = None

    @property
    def name(self) -> tuple[str, ...]:
        return self.table + self.key


def lines(text: str) -> Iterator[Line]:
    """All of them, in order; of a text that is no TOML, what can be made of it."""
    table: tuple[str, ...] = ()
    for first, last, content in _logical(text):
        stripped = content.strip()
        if stripped.startswith("#"):
            yield Line(first, last, table, comment=stripped[1:])
        elif header := _HEADER.match(content):
            table = _parts(header[1])
            yield Line(first, last, table, header=True)
        elif assignment := _ASSIGNMENT.match(content):
            yield Line(first, last, table, _parts(assignment[1]))
        else:
            yield Line(first, last, table)


def line_of(text: str, section: str, key: str = "") -> int:
    """The line where a section begins or a key of it is set.

    The nearest there is where the file is written in an unusual way: for a key of an inline table, the line
    of the table.
    """
    nearest = 0
    for line in lines(text):
        if line.name[:1] == (section,) and (line.key or line.header):
            if not key or line.name[1:2] == (key,):
                return line.first
            nearest = nearest or line.first
    return nearest or 1


def twice(text: str) -> Line | None:
    """The first line that assigns what another line has assigned already."""
    seen = set()
    for line in lines(text):
        if line.key:
            if line.name in seen:
                return line
            seen.add(line.name)
    return None


def _logical(text: str) -> Iterator[tuple[int, int, str]]:
    """The lines of the text, those of one value together, with the numbers of the first and the last."""
    number, depth, begun = 1, 0, 0
    first = 1
    for token in _TOKEN.finditer(text):
        piece = token[0]
        if piece == "\n" and depth <= 0:
            yield first, number, text[begun : token.start()]
            number += 1
            first, begun, depth = number, token.end(), 0
            continue
        number += piece.count("\n")
        depth += (piece in "[{") - (piece in "]}")
    yield first, number, text[begun:]


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, name))
