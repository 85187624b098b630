"""How a command may end that no call of the daemon does, and whether it may be done."""

import sys
from collections.abc import Sequence

from llamactl.cli.session import session
from llamactl.core.errors import LlamactlError, Refused


class PartlyDone(LlamactlError):
    code, exit = "partly_done", 10


class Interrupted(LlamactlError):
    """Ctrl-C, where it has to be said what goes on all the same."""

    code, exit = "interrupted", 130


def confirm(question: str, way_out: str) -> None:
    """Ask whoever sits at the terminal; who is not asked and has not said no means it. Raises `Refused`."""
    if session.yes:
        return
    if session.no_input:
        raise Refused(f"{question} Nobody may be asked", way_out)
    if sys.stdin.isatty() and sys.stderr.isatty():
        import typer

        if not typer.confirm(question, err=True):
            raise Refused("nothing was changed", way_out)


def together(failures: Sequence[LlamactlError], *, partly: bool) -> LlamactlError:
    """One error for what failed of several things. `partly`: others were done."""
    kind = PartlyDone if partly else type(failures[0])
    return kind("; ".join(error.message for error in failures), failures[0].hint)
