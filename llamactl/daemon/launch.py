"""From a model to a running llama-server: which binary, which arguments, where it listens and writes."""

import hashlib
import secrets
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

import anyio.to_thread
import msgspec

from llamactl.catalogue import gguf
from llamactl.config.directories import prepare
from llamactl.config.sections import Config
from llamactl.core.errors import LlamactlError, NotFound, Refused
from llamactl.core.model import Model, Setting
from llamactl.core.parameters import PARAMETERS
from llamactl.core.parameters.layers import BESIDE, Effective, Layer, effective
from llamactl.daemon.lending import Lending
from llamactl.daemon.needs import Needs
from llamactl.llamaserver import arguments, capabilities, locate, process
from llamactl.llamaserver.records import Record
from llamactl.logs import runs

Settings = dict[str, Setting]

OURS = ("server_path", "ttl", "pinned")
"""Settings that llama-server is not told."""


HTTP_THREADS = 128
"""llama-server begins with about 8, one for each connection, and makes more. Of connections that come at once some then
wait behind one that is in use, until that has been idle for 5 s: seen in four bursts of 30, in none of three with 64.
A thread takes 36 KB."""


class Assumed(msgspec.Struct, frozen=True):
    """What is to stand in the database behind the settings of models, instead of what does: presets by name."""

    defaults: Settings | None = None
    presets: dict[str, Settings] = {}


class Launch:
    """Calling it is a `supervisor.Launcher`."""

    def __init__(
        self,
        config: Callable[[], Config],
        server_defaults: Callable[[], Settings],
        preset: Callable[[str], Settings | None] = lambda name: None,
    ) -> None:
        """`server_defaults` gives the settings that the database has for every model, `preset` those of a name."""
        self._config = config
        self._server_defaults = server_defaults
        self._preset = preset
        self.lending: Lending | None = None  # set by `wiring`
        self.needs: Needs | None = None  # set by `wiring`, too; it is asked what to add to the settings

    async def engine(
        self, model: Model | None = None, assumed: Assumed = Assumed()
    ) -> tuple[locate.Engine, capabilities.Capabilities]:
        """The llama-server to use, tried out: that of a model, or of all that name none.

        Raises `NotFound` or `Refused`; for a model, `BadRequest` too if something set for it cannot be.
        """
        engine = self.executable(model, assumed)
        return engine, await capabilities.examine(engine)

    def executable(self, model: Model | None = None, assumed: Assumed = Assumed()) -> locate.Engine:
        """The same without trying it out."""
        own = self.settings(model, assumed).get("server_path") if model else None
        if model and own:
            return locate.of_model(str(own.value), model.name, own.layer.way_out("server_path"))
        return locate.find(self._config().llama_server.path or "")

    async def __call__(self, model: Model) -> process.LlamaServer:
        """Raises, as `LlamactlError`, what can be known before anything is spawned.

        That includes a file that is gone or no GGUF: llama-server says so too, but one that ends at once
        loses its last lines now and then.
        """
        await anyio.to_thread.run_sync(gguf.check, Path(model.path))
        engine, able = await self.engine(model)
        if self.lending is not None:
            await self.lending.take(model)
        if self.needs is not None:
            await self.needs.engine(self.executable())
            await self.needs.look(model)
        # A name of its own for each run: nothing can be left at that path, nor be mistaken for it.
        socket = str(self._config().directories.sockets / f"{secrets.token_hex(6)}.sock")
        command = self.command(engine, able, model, socket)
        engine = msgspec.structs.replace(engine, environment=command.environment)
        config = self._config()
        run_file, digest = new_run(config.directories.runs(model.name), config.logging.runs), self.digest(model)
        server = await process.launch(engine, command.arguments, socket, run_file, model, settings=digest)
        if self.needs is not None:
            self.needs.started(model, server)
        return server

    def digest(self, model: Model) -> str:
        """The same for what is started with the same settings."""
        settings = {name: setting.value for name, setting in self.settings(model).items() if name not in OURS}
        return hashlib.sha256(msgspec.json.encode(settings, order="sorted")).hexdigest()

    def outdated(self, model: Model, record: Record) -> tuple[str, ...]:
        """What would be another if it were started now: `settings`, `llama-server`."""
        try:
            settings, build = self.digest(model), self.executable(model).build
        except LlamactlError:  # it could not even be started
            return ("settings",)
        found = {"settings": settings != record.settings, "llama-server": record.build not in ("", build)}
        return tuple(what for what, is_another in found.items() if is_another)

    def command(
        self,
        engine: locate.Engine,
        able: capabilities.Capabilities,
        model: Model,
        socket: str,
        assumed: Assumed = Assumed(),
    ) -> arguments.Command:
        """What serves the model on `socket`. Raises `BadRequest` or `Refused` where this build would not."""
        added: Settings = {"threads_http": HTTP_THREADS}
        if self.needs is not None and assumed == Assumed():
            added |= self.needs.added(model)
        added = {name: value for name, value in added.items() if able.has(PARAMETERS[name].flags[0])}
        behind = [Layer("llamactl", added), *self._behind(model, assumed)]
        return arguments.build(engine.path, model, socket, behind, able, environment=engine.environment)

    def _behind(self, model: Model, assumed: Assumed) -> list[Layer]:
        """What stands behind a model's own settings, the strongest last."""
        defaults = self._server_defaults() if assumed.defaults is None else assumed.defaults
        layers = [
            Layer(BESIDE, model.beside(), model.name),
            Layer("configuration", self._config().llama_server.settings()),
            Layer("server defaults", defaults),
        ]
        if name := model.preset:
            preset = assumed.presets.get(name)
            if preset is None and (preset := self._preset(name)) is None:
                raise Refused(
                    f"{model.name} has the preset {name}, which is gone", f"llamactl presets unapply {model.name}"
                )
            layers.append(Layer("preset", preset, name))
        return layers

    def settings(
        self, model: Model, assumed: Assumed = Assumed(), only: Collection[str] | None = None
    ) -> dict[str, Effective]:
        """What counts for a model, by parameter, and where it stands; of `only` these.

        Raises `BadRequest` or `Refused`.
        """
        layers = [*self._behind(model, assumed), Layer("model", model.settings, model.name)]
        if only is not None:
            for number, layer in enumerate(layers):
                own = {name: layer.settings[name] for name in only if name in layer.settings}
                layers[number] = Layer(layer.origin, own, layer.name)
        return effective(layer for layer in layers if layer.settings)

    def values(self, model: Model) -> Settings:
        """`settings` without where they stand."""
        return {name: setting.value for name, setting in self.settings(model).items()}

    async def preview(self, model: Model, assumed: Assumed = Assumed()) -> arguments.Command:
        """The command that a start would run, with the place of a socket that is not there."""
        engine, able = await self.engine(model, assumed)
        return self.command(engine, able, model, str(self._config().directories.sockets / "0.sock"), assumed)

    async def check(self, model: Model, assumed: Assumed = Assumed()) -> None:
        """Would these settings do? Raises what `command` raises; without an engine only the values are looked at."""
        if "server_path" in self.settings(model, assumed):
            await self.preview(model, assumed)
            return
        with suppress(NotFound):
            await self.preview(model, assumed)


def new_run(directory: Path, kept: int) -> Path:
    """The file that a run writes to; of the others in the directory, all but the newest go."""
    prepare(directory, private=False)
    return runs.begin(directory, kept)
