"""A text changed in the user's editor: what was typed is not lost, whatever becomes of it."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import typer

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.core.errors import BadRequest, LlamactlError, NotFound

Done = TypeVar("Done")


def edit(begun: str, file: str, put: Callable[[Path, str], Done]) -> Done | None:
    """What `put` makes of the text that was typed instead of `begun`; None if that is what it was.

    `file` is where it belongs. `put` is given the copy that was edited, and its text. Where it raises `BadRequest`,
    and somebody is there to be asked, it is edited again. Whatever is raised: the copy stays, and is told.
    """
    copy = _copy(begun)
    try:
        done = _edited(copy, begun, file, put)
    except (LlamactlError, KeyboardInterrupt, typer.Abort) as error:
        if not copy.exists() or copy.read_bytes() == begun.encode():
            copy.unlink(missing_ok=True)
            raise
        kept = f"your edit is kept: {copy}"
        if isinstance(error, LlamactlError):
            raise type(error)(error.message, kept) from None
        render.note(f"\n{kept}")
        raise
    copy.unlink()
    if done is None:
        render.note("nothing was changed")
    return done


def _edited(copy: Path, begun: str, file: str, put: Callable[[Path, str], Done]) -> Done | None:
    from llamactl.config import sources

    while True:
        _run_editor(copy)
        after = sources.text(copy, missing_ok=False) or ""
        if after == begun:
            return None
        try:
            return put(copy, after)
        except BadRequest as error:
            if session.yes or session.no_input or not (sys.stdin.isatty() and sys.stderr.isatty()):
                raise
            render.failure(error)
        if not typer.confirm("Edit again?", default=True, err=True):
            raise BadRequest(f"{file} stays as it was", f"the edit is in {copy}")


def _copy(text: str) -> Path:
    """A file of that content that only this user may read."""
    import tempfile

    handle, name = tempfile.mkstemp(prefix="llamactl-", suffix=".toml")
    with os.fdopen(handle, "wb") as file:
        file.write(text.encode())
    return Path(name)


def _run_editor(copy: Path) -> None:
    import shlex
    import shutil
    import subprocess

    given = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    editors = (name for name in ("sensible-editor", "editor", "nano", "vi") if shutil.which(name))
    command = shlex.split(given) if given else [next(editors, "vi")]
    try:
        code = subprocess.run([*command, str(copy)]).returncode
    except OSError as error:
        raise NotFound(f"cannot run the editor {command[0]}: {error.strerror}", "export EDITOR=nano") from None
    if code:
        raise LlamactlError(f"{command[0]} ended with {code}; nothing was changed", "llamactl config edit")
