"""`llamactl config …`: the configuration file, shown and changed. Needs no daemon, unless `-H` names a distant one."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from llamactl.cli import config_far, render
from llamactl.cli.daemon import reloaded
from llamactl.cli.outcomes import PartlyDone
from llamactl.cli.session import session
from llamactl.core.errors import BadRequest, LlamactlError, NotFound, Refused
from llamactl.rpc.calls import Reload, SetConfig, Status

app = typer.Typer(
    help="The configuration file; with -H http://… show, get, set and unset are about that daemon's.",
    no_args_is_help=True,
)

Key = Annotated[str, typer.Argument(metavar="KEY", help="As section.key, like residency.ttl.")]


@app.command()
def show(origin: Annotated[bool, typer.Option("--origin", help="And where each value comes from.")] = False) -> None:
    """Show every key with its value; those of llama-server that are not set with -v."""
    if session.url:
        return config_far.show()
    from llamactl.config.load import survey
    from llamactl.config.sections import SECTIONS
    from llamactl.config.sources import types
    from llamactl.config.values import parameter_of
    from llamactl.config.written import shown

    found = survey(_named())
    rows, texts, left = [], [], 0
    for section in SECTIONS:
        for name, kind in types(section).items():
            value = getattr(getattr(found.config, section), name)
            given = (section, name) in found.origins or value is not None
            if parameter_of(kind) and not (given or session.machine or session.verbose):
                left += 1
                continue
            rows.append(_row(f"{section}.{name}", kind, value, found.origin((section, name))))
            texts.append(shown(kind, value))
    columns = {
        "KEY": [row.key for row in rows],
        "VALUE": texts,
        "ORIGIN": [str(row.origin) for row in rows],
    }
    render.rows(("config", "config-key"), rows, columns, wide=set() if origin else {"ORIGIN"})
    if left:
        render.note(f"{left} settings in llama_server are left to llama-server: llamactl config show -v")


@app.command()
def get(key: Key) -> None:
    """Show the value of one key, as `set` takes it."""
    if session.url:
        return config_far.get(key)
    from llamactl.config.load import survey
    from llamactl.config.sources import find
    from llamactl.config.written import HIDDEN, plain, shown

    (section, name), kind = find(key)
    found = survey(_named())
    value = getattr(getattr(found.config, section), name)
    if shown(kind, value) == HIDDEN:
        raise Refused(f"{key} is a secret, and is not shown", f"llamactl config set {key} -")
    if not render.for_program("config-key", _row(key, kind, value, found.origin((section, name)))):
        render.text(plain(kind, value))


Now = Annotated[bool, typer.Option("--now", help="Have the running daemon take it over.")]


@app.command("set", context_settings={"ignore_unknown_options": True})  # -1 is a value
def set_(
    key: Key,
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help='Lists as a:b:c or ["a", "b", "c"]; - reads the standard input.')
    ],
    now: Now = False,
) -> None:
    """Set a key in the file."""
    text = sys.stdin.read().removesuffix("\n") if value == "-" else value
    if session.url:
        return config_far.change(SetConfig({key: text}))
    from llamactl.config.edit import assign
    from llamactl.config.sources import find
    from llamactl.config.values import read
    from llamactl.config.written import given, shown

    where, kind = find(key)
    try:
        raw = given(kind, text, Path.cwd())
    except BadRequest as error:
        raise BadRequest(f"{key}: {error.message}", error.hint) from None
    path = _file()
    changed = _rewrite(path, lambda before: assign(path, before, where, raw))
    said = shown(kind, read(kind, raw, path.parent))
    _done(path, [key], changed, f"{key} = {said} in {path}{'' if changed else ' already'}", now)


@app.command()
def unset(key: Key, now: Now = False) -> None:
    """Take a key out of the file. One that is not in it is a success."""
    if session.url:
        return config_far.change(SetConfig(unset=(key,)))
    from llamactl.config.edit import remove
    from llamactl.config.sources import find

    where, path = find(key)[0], _file()
    changed = path.exists() and _rewrite(path, lambda before: remove(path, before, where))
    _done(path, [key], changed, f"{key} is {'no longer' if changed else 'not'} in {path}", now)


@app.command()
def path() -> None:
    """Show where the file is that `set` and `edit` change."""
    from llamactl.config.load import SYSTEM_FILE

    file = _file()
    if not render.for_program("config-path", {"path": str(file), "exists": file.exists(), "system": str(SYSTEM_FILE)}):
        render.text(str(file))


@app.command()
def validate(
    file: Annotated[Path | None, typer.Argument(help="This file alone; else all that a daemon would read.")] = None,
) -> None:
    """Check the configuration."""
    from llamactl.config import sources
    from llamactl.config.load import SYSTEM_FILE, problems

    if file is None:
        found, what = problems(_named()), "the configuration"
    else:
        path = file.expanduser().absolute()
        found, what = sources.check(path, sources.text(path, missing_ok=False) or ""), str(path)
    _refuse(found)
    files = [str(each) for each in ([path] if file else [SYSTEM_FILE, _file()]) if each.exists()]
    if not render.for_program("config-validation", {"valid": True, "files": files}):
        render.note(f"{what} is valid")


@app.command()
def edit(now: Now = False) -> None:
    """Edit the file in $VISUAL or $EDITOR; it is put into its place when it is valid."""
    from llamactl.config import sources
    from llamactl.config.example import example

    file = _file()
    before = sources.text(file)
    begun = example() if before is None else before
    copy = _copy(begun)
    kept = f"your edit is kept: {copy}"
    after = _edited(copy, begun, file, kept)
    if after is None:
        copy.unlink()
        render.note("nothing was changed")
        return

    def put(now: str) -> str:
        if now != (before or ""):
            raise Refused(f"{file} was changed by somebody else meanwhile", kept)
        return after

    _rewrite(file, put, kept)
    copy.unlink()
    keys = _differing(file, before or "", after)
    _done(file, keys, True, f"changed {', '.join(keys) or 'nothing but remarks'} in {file}", now)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="llama-server-config.json, app-config.json, model-templates.json, …")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Take over what another system's file says of it."""
    from llamactl.config.edit import merge
    from llamactl.config.imports.choose import read

    imported = read(file)
    into, keys = _file(), list(imported.keys)
    changed = bool(keys) and not dry_run and _rewrite(into, lambda before: merge(into, before, imported.keys))
    if session.json:
        report = {
            "format": imported.format,
            "file": str(into),
            "changed": changed,
            "keys": imported.keys,
            "templates": imported.templates,
            "models": [model.name for model in imported.models],
            "notes": imported.notes,
        }
        render.data("config-import", report)
    else:
        notes = imported.notes
        render.table(
            {
                "OUTCOME": [note.outcome for note in notes],
                "WHAT": [note.what for note in notes],
                "REASON": [": ".join(filter(None, (note.became, note.why))) for note in notes],
            }
        )
        would = "would be " if dry_run else ""
        if keys:
            _done(into, keys, changed, f"{render.count(len(keys), 'key')} {would}taken over into {into}")
        if imported.models:
            render.note(f"{render.count(len(imported.models), 'model')} in it: llamactl models import {file}")
    if not imported.whole:
        raise typer.Exit(PartlyDone.exit)


