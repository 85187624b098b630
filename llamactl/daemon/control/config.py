"""The configuration: what counts, and the file that it comes from."""

import os
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import anyio.to_thread
import msgspec

from llamactl.config import sources
from llamactl.config.concealed import concealed, revealed
from llamactl.config.edit import assign, merge, remove
from llamactl.config.imports.choose import interpret
from llamactl.config.load import SYSTEM_FILE, valid
from llamactl.config.replace import rewrite
from llamactl.config.sections import SECTIONS
from llamactl.config.values import Tier, is_secret
from llamactl.config.written import plain, shown, taken
from llamactl.core.errors import BadRequest, LlamactlError, Refused
from llamactl.daemon.control.noun import Handlers
from llamactl.daemon.reload import Current
from llamactl.rpc import calls
from llamactl.rpc.calls import ConfigChecked, ConfigImported, ConfigRow, ConfigText, Configuration, ConfigWritten


class ConfigCalls:
    """`config.…`"""

    def __init__(self, config: Current) -> None:
        self._config = config
        self.handlers: Handlers = {
            calls.ShowConfig: self._show,
            calls.SetConfig: self._set,
            calls.ReadConfig: self._read,
            calls.WriteConfig: self._write,
            calls.CheckConfig: self._check,
            calls.ImportConfig: self._import,
        }

    @property
    def _file(self) -> Path:
        return self._config().directories.config_file

    async def _show(self, _: calls.ShowConfig) -> Configuration:
        config = self._config()
        return Configuration(
            file=str(self._file),
            keys=[
                _row(f"{section}.{key}", kind, getattr(getattr(config, section), key))
                for section in SECTIONS
                for key, kind in sources.types(section).items()
            ],
            restart_for=self._config.pending,
            exists=self._file.exists(),
            system=str(SYSTEM_FILE),
        )

    async def _set(self, call: calls.SetConfig) -> ConfigWritten:
        return await self._rewrite(lambda before: _changed(self._file, before, call), (*call.set, *call.unset))

    async def _read(self, _: calls.ReadConfig) -> ConfigText:
        text = await self._text()
        shown = None if text is None else concealed(self._file, text)
        return ConfigText(file=str(self._file), text=shown, revision=_revision(text or ""))

    async def _write(self, call: calls.WriteConfig) -> ConfigWritten:
        def change(before: str) -> str:
            if _revision(before) != call.revision:
                raise Refused(f"{self._file} was changed by somebody else meanwhile", "llamactl config edit")
            return self._valid(call.text, before, call.named)

        return await self._rewrite(change)

    async def _check(self, call: calls.CheckConfig) -> ConfigChecked:
        if call.text is not None:
            self._valid(call.text, await self._text() or "", call.named)
            return ConfigChecked((call.named,))
        files = await anyio.to_thread.run_sync(valid, self._file if self._file.exists() else None)
        await self._config.possible()
        return ConfigChecked(tuple(map(str, files)))

    async def _import(self, call: calls.ImportConfig) -> ConfigImported:
        path = self._file.parent / (Path(call.named).name or "text")
        # Not the daemon's environment: whoever sends a file could have it told what is in there.
        imported = await anyio.to_thread.run_sync(interpret, path, call.text, {}, call.named)

        def change(before: str) -> str:
            after = merge(self._file, before, imported.keys)
            sources.refuse(sources.check(self._file, after), "llamactl config edit")
            return after

        written = ConfigWritten(file=str(self._file))
        if imported.keys and not call.dry_run:
            written = await self._rewrite(change)
        return ConfigImported(
            format=imported.format,
            keys=imported.shown,
            models=tuple(model.name for model in imported.models),
            templates=imported.templates,
            notes=imported.notes,
            written=written,
        )

    # --- inside ----------------------------------------------------------------------------------

    async def _text(self) -> str | None:
        return await anyio.to_thread.run_sync(sources.text, self._file)

    def _valid(self, text: str, before: str, named: str) -> str:
        """The text with the secrets of the one before. Raises all that is wrong with it, by that name."""
        after = revealed(text, before)
        sources.refuse(sources.check(Path(named) if named else self._file, after, self._file.parent))
        return after

    async def _rewrite(self, change: Callable[[str], str], asked: Sequence[str] = ()) -> ConfigWritten:
        """What `change` makes of the file counts; where it cannot, the file is as it was. `asked`: these keys are
        meant, whether they change or not."""
        path = self._file
        texts = ("", "")

        def keep(before: str) -> str:
            nonlocal texts
            texts = before, change(before)
            return texts[1]

        def undo(now: str) -> str:
            before, after = texts
            return before if now == after else now

        written = await anyio.to_thread.run_sync(rewrite, path, keep)
        try:
            changes = await self._config.reload()
        except LlamactlError:  # each value may be one, and all of them together none
            if written:
                await anyio.to_thread.run_sync(rewrite, path, undo)
            raise
        return ConfigWritten(
            file=str(path),
            changed=changes.live,
            restart_for=self._config.pending,
            written=written,
            hidden_by=sources.hiding(asked or sources.differing(path, *texts), os.environ),
        )


def _revision(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _row(key: str, kind: Any, value: Any) -> ConfigRow:
    if is_secret(kind):
        given = None
    elif Tier in get_args(kind):
        given = [plain(Tier, each) for each in value]
    else:
        given = msgspec.to_builtins(value)
    return ConfigRow(key, given, shown(kind, value))


def _changed(path: Path, text: str, call: calls.SetConfig) -> str:
    """The text of the file with what is asked. Raises all that would be wrong with it at once."""
    if clash := sorted(call.set.keys() & {*call.unset}):
        raise BadRequest(f"{' and '.join(clash)} cannot be set and unset at once")
    for key, value in call.set.items():
        where, kind = sources.find(key)
        try:
            raw = taken(kind, value, path.parent)
        except BadRequest as error:
            raise BadRequest(f"{key}: {error.message}", error.hint) from None
        text = assign(path, text, where, raw)
    for key in call.unset:
        text = remove(path, text, sources.find(key)[0])
    sources.refuse(sources.check(path, text))
    return text
