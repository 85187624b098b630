"""`llamactl -H http://… config …`: the configuration of a daemon on another machine, which is asked for it."""

from pathlib import Path
from typing import Any

import msgspec
import typer

from llamactl.cli import render
from llamactl.cli.daemon import restart_for
from llamactl.cli.outcomes import PartlyDone
from llamactl.cli.session import session
from llamactl.core.errors import BadRequest, Refused
from llamactl.core.imported import whole
from llamactl.rpc.calls import (
    CheckConfig,
    ConfigImported,
    ConfigRow,
    Configuration,
    ConfigWritten,
    ImportConfig,
    ReadConfig,
    SetConfig,
    ShowConfig,
    WriteConfig,
)


class Row(msgspec.Struct, frozen=True):
    """A key; `value` with durations in seconds and sizes in bytes, None where it is not set or a secret. `origin` is
    known of those of this machine only."""

    key: str
    value: Any
    origin: Any = None

    @property
    def name(self) -> str:
        return self.key


def show() -> None:
    found = _rows()
    if not (session.machine or session.verbose):
        found = [row for row in found if row.value is not None or not row.key.startswith("llama_server.")]
    columns = {"KEY": [row.key for row in found], "VALUE": [row.text for row in found]}
    render.rows(("config", "config-key"), [Row(row.key, row.value) for row in found], columns, wide=set())


def get(key: str) -> None:
    from llamactl.config.sources import find
    from llamactl.config.written import HIDDEN

    row = next((row for row in _rows() if row.key == key), None)
    if row is None:
        find(key)  # says what is like it
        raise BadRequest(f"the daemon at {session.url} has no key {key}", "is it of the same version? llamactl version")

    if row.text == HIDDEN:
        raise Refused(f"{key} is a secret, and is not shown", f"llamactl config set {key} -")
    if render.for_program("config-key", Row(row.key, row.value)):
        return
    if row.value is not None:
        render.text(msgspec.json.decode(row.text) if row.text.startswith('"') else row.text)


def path() -> None:
    found = _shown()
    told = {"path": found.file, "exists": found.exists, "system": found.system}
    if not render.for_program("config-path", told):
        render.text(found.file)


def check(path: Path | None, text: str | None) -> tuple[str, ...]:
    """The files that are valid there, or this one of ours, if it is in their place."""
    with session.client() as client:
        return client.call(CheckConfig(text=text, named=str(path or ""))).files


def change(call: SetConfig) -> None:
    """And say what has become of it."""
    with session.client() as client:
        done = client.call(call)
    _tell(done, [*call.set, *call.unset])


def edit() -> None:
    from llamactl.cli import editor
    from llamactl.config.example import example
    from llamactl.config.sources import differing

    with session.client() as client:
        found = client.call(ReadConfig())
    if found.text and '"(hidden 1)"' in found.text:
        render.note('secrets are shown as "(hidden 1)", and stay as they are where that stays')

    def put(copy: Path, after: str) -> tuple[ConfigWritten, str]:
        with session.client() as client:
            return client.call(WriteConfig(text=after, revision=found.revision, named=str(copy))), after

    if done := editor.edit(example() if found.text is None else found.text, found.file, put):
        written, after = done
        keys = differing(Path(found.file), found.text or "", after)
        if not session.json:
            render.note(f"changed {', '.join(keys) or 'nothing but remarks'} in {found.file}")
        _tell(written, keys)


def take_over(path: Path, text: str, file: str, dry_run: bool) -> None:
    with session.client() as client:
        found = client.call(ImportConfig(text=text, named=str(path), dry_run=dry_run))
    if not imported(found) and found.keys:
        would = "would be " if dry_run else ""
        render.note(f"{render.count(len(found.keys), 'key')} {would}taken over into {found.written.file}")
        if not dry_run:
            _say(found.written)
    rest(found, file)


def imported(found: ConfigImported) -> bool:
    """Show what a file of another system came to; True if that is for a program."""
    told = {
        "format": found.format,
        "file": found.written.file,
        "changed": found.written.written,
        "keys": found.keys,
        "templates": found.templates,
        "models": found.models,
        "notes": found.notes,
    }
    if render.for_program("config-import", told):
        return True
    render.table(
        {
            "OUTCOME": [note.outcome for note in found.notes],
            "WHAT": [note.what for note in found.notes],
            "REASON": [": ".join(filter(None, (note.became, note.why))) for note in found.notes],
        }
    )
    return False


def rest(found: ConfigImported, file: str) -> None:
    """What is left to be done after an import of that file."""
    if found.models and not session.json:
        render.note(f"{render.count(len(found.models), 'model')} in it: llamactl models import {file}")
    if not whole(found.notes):
        raise typer.Exit(PartlyDone.exit)


def _tell(done: ConfigWritten, keys: list[str]) -> None:
    told = {
        "file": done.file,
        "keys": keys,
        "changed": done.written,
        "reload": False,
        "restart": bool({*keys} & {*done.restart_for}),
    }
    if not render.for_program("config-change", told):
        _say(done)


def _say(done: ConfigWritten) -> None:
    now = f"counts from now on: {', '.join(done.changed)}" if done.changed else "nothing counts that did not before"
    render.note(f"{now} ({done.file})")
    restart_for(done.restart_for)
    for variable in done.hidden_by:
        render.note(f"{variable} in the daemon's environment wins over it")


def _rows() -> list[ConfigRow]:
    return _shown().keys


def _shown() -> Configuration:
    with session.client() as client:
        return client.call(ShowConfig())
