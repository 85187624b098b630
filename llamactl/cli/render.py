"""Tables for people, JSON for programs. Data goes to stdout, everything else to stderr.

JSON is one object `{"schema":"llamactl.<kind>/v1", …}`; bytes are integers, durations seconds, times
RFC 3339 in UTC, what is not known is null.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from llamactl.cli.session import session
from llamactl.core.errors import LlamactlError

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {
    "ready": "green",
    "up": "green",
    "starting": "yellow",
    "loading": "yellow",
    "stopping": "yellow",
    "restarting": "yellow",
    "backoff": "yellow",
    "wedged": "red",
    "sleeping": "dim",
    "failed": "red",
    "down": "red",
    "missing": "red",
    "no": "red",
    "stopped": "dim",
}


_ASCII = str.maketrans({"…": "...", "°": "", "✓": "+", "·": "-", "–": "-", "×": "x"})
_NUMBERS = frozenset(
    ("SIZE", "PARAMETERS", "CONTEXT", "MEMORY", "PID", "CTX", "SLOTS", "QUEUE", "TOK/S", "RESTARTS", "REQUESTS")
)
_LEAST = 10
"""Columns of what is folded where there is no room."""
_LONG = frozenset(("NAME", "FILE", "REASON", "VALUE", "ORIGIN", "WHAT", "DETAIL"))


def console(*, stderr: bool = False) -> "Console":
    from rich.console import Console  # 40 ms that JSON does not need

    stream = sys.stderr if stderr else sys.stdout
    plain = session.color == "never" or (session.color == "auto" and bool(os.environ.get("NO_COLOR")))
    return Console(
        file=stream,
        no_color=plain or None,
        force_terminal=True if session.color == "always" else None,
        # Off a terminal nothing is cut to a width that nobody looks at.
        width=None if stream.isatty() else 1000,
        highlight=False,
        soft_wrap=True,
    )


def coloured() -> bool:
    """May what is text already have colours?"""
    if session.color != "auto":
        return session.color == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(text: str, colour: int) -> str:
    """In that colour of the terminal (0: as it is)."""
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def schema(kind: str) -> str:
    return f"llamactl.{kind}/v1"


def data(kind: str, value: object) -> None:
    """One JSON object of this schema; a list stands under `items`."""
    body = msgspec.to_builtins(value)
    document = {"items": body} if isinstance(body, list) else body
    _write(msgspec.json.encode({"schema": schema(kind), **document}) + b"\n")


def for_program(kind: str, value: object, name: str = "") -> bool:
    """One thing, for programs: as JSON or, with `-o name`, its name. False if a person is to be shown it.

    What has no name is shown with `-o name` as it is to a person.
    """
    if session.json:
        data(kind, value)
    elif session.output == "name" and name:
        text(name)
    else:
        return False
    return True


def rows(
    kinds: tuple[str, str], items: Sequence[Any], columns: dict[str, list[str]], wide: set[str], empty: str = ""
) -> None:
    """Many things, as the user wants them; `kinds` is what they are called together, and each of them.

    `columns` are the table's, each with a cell per item; those in `wide` are shown only with `-o wide`.
    """
    many, one = kinds
    match session.output:
        case "json":
            data(many, items)
        case "jsonl":
            for item in items:
                data(one, item)
        case "name":
            for item in items:
                text(item.name)
        case _ if items:
            table({title: cells for title, cells in columns.items() if session.output == "wide" or title not in wide})
        case _ if empty:
            note(empty)


def table(columns: dict[str, list[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    printer = console()
    if _too_narrow(columns, printer.width):
        _one_below_the_other(columns)
        return
    wide = sum(max(map(len, [title, *cells])) for title, cells in columns.items()) + 2 * (len(columns) - 1)
    gap = 2 if wide <= printer.width else 1  # before anything is folded
    shown = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for title, cells in columns.items():
        # Where the terminal is too narrow these are folded, not cut: they are there to be copied.
        gives_way = title in _LONG
        shown.add_column(
            title,
            justify="right" if title in _NUMBERS else "left",
            no_wrap=not gives_way,
            overflow="fold",
            min_width=None if gives_way else max(map(len, [title, *cells])),
        )
    for row in zip(*columns.values(), strict=True):
        shown.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    with printer.capture() as capture:
        printer.print(shown)
    lines = _plain(capture.get(), sys.stdout).splitlines()
    _write("".join(line.rstrip() + "\n" for line in lines).encode("utf-8", "replace"))


def _too_narrow(columns: dict[str, list[str]], width: int) -> bool:
    """Would not even this much of what may be folded stand in a line with the rest?"""
    widths = {title: max(map(len, [title, *cells])) for title, cells in columns.items()}
    least = sum(min(wide, _LEAST) if title in _LONG else wide for title, wide in widths.items())
    return least + len(columns) - 1 > width


def _one_below_the_other(columns: dict[str, list[str]]) -> None:
    """A line for each cell that has something in it, and an empty one between two rows."""
    width = max(map(len, columns))
    rows = [
        "".join(f"{title:{width}}  {cell}\n" for title, cell in zip(columns, row, strict=True) if cell not in ("", "-"))
        for row in zip(*columns.values(), strict=True)
    ]
    text(_plain("\n".join(rows), sys.stdout), end="")


def text(line: str, end: str = "\n") -> None:
    """Data that is text already."""
    _write((line + end).encode("utf-8", "replace"))


def count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def note(message: str) -> None:
    """Something for a person, on stderr; silent with `-q`."""
    if not session.quiet:
        _say(message)


def fault(error: LlamactlError) -> dict[str, object]:
    return {"code": error.code, "message": error.message, "hint": error.hint, "exit": error.exit}


def failure(error: LlamactlError) -> None:
    """What happened, why, and the next command; as JSON where the output is JSON."""
    if session.json:
        _write(msgspec.json.encode({"error": fault(error)}) + b"\n")
        return
    _say(f"llamactl: {error.message}")
    if error.hint:
        _say(f"  try: {error.hint}")


@contextmanager
def working(message: str) -> Iterator[Callable[[str], object]]:
    """Something takes a while: a spinner on a terminal, nothing elsewhere. What it gives takes another message."""
    if not session.animated:
        yield lambda message: None
        return
    from rich.text import Text

    def shown(message: str) -> Text:
        return Text(_plain(message, sys.stderr))

    spinner = "dots" if session.fine(sys.stderr) else "line"
    with console(stderr=True).status(shown(message), spinner=spinner) as status:
        yield lambda message: status.update(shown(message))


@contextmanager
def progress(message: str, total: int) -> Iterator[Callable[[int], object]]:
    """A bar for `total` bytes (0: not known) on a terminal; call what it gives with each count of bytes."""
    if not session.animated:
        note(f"{message} …")
        yield lambda count: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(message, total=total or None)
        yield lambda count: bar.advance(task, count)


def _say(message: str) -> None:
    print(_plain(message, sys.stderr), file=sys.stderr)


def _plain(text: str, stream: TextIO) -> str:
    """Our own signs as ASCII, where the stream takes no others."""
    return text if session.fine(stream) else text.translate(_ASCII)


def _write(content: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
