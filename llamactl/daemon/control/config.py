"""The configuration: what counts, and the file that it comes from."""

import os
from pathlib import Path
from typing import Any, get_args

import anyio.to_thread
import msgspec

from llamactl.config import sources
from llamactl.config.edit import assign, remove
from llamactl.config.replace import rewrite
from llamactl.config.sections import SECTIONS
from llamactl.config.values import Tier, is_secret
from llamactl.config.written import plain, shown, taken
from llamactl.core.errors import BadRequest, LlamactlError
from llamactl.daemon.control.noun import Handlers
from llamactl.daemon.reload import Current
from llamactl.rpc import calls
from llamactl.rpc.calls import ConfigRow, Configuration, ConfigWritten


class ConfigCalls:
    """`config.…`"""

    def __init__(self, config: Current) -> None:
        self._config = config
        self.handlers: Handlers = {calls.ShowConfig: self._show, calls.SetConfig: self._set}

    async def _show(self, _: calls.ShowConfig) -> Configuration:
        config = self._config()
        return Configuration(
            file=str(config.directories.config_file),
            keys=[
                _row(f"{section}.{key}", kind, getattr(getattr(config, section), key))
                for section in SECTIONS
                for key, kind in sources.types(section).items()
            ],
            restart_for=self._config.pending,
        )

    async def _set(self, call: calls.SetConfig) -> ConfigWritten:
        path = self._config().directories.config_file
        texts = ("", "")

        def change(before: str) -> str:
            nonlocal texts
            texts = before, _changed(path, before, call)
            return texts[1]

        def undo(now: str) -> str:
            before, after = texts
            return before if now == after else now

        written = await anyio.to_thread.run_sync(rewrite, path, change)
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
            hidden_by=sources.hiding((*call.set, *call.unset), os.environ),
        )


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
    if problems := sources.check(path, text):
        raise BadRequest("\n".join(problem.message for problem in problems), problems[0].hint)
    return text
