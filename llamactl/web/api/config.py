"""`/api/config`: the configuration, by its own keys, and as the dashboard has some of them."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from llamactl.core.errors import BadRequest
from llamactl.rpc.calls import Configuration, SetConfig, ShowConfig
from llamactl.web.api.route import Asked, Route

PATH = "/api/config"

_SERVER = {
    "host": "http.host",
    "port": "http.port",
    "base_path": "models.directories",
    "server_path": "llama_server.path",
    "ctx_size": "llama_server.ctx_size",
    "batch_size": "llama_server.batch_size",
    "threads": "llama_server.threads",
    "gpu_layers": "llama_server.gpu_layers",
}
"""The fields of a `ServerConfig`, and the keys that they are."""

_LEFT = ("threads", "gpu_layers")
"""Those that the dashboard has -1 for where llama-server is to decide."""

Name = Annotated[str, Meta(min_length=1)]


class ServerConfig(
    msgspec.Struct, forbid_unknown_fields=True, rename={"base_path": "basePath", "server_path": "serverPath"}
):
    """Null is not set, or in a POST: stays as it is. `basePath` is the first of the directories with models.

    With -1 `threads` and `gpu_layers` are taken out of the file: llama-server decides.
    """

    host: Annotated[str, Meta(min_length=1, max_length=253)] | None = None
    port: Annotated[int, Meta(ge=0, le=65535)] | None = None
    base_path: Name | None = None
    server_path: str | None = None
    ctx_size: Annotated[int, Meta(ge=0)] | None = None
    batch_size: Annotated[int, Meta(ge=1)] | None = None
    threads: Annotated[int, Meta(ge=-1)] | None = None
    gpu_layers: Annotated[int, Meta(ge=-1)] | str | None = None


class AppConfig(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """How many models may be loaded, 0: as many as fit; and the level of lines, on the console and in the files."""

    max_concurrent_models: Annotated[int, Meta(ge=0)] | None = None
    log_level: Literal["error", "warn", "info", "debug", "verbose"] | None = None


class ConfigDocument(msgspec.Struct, rename="camel"):
    """What counts now. `config` are the keys that are set, by section, but for secrets.

    Changes go to `file`; `restartFor` are keys that have changed and wait for a restart.
    """

    server_config: ServerConfig
    app_config: AppConfig
    config: dict[str, dict[str, Any]]
    file: str
    restart_for: tuple[str, ...]


class ConfigChange(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """What is not in it stays as it is. In `config`, a key that is null is taken out of the file."""

    server_config: ServerConfig | None = None
    app_config: AppConfig | None = None
    config: dict[str, dict[str, Any]] = {}


class ConfigSaved(ConfigDocument, rename="camel"):
    """What counts after it. `changed` are keys whose new values count from now on.

    `hiddenBy` are variables in the daemon's environment that win over what was written.
    """

    changed: tuple[str, ...]
    hidden_by: tuple[str, ...]


async def show_config(asked: Asked) -> ConfigDocument:
    """The configuration that counts, without secrets."""
    return ConfigDocument(**_document(await asked(ShowConfig())))


async def change_config(asked: Asked, body: ConfigChange) -> ConfigSaved:
    """Write keys into the configuration file, all or none; it is read again, and what can change at once does.

    Values are as in the file (numbers, texts like `15m` and `12GiB`, lists, tables), or texts as on the command line.
    A field of `serverConfig` or `appConfig` that says what GET does changes nothing: forms are sent back whole.
    """
    given = _given(body, await asked(ShowConfig()))
    wanted = {key: value for key, value in given.items() if value is not None}
    gone = tuple(key for key, value in given.items() if value is None)
    written = await asked(SetConfig(wanted, gone))
    document = _document(await asked(ShowConfig()))
    return ConfigSaved(**document, changed=written.changed, hidden_by=written.hidden_by)


def _given(body: ConfigChange, now: Configuration) -> dict[str, Any]:
    """By key; None: to be taken out."""
    found: dict[str, Any] = {}
    shown = _document(now)
    others = next(row.value for row in now.keys if row.key == "models.directories")[1:]

    def give(key: str, value: Any, place: str) -> None:
        if key in found and found[key] != value:
            raise BadRequest(f"the body does not fit: {key} is there twice", f"body.{place}")
        found[key] = value

    for field, value in msgspec.structs.asdict(body.server_config or ServerConfig()).items():
        if value is not None and value != getattr(shown["server_config"], field):
            value = [value, *others] if field == "base_path" else None if field in _LEFT and value == -1 else value
            give(_SERVER[field], value, "serverConfig")
    app = body.app_config or AppConfig()
    if app.max_concurrent_models not in (None, shown["app_config"].max_concurrent_models):
        give("residency.max_models", app.max_concurrent_models, "appConfig")
    if app.log_level not in (None, shown["app_config"].log_level):
        level = "debug" if app.log_level == "verbose" else app.log_level
        give("logging.console_level", level, "appConfig")
        give("logging.file_level", level, "appConfig")
    for section, keys in body.config.items():
        for key, value in keys.items():
            give(f"{section}.{key}", value, f"config.{section}.{key}")
    return found


def _document(found: Configuration) -> dict[str, Any]:
    values = {row.key: row.value for row in found.keys}
    directories = values["models.directories"]
    config: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        if value is not None:
            section, _, name = key.partition(".")
            config.setdefault(section, {})[name] = value
    server = {field: values[key] for field, key in _SERVER.items()} | {"base_path": next(iter(directories), None)}
    return {
        "server_config": ServerConfig(**server),
        "app_config": AppConfig(values["residency.max_models"], values["logging.console_level"]),
        "config": config,
        "file": found.file,
        "restart_for": found.restart_for,
    }


ROUTES = (
    Route("GET", PATH, show_config, ShowConfig),
    Route("POST", PATH, change_config, SetConfig, ShowConfig),
)
