"""Tables for people, JSON for programs. Data goes to stdout, everything else to stderr.

JSON is one object `{"schema":"llamactl.<kind>/v1", …}`; bytes are integers, durations seconds, times
RFC 3339 in UTC, what is not known is null.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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


_NUMBERS = frozenset(("SIZE", "PARAMETERS", "CONTEXT", "MEMORY", "PID", "LEASES", "WAITING", "RESTARTS", "REQUESTS"))
_LONG = frozenset(("NAME", "FILE", "REASON", "VALUE", "ORIGIN", "WHAT", "DETAIL"))
_LEAST = 8
"""Letters on a line of what is folded."""


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


def data(kind: str, value: object) -> None:
    """One JSON object of the schema `llamactl.<kind>/v1`; a list stands under `items`."""
    body = msgspec.to_builtins(value)
    document = {"items": body} if isinstance(body, list) else body
    _write(msgspec.json.encode({"schema": f"llamactl.{kind}/v1", **document}) + b"\n")


def rows(kind: str, items: Sequence[Any], columns: dict[str, list[str]], wide: set[str], empty: str = "") -> None:
    """Many things of one kind, as the user wants them.

    `columns` are the table's, each with a cell per item; those in `wide` are shown only with `-o wide`.
    """
    match session.output:
        case "json":
            data(kind, items)
        case "jsonl":
            for item in items:
                data(kind, item)
        case "name":
            _write("".join(f"{item.name}\n" for item in items).encode())
        case _:
            if items:
                table(
                    {title: cells for title, cells in columns.items() if session.output == "wide" or title not in wide}
                )
            elif empty:
                note(empty)


def table(columns: dict[str, list[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    printer = console()
    longest = {title: max(map(len, [title, *cells])) for title, cells in columns.items()}
    wide = sum(longest.values()) + 2 * (len(columns) - 1)
    gap = 2 if wide <= printer.width else 1  # before anything is folded
    least = {title: min(width, _LEAST) if title in _LONG else width for title, width in longest.items()}
    printer.width = max(printer.width, sum(least.values()) + gap * (len(columns) - 1))  # rather than lose a column
    shown = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for title in columns:
        # Where the terminal is too narrow these are folded, not cut: they are there to be copied.
        shown.add_column(
            title,
            justify="right" if title in _NUMBERS else "left",
            no_wrap=title not in _LONG,
            overflow="fold",
            min_width=least[title],
        )
    for row in zip(*columns.values(), strict=True):
        shown.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    with printer.capture() as capture:
        printer.print(shown)
    _write("".join(line.rstrip() + "\n" for line in capture.get().splitlines()).encode())


def text(line: str, end: str = "\n") -> None:
    """Data that is text already."""
    _write((line + end).encode("utf-8", "replace"))


def count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def note(message: str) -> None:
    """Something for a person, on stderr; silent with `-q`."""
    if not session.quiet:
        print(message, file=sys.stderr)


def failure(error: LlamactlError) -> None:
    """What happened, why, and the next command; as JSON where the output is JSON."""
    if session.output in ("json", "jsonl"):
        problem = error.problem()
        body = {"code": problem.code, "message": problem.message, "hint": problem.hint, "exit": problem.exit}
        _write(msgspec.json.encode({"error": body}) + b"\n")
        return
    print(f"llamactl: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  try: {error.hint}", file=sys.stderr)


@contextmanager
def working(message: str) -> Iterator[Callable[[str], object]]:
    """Something takes a while: a spinner on a terminal, nothing elsewhere. What it gives takes another message."""
    if not session.animated:
        yield lambda message: None
        return
    with console(stderr=True).status(message) as status:
        yield status.update


@contextmanager
def progress(message: str, total: int) -> Iterator[Callable[[int], object]]:
    """A bar for `total` bytes (0: not known) on a terminal; call what it gives with each count of bytes."""
    if not session.animated:
        note(f"{message} …")
        yield lambda count: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(message, total=total or None)
        yield lambda count: bar.advance(task, count)


def _write(content: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
