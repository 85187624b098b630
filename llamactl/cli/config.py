"""`llamactl config …`: the configuration file, shown and changed. Needs no daemon, unless `-H` names a distant one."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from llamactl.cli import config_far, render
from llamactl.cli.daemon import reloaded
from llamactl.cli.session import session
from llamactl.core.errors import BadRequest, LlamactlError, Refused
from llamactl.rpc.calls import ConfigImported, ConfigWritten, Reload, SetConfig, Status

app = typer.Typer(
    help="The configuration file; with -H http://… that of the daemon there, which is asked.",
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
    if session.url:
        return config_far.path()
    from llamactl.config.load import SYSTEM_FILE

    file = _file()
    if not render.for_program("config-path", {"path": str(file), "exists": file.exists(), "system": str(SYSTEM_FILE)}):
        render.text(str(file))


@app.command()
def validate(
    file: Annotated[Path | None, typer.Argument(help="This file alone; else all that a daemon reads.")] = None,
) -> None:
    """Check the configuration."""
    from llamactl.config import sources

    path = file and file.expanduser().absolute()
    text = None if path is None else sources.text(path, missing_ok=False) or ""
    files: Sequence[object]
    if session.url:
        files = config_far.check(path, text)
    elif path is None:
        from llamactl.config.load import valid

        files = valid(_named())
    else:
        sources.refuse(sources.check(path, text or ""))
        files = [path]
    if not render.for_program("config-validation", {"valid": True, "files": [str(each) for each in files]}):
        render.note(f"{path or 'the configuration'} is valid")


@app.command()
def edit(now: Now = False) -> None:
    """Edit the file in $VISUAL or $EDITOR; it is put into its place when it is valid."""
    if session.url:
        return config_far.edit()
    from llamactl.cli import editor
    from llamactl.config import sources
    from llamactl.config.example import example
    from llamactl.config.replace import rewrite

    file = _file()
    before = sources.text(file)

    def put(copy: Path, after: str) -> str:
        def change(meanwhile: str) -> str:
            if meanwhile != (before or ""):
                raise Refused(f"{file} was changed by somebody else meanwhile", "llamactl config edit")
            return after

        sources.refuse(sources.check(copy, after, file.parent))
        rewrite(file, change)
        return after

    after = editor.edit(example() if before is None else before, str(file), put)
    if after is not None:
        keys = sources.differing(file, before or "", after)
        _done(file, keys, True, f"changed {', '.join(keys) or 'nothing but remarks'} in {file}", now)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="llama-server-config.json, app-config.json, …; or -")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Take over what another system's file says of it."""
    from llamactl.config.edit import merge
    from llamactl.config.imports.choose import content, read

    if session.url:
        return config_far.take_over(*content(file), str(file), dry_run)
    imported = read(file)
    into, keys = _file(), list(imported.keys)
    changed = bool(keys) and not dry_run and _rewrite(into, lambda before: merge(into, before, imported.keys))
    names = tuple(model.name for model in imported.models)
    found = ConfigImported(
        format=imported.format,
        keys=imported.shown,
        models=names,
        templates=imported.templates,
        notes=imported.notes,
        written=ConfigWritten(file=str(into), written=changed),
    )
    if not config_far.imported(found) and keys:
        would = "would be " if dry_run else ""
        _done(into, keys, changed, f"{render.count(len(keys), 'key')} {would}taken over into {into}")
    config_far.rest(found, str(file))


# --- the file ------------------------------------------------------------------------------------


def _named() -> Path | None:
    return Path(session.config) if session.config else None


def _file() -> Path:
    from llamactl.config.load import user_file

    return user_file(_named())


def _rewrite(path: Path, change: Callable[[str], str]) -> bool:
    """Write what `change` makes of the file, if that is valid as a whole."""
    from llamactl.config import sources
    from llamactl.config.replace import rewrite

    def checked(before: str) -> str:
        after = change(before)
        if after != before:
            sources.refuse(sources.check(path, after), "llamactl config edit")
        return after

    return rewrite(path, checked)


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


def _row(key: str, kind: Any, value: Any, origin: object) -> config_far.Row:
    from llamactl.config.values import is_secret

    return config_far.Row(key, None if is_secret(kind) else value, origin)