# --- the file ------------------------------------------------------------------------------------


def _named() -> Path | None:
    session.only_here("the configuration is a file of this machine", "llamactl config …, there")
    return Path(session.config) if session.config else None


def _file() -> Path:
    from llamactl.config.load import user_file

    return user_file(_named())


def _rewrite(path: Path, change: Callable[[str], str], hint: str = "llamactl config edit") -> bool:
    """Write what `change` makes of the file, if that is valid as a whole."""
    from llamactl.config import sources
    from llamactl.config.replace import rewrite

    def checked(before: str) -> str:
        after = change(before)
        if after != before:
            _refuse(sources.check(path, after), hint)
        return after

    return rewrite(path, checked)


def _refuse(problems: list[BadRequest], hint: str = "") -> None:
    """Say all that is wrong at once, if anything is."""
    if problems:
        raise BadRequest("\n".join(problem.message for problem in problems), hint or problems[0].hint)


def _done(path: Path, keys: list[str], changed: bool, message: str, now: bool = False) -> None:
    """Say it, and what else is to be done before it has an effect; `now`: do that, as far as it goes."""
    from llamactl.config.changes import sort

    reads = _is_read_by_daemon(path) if changed or now else None
    waits = sort(keys) if reads else sort(())
    if not session.json:
        render.note(message)
        from llamactl.config.sources import hiding

        for variable in hiding(keys, os.environ):
            render.note(f"{variable} in the environment wins over it")
    done = None
    if now and reads:
        with session.client() as client:
            done = client.call(Reload())
    if session.json:
        pending = {
            "reload": None if reads is None else bool(waits.live and not done),
            "restart": reads and bool(waits.restart),
        }
        render.data("config-change", {"file": str(path), "keys": keys, "changed": changed, **pending})
    elif done is not None:
        reloaded(done)
    elif now:
        render.note("no daemon is running" if reads is None else "the daemon that runs reads another file")
    elif waits:
        then = "restart" if waits.restart else "reload"
        render.note(f"the running daemon goes on as before until: llamactl daemon {then}")


def _is_read_by_daemon(path: Path) -> bool | None:
    """Does a daemon run that reads this file? None if no daemon runs."""
    with suppress(LlamactlError), session.client(2.0) as client:
        return Path(client.call(Status()).config).resolve() == path.resolve()
    return None


def _differing(path: Path, before: str, after: str) -> list[str]:
    """The keys that two texts of the file say different things of."""
    from llamactl.config.sources import tables

    old, new = ({key: given.raw for key, given in tables(path, text, []).items()} for text in (before, after))
    return [".".join(key) for key in {**old, **new} if old.get(key) != new.get(key)]


def _row(key: str, kind: Any, value: Any, origin: object) -> config_far.Row:
    from llamactl.config.values import is_secret

    return config_far.Row(key, None if is_secret(kind) else value, origin)


# --- the editor ----------------------------------------------------------------------------------


def _edited(copy: Path, begun: str, file: Path, kept: str) -> str | None:
    """What the user made of the copy, when it is valid; None if that is what it was."""
    from llamactl.config import sources

    while True:
        _run_editor(copy, kept)
        after = sources.text(copy, missing_ok=False) or ""
        if after == begun:
            return None
        problems = sources.check(copy, after, file.parent)
        if not problems:
            return after
        if session.yes or session.no_input or not (sys.stdin.isatty() and sys.stderr.isatty()):
            _refuse(problems, kept)
        for problem in problems:
            render.failure(problem)
        if not typer.confirm("Edit again?", default=True, err=True):
            raise BadRequest(f"{file} stays as it was", kept)


def _copy(text: str) -> Path:
    """A file of that content that only this user may read."""
    import tempfile

    handle, name = tempfile.mkstemp(prefix="llamactl-", suffix=".toml")
    with os.fdopen(handle, "wb") as file:
        file.write(text.encode())
    return Path(name)


def _run_editor(copy: Path, kept: str) -> None:
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
        raise LlamactlError(f"{command[0]} ended with {code}; nothing was changed", kept)
