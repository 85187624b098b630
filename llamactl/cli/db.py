"""`llamactl db …`: the database file, with or without a daemon.

The file is opened here, not by the daemon: it is wanted most when there is none that starts. Over HTTP, where it cannot
be, the daemon is asked.
"""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.config.directories import find_directories
from llamactl.core.database import Copied
from llamactl.core.errors import LlamactlError, Unreachable
from llamactl.core.units import show_size
from llamactl.rpc.calls import BackupDatabase, CheckDatabase, Status, VacuumDatabase

app = typer.Typer(help="The database.", no_args_is_help=True)


def _path() -> Path:
    """The database of the daemon that answers, else the one that a daemon started here would have."""
    directories = find_directories()
    try:
        with session.client() as client:
            directories = msgspec.structs.replace(directories, data=Path(client.call(Status()).data))
    except Unreachable:
        if session.named:
            raise
    return directories.database


@app.command()
def check(
    quick: Annotated[bool, typer.Option("--quick", help="Do not compare the indexes with the tables.")] = False,
) -> None:
    """Look whether the database is sound. Exit 1 when it is not."""
    if session.url:
        with render.working("reading it …"), session.client() as client:
            found = client.call(CheckDatabase(quick))
    else:
        from llamactl.store import upkeep

        path = _path()
        with render.working(f"reading {path} …"):
            found = upkeep.check(path, quick)
    if not render.for_program("database", found):
        inside = "" if found.models is None else f", {render.count(found.models, 'model')}"
        version = "of an unknown schema" if found.version is None else f"schema {found.version}"
        render.text(f"{found.path}: {version}{inside}")
        render.text(f"{show_size(found.size)}, {show_size(found.wal_size)} in its log, {show_size(found.free)} free")
        for problem in found.problems:
            render.text(f"problem: {problem}")
        if not found.problems:
            render.text("it is sound")
            if found.version != found.current:
                render.note(f"the next daemon brings it to schema {found.current}, and keeps a copy")
        else:
            render.note(f"  try: put a backup in its place, or move it away: mv {found.path} {found.path}.broken")
    if found.problems:
        raise typer.Exit(LlamactlError.exit)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to.")],
    force: Annotated[bool, typer.Option("--force", help="Replace it if it is there; so does -y.")] = False,
) -> None:
    """Copy the database, also while the daemon writes."""
    to, replace = session.path(file), force or session.yes
    if session.url:
        with render.working("copying it …"), session.client() as client:
            done = client.call(BackupDatabase(to, replace))
    else:
        from llamactl.store import upkeep

        path = _path()
        with render.working(f"copying {path} …"):
            done = Copied(path=str(path), file=to, size=upkeep.backup(path, Path(to), replace))
    if not render.for_program("backup", done):
        render.note(f"{done.file} has all of {done.path} ({show_size(done.size)})")


@app.command()
def vacuum() -> None:
    """Give back the space that is free inside the database."""
    if session.url:
        with render.working("compacting it …"), session.client() as client:
            done = client.call(VacuumDatabase())
    else:
        from llamactl.store import upkeep

        path = _path()
        with render.working(f"compacting {path} …"):
            done = upkeep.vacuum(path)
    if render.for_program("vacuum", done):
        return
    render.note(f"{done.path}: {show_size(done.before)} before, {show_size(done.after)} now")
    if not done.complete:
        render.note("a daemon uses it: only free pages were given back; for the rest, stop it first")
