"""Every section and key of the configuration file, with its default.

A key is a field; its type says what may stand in the file (see `values`). Inside llamactl durations are
seconds, sizes bytes, paths absolute. `None` means not set.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from llamactl.config.directories import Directories
from llamactl.config.values import Address, Duration, FilePath, Idleness, Program, Rate, Size, Tier
from llamactl.core.model import Setting

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Text = Annotated[str, Meta(min_length=1)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Factor = Annotated[float, Meta(ge=1, le=1000)]
Level = Literal["debug", "info", "warn", "error"]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One table of the file; its name there is the field of `Config` that holds it."""


class Http(Section, frozen=True, kw_only=True):
    host: Text = "127.0.0.1"
    port: Port = 8134
    """0 takes any free one."""
    listen: tuple[Address, ...] = ()
    """Further listeners: `host:port` or `unix:///path`."""
    max_body: Size = Size(100 << 20)
    tls_cert: FilePath | None = None
    tls_key: FilePath | None = None
    cors_origins: tuple[Address, ...] = ()
    allowed_hosts: tuple[Address, ...] | None = None
    """Values of `Host` to answer to; None: those of the listeners."""


class Models(Section, frozen=True, kw_only=True):
    directories: tuple[FilePath, ...] = ()
    watch: bool = True
    default: str = ""
    """The model of a request that names none."""
    standby: str = ""
    preload: tuple[str, ...] = ()


class LlamaServer(Section, frozen=True, kw_only=True):
    """The engine, and defaults for every model; what is None is left to llama-server."""

    path: Program | None = None
    """A file, or a name to look for in `PATH`; None: find one."""
    ctx_size: Count | None = None
    batch_size: Positive | None = None
    ubatch_size: Positive | None = None
    threads: Annotated[int, Meta(ge=-1)] | None = None
    gpu_layers: Annotated[int, Meta(ge=-1)] | Literal["auto", "all"] | None = None
    parallel: Annotated[int, Meta(ge=-1)] | None = None
    cache_type_k: Text | None = None
    cache_type_v: Text | None = None
    flash_attn: Literal["on", "off", "auto"] | None = None
    jinja: bool | None = None
    skip_chat_parsing: bool | None = None

    def settings(self) -> dict[str, Setting]:
        """Those that are set, by name."""
        values = msgspec.structs.asdict(self)
        del values["path"]
        return {name: value for name, value in values.items() if value is not None}


class Residency(Section, frozen=True, kw_only=True):
    max_models: Count = 0
    """0 is no limit."""
    memory: Size | None = None
    """Bytes of host memory for all models together; None: what is free."""
    devices: dict[str, Size] = {}
    """The same for other devices, by name."""
    margin: Size = Size(1 << 30)
    ttl: Idleness = Idleness(900.0)
    max_wait: Duration = Duration(10.0)
    queue_per_model: Count = 64
    queue_total: Count = 256
    load_timeout: Duration = Duration(600.0)
    """Without any progress."""
    drain: Duration = Duration(30.0)


class Restart(Section, frozen=True, kw_only=True):
    first: Duration = Duration(1.0)
    factor: Factor = 2.0
    longest: Duration = Duration(60.0)
    healthy_after: Duration = Duration(120.0)
    crashes: Positive = 5
    window: Duration = Duration(600.0)


class Access(Section, frozen=True, kw_only=True):
    anonymous: Literal["auto", "none", "infer", "observe"] = "auto"
    """What may be done without a key; auto: infer and observe, on loopback, while no key exists."""
    rate: Rate = Rate(0.0)
    """Requests per minute without a key, per address; 0 is no limit."""
    insecure: bool = False
    """Listen beyond loopback without keys and TLS."""


class Metrics(Section, frozen=True, kw_only=True):
    interval: Duration = Duration(2.0)
    history: Duration = Duration(600.0)
    """Kept at full resolution."""
    tiers: tuple[Tier, ...] = (Tier(60.0, 86400.0), Tier(900.0, 2592000.0))
    """How older samples are thinned out: `step:kept`."""


class Logging(Section, frozen=True, kw_only=True):
    console_level: Level = "info"
    file_level: Level = "info"
    errors_level: Level = "warn"
    max_size: Size = Size(20 << 20)
    max_files: Duration = Duration(2592000.0)
    """How long a file is kept."""
    file: bool = True
    console: bool = True
    runs: Positive = 5
    """Outputs of llama-server kept per model."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, as the daemon starts with it."""

    directories: Directories
    http: Http = Http()
    models: Models = Models()
    llama_server: LlamaServer = LlamaServer()
    residency: Residency = Residency()
    restart: Restart = Restart()
    access: Access = Access()
    metrics: Metrics = Metrics()
    logging: Logging = Logging()


SECTIONS: dict[str, type[Section]] = {
    field.name: field.type
    for field in msgspec.structs.fields(Config)
    if isinstance(field.type, type) and issubclass(field.type, Section)
}
"""By the name of the table in the file."""
