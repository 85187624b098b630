"""From a model to a running llama-server: which binary, which arguments, where it listens and writes."""

import time
from itertools import count
from pathlib import Path

from llamactl.config.directories import prepare
from llamactl.config.sections import Config
from llamactl.core.model import Model
from llamactl.llamaserver import arguments, capabilities, locate, process


class Launch:
    """Calling it is a `supervisor.Launcher`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._numbers = count(1)

    async def engine(self) -> tuple[locate.Engine, capabilities.Capabilities]:
        """The llama-server to use, tried out. Raises `NotFound` or `Refused`."""
        engine = locate.find(self._config.llama_server.path or "")
        return engine, await capabilities.examine(engine)

    async def __call__(self, model: Model) -> process.LlamaServer:
        engine, able = await self.engine()
        # A number of its own for each run: nothing can be left at that path, nor be mistaken for it.
        socket = str(self._config.directories.sockets / f"{next(self._numbers)}.sock")
        command = arguments.command(engine.path, model, socket, self._config.llama_server.settings(), able)
        return await process.launch(engine, command, socket, self._new_run(model.name), model.name)

    def _new_run(self, name: str) -> Path:
        """The file that this run writes to; the oldest runs of the model go."""
        directory = prepare(self._config.directories.runs(name), private=False)
        runs = sorted(directory.glob("*.log"))
        for old in runs[: max(0, len(runs) - self._config.logging.runs + 1)]:
            old.unlink(missing_ok=True)
        return directory / f"{time.strftime('%Y%m%dT%H%M%S')}-{time.time_ns() % 10**9:09}.log"
