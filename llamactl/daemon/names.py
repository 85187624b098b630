"""What there is by name, for completions: a file that shells read without asking anybody."""

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus

from llamactl.core.access import Key
from llamactl.core.model import Model

log = logging.getLogger(__name__)

PAUSE = 0.5
"""Seconds in which further changes are waited for: an import has many."""

Named = tuple[Iterable[Model], Iterable[str], Iterable[Key]]
"""Models, names of presets, and keys."""


def lines(models: Iterable[Model], presets: Iterable[str], keys: Iterable[Key]) -> Iterator[str]:
    """`model`, `alias`, `variant`, `preset` or `key`, a tabulator, and the name; of a key its id."""
    for model in models:
        yield f"model\t{model.name}"
        yield from (f"alias\t{alias}" for alias in model.aliases)
        yield from (f"variant\t{model.name}:{variant}" for variant in model.variants)
    yield from (f"preset\t{name}" for name in presets)
    yield from (f"key\t{key.id}" for key in keys if key.revoked is None)


class Names:
    """Keeps the file at `path` as `named` has it. It stays when the daemon ends: logs are read without one."""

    def __init__(self, path: Path, named: Callable[[], Named]) -> None:
        self._path = path
        self._named = named
        self._changed = anyio.Event()

    def changed(self) -> None:
        """Something may be called by another name."""
        self._changed.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled."""
        task_status.started()
        written: str | None = None
        while True:
            self._changed = anyio.Event()
            text = "".join(f"{line}\n" for line in lines(*self._named()))
            if text != written:
                try:
                    await anyio.to_thread.run_sync(_replace, self._path, text)
                    written = text
                except OSError as error:
                    log.warning("completions do not know the names there are: %s: %s", self._path, error.strerror)
            await self._changed.wait()
            await anyio.sleep(PAUSE)


def _replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)
