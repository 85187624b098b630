"""From a model to a running llama-server: which binary, which arguments, where it listens and writes."""

import hashlib
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import anyio.to_thread
import msgspec

from llamactl.catalogue import gguf
from llamactl.config.directories import prepare
from llamactl.config.sections import Config
from llamactl.core.errors import NotFound
from llamactl.core.model import Model, Setting
from llamactl.core.parameters.layers import Effective, Layer, effective
from llamactl.llamaserver import arguments, capabilities, locate, process


class Launch:
    """Calling it is a `supervisor.Launcher`."""

    def __init__(self, config: Config, server_defaults: Callable[[], dict[str, Setting]]) -> None:
        """`server_defaults` gives the settings that the database has for every model."""
        self._config = config
        self._server_defaults = server_defaults

    async def engine(self) -> tuple[locate.Engine, capabilities.Capabilities]:
        """The llama-server to use, tried out. Raises `NotFound` or `Refused`."""
        engine = locate.find(self._config.llama_server.path or "")
        return engine, await capabilities.examine(engine)

    async def __call__(self, model: Model) -> process.LlamaServer:
        """Raises, as `LlamactlError`, what can be known before anything is spawned.

        That includes a file that is gone or no GGUF: llama-server says so too, but one that ends at once
        loses its last lines now and then.
        """
        await anyio.to_thread.run_sync(gguf.check, Path(model.path))
        engine, able = await self.engine()
        # A name of its own for each run: nothing can be left at that path, nor be mistaken for it.
        socket = str(self._config.directories.sockets / f"{secrets.token_hex(6)}.sock")
        command = self.command(engine, able, model, socket)
        engine = msgspec.structs.replace(engine, environment=command.environment)
        run_file, digest = self._new_run(model.name), self.digest(model)
        return await process.launch(engine, command.arguments, socket, run_file, model, settings=digest)

    def digest(self, model: Model) -> str:
        """The same for what is started with the same settings."""
        settings = {name: setting.value for name, setting in self.settings(model).items()}
        return hashlib.sha256(msgspec.json.encode(settings, order="sorted")).hexdigest()

    def command(
        self, engine: locate.Engine, able: capabilities.Capabilities, model: Model, socket: str
    ) -> arguments.Command:
        """What serves the model on `socket`. Raises `BadRequest` or `Refused` where this build would not."""
        return arguments.build(engine.path, model, socket, self._behind(), able, environment=engine.environment)

    def _behind(self) -> list[Layer]:
        """What stands behind a model's own settings, the strongest last."""
        return [
            Layer("configuration", self._config.llama_server.settings()),
            Layer("server defaults", self._server_defaults()),
        ]

    def settings(self, model: Model) -> dict[str, Effective]:
        """What counts for a model, by parameter, and where it stands. Raises `BadRequest` or `Refused`."""
        return effective([*self._behind(), Layer("model", model.settings, model.name)])

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
