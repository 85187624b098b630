"""From a model to a running llama-server: which binary, which arguments, where it listens and writes."""

import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import anyio.to_thread
import msgspec

from llamactl.catalogue import gguf
from llamactl.config.directories import prepare
from llamactl.config.sections import Config
from llamactl.core.errors import NotFound
from llamactl.core.model import Model, Setting
from llamactl.core.parameters import PARAMETERS
from llamactl.core.parameters.layers import Effective, Layer, effective
from llamactl.daemon.needs import Needs
from llamactl.llamaserver import arguments, capabilities, locate, process


class Launch:
    """Calling it is a `supervisor.Launcher`."""

    def __init__(self, config: Config, server_defaults: Callable[[], dict[str, Setting]]) -> None:
        """`server_defaults` gives the settings that the database has for every model."""
        self._config = config
        self._server_defaults = server_defaults
        self._numbers = count(1)
        self.needs: Needs | None = None  # set by `main`: it asks this for settings, and is asked what to add to them

    async def engine(self) -> tuple[locate.Engine, capabilities.Capabilities]:
        """The llama-server to use, tried out. Raises `NotFound` or `Refused`."""
        engine = self.executable()
        return engine, await capabilities.examine(engine)

    def executable(self) -> locate.Engine:
        """The same without trying it out."""
        return locate.find(self._config.llama_server.path or "")

    async def __call__(self, model: Model) -> process.LlamaServer:
        """Raises, as `LlamactlError`, what can be known before anything is spawned.

        That includes a file that is gone or no GGUF: llama-server says so too, but one that ends at once
        loses its last lines now and then.
        """
        await anyio.to_thread.run_sync(gguf.check, Path(model.path))
        engine, able = await self.engine()
        if self.needs is not None:
            await self.needs.engine(engine)
            await self.needs.look(model)
        # A number of its own for each run: nothing can be left at that path, nor be mistaken for it.
        socket = str(self._config.directories.sockets / f"{next(self._numbers)}.sock")
        command = self.command(engine, able, model, socket)
        engine = msgspec.structs.replace(engine, environment=command.environment)
        server = await process.launch(engine, command.arguments, socket, self._new_run(model.name), model.name)
        if self.needs is not None:
            self.needs.started(model, server)
        return server

    def command(
        self, engine: locate.Engine, able: capabilities.Capabilities, model: Model, socket: str
    ) -> arguments.Command:
        """What serves the model on `socket`. Raises `BadRequest` or `Refused` where this build would not."""
        added = {} if self.needs is None else self.needs.added(model)
        added = {name: value for name, value in added.items() if able.has(PARAMETERS[name].flags[0])}
        layers = [Layer("llamactl", added), *self._behind()]
        return arguments.build(engine.path, model, socket, layers, able, environment=engine.environment)

    def _behind(self) -> list[Layer]:
        """What stands behind a model's own settings, the strongest last."""
        return [
            Layer("configuration", self._config.llama_server.settings()),
            Layer("server defaults", self._server_defaults()),
        ]

    def settings(self, model: Model) -> dict[str, Effective]:
        """What counts for a model, by parameter, and where it stands. Raises `BadRequest` or `Refused`."""
        return effective([*self._behind(), Layer("model", model.settings, model.name)])

    def values(self, model: Model) -> dict[str, Setting]:
        """`settings` without where they stand."""
        return {name: setting.value for name, setting in self.settings(model).items()}

    async def preview(self, model: Model) -> arguments.Command:
        """The command that a start would run, with the place of a socket that is not there."""
        engine, able = await self.engine()
        return self.command(engine, able, model, str(self._config.directories.sockets / "0.sock"))

    async def check(self, model: Model) -> None:
        """Would these settings do? Raises what `command` raises; without an engine only the values are looked at."""
        self.settings(model)
        with suppress(NotFound):
            await self.preview(model)

    def _new_run(self, name: str) -> Path:
        """The file that this run writes to; the oldest runs of the model go."""
        directory = prepare(self._config.directories.runs(name), private=False)
        runs = sorted(directory.glob("*.log"))
        for old in runs[: max(0, len(runs) - self._config.logging.runs + 1)]:
            with suppress(OSError):
                old.unlink()
        seconds, rest = divmod(time.time_ns(), 10**9)  # UTC: an hour that comes twice would confuse the order
        return directory / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}-{rest:09}.log"
