"""Every section and key of the configuration file, with its default and what it means.

A key is a field; its type says what may stand in the file (see `values`), the text below it what it is for:
the example file and the manual are made from these. Those of llama-server itself come from the table of its
parameters. Inside llamactl durations are seconds, sizes bytes,
paths absolute. `None` means not set.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from llamactl.config.directories import Directories
from llamactl.config.values import (
    Address,
    Duration,
    FilePath,
    GroupText,
    Idleness,
    Of,
    Program,
    Rate,
    SecretUrl,
    Size,
    Tier,
)
from llamactl.core.alerts import USUAL
from llamactl.core.model import Setting
from llamactl.core.parameters import OF_ONE_MODEL, PARAMETERS

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Text = Annotated[str, Meta(min_length=1)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Factor = Annotated[float, Meta(ge=1, le=1000)]
Limit = Annotated[float, Meta(ge=0)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Level = Literal["debug", "info", "warn", "error"]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One table of the file; its name there is the field of `Config` that holds it."""


class Http(Section, frozen=True, kw_only=True):
    """The front door: one port for every client."""

    host: Text = "127.0.0.1"
    """The address to listen on."""
    port: Port = 8134
    """The port to listen on; 0 takes any free one."""
    listen: tuple[Address, ...] = ()
    """Further listeners: `host:port` or `unix:///path`."""
    max_body: Size = Size(100 << 20)
    """The largest body that a request may have."""
    connections: Count = 256
    """Connections from one address at once; those of this machine are not counted. 0 is no limit."""
    tls_cert: FilePath | None = None
    """The certificate to serve TLS with, in PEM, with the chain that it needs."""
    tls_key: FilePath | None = None
    """The private key of that certificate, in PEM."""
    cors_origins: tuple[Address, ...] = ()
    """Origins whose web pages may use this port, like `https://chat.example`."""
    allowed_hosts: tuple[Address, ...] | None = None
    """Values of `Host` to answer to; None: those of the listeners."""


class Models(Section, frozen=True, kw_only=True):
    """Where models come from, and which of them are special."""

    directories: tuple[FilePath, ...] = ()
    """Where to look for GGUF files, at any depth; if there are none, where fetched models are put."""
    watch: bool = True
    """Look again when something changes in these directories."""
    include: tuple[Text, ...] = ()
    """Globs of which each file must match one, by its name or its path below the directory; if there are none, all."""
    exclude: tuple[Text, ...] = ()
    """Globs of files and directories to pass over, like `*-embedding*` or `old/*`."""
    default: str = ""
    """The model of a request that names none."""
    standby: str = ""
    """The model to go back to when the others have become idle."""
    preload: tuple[str, ...] = ()
    """Models to load when the daemon starts."""


class LlamaServer(Section, frozen=True, kw_only=True):
    """The engine, and defaults for every model; what is not set is left to llama-server."""

    path: Program | None = None
    """A file, or a name to look for in `PATH`; None: find one."""

    def settings(self) -> dict[str, Setting]:
        """Those that are set, by name."""
        names = (name for name in self.__struct_fields__ if name != "path")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


_NO_DEFAULTS = OF_ONE_MODEL | {"server_path"}
"""The llama-server for all is called `path` here."""

ENGINE_SETTINGS = tuple(
    parameter
    for parameter in PARAMETERS.values()
    if not (parameter.never or parameter.gone or parameter.ours or parameter.inverts or parameter.name in OF_ONE_MODEL)
)

EngineDefaults = msgspec.defstruct(
    "LlamaServer",
    [(parameter.name, Annotated[Setting, Of(parameter)] | None, None) for parameter in ENGINE_SETTINGS],
    bases=(LlamaServer,),
    frozen=True,
    kw_only=True,
)
"""`LlamaServer` with every setting that llamactl knows of one."""


class Residency(Section, frozen=True, kw_only=True):
    """Which models are kept in memory, for how long, and who waits for it."""

    max_models: Count = 0
    """How many models may be loaded at once; 0 is no limit."""
    memory: Size | None = None
    """Bytes of host memory for all models together; None: what is free."""
    devices: dict[str, Size] = {}
    """The same for other devices, by name."""
    margin: Size = Size(1 << 30)
    """Memory to leave free, where what is free is the measure."""
    ttl: Idleness = Idleness(900.0)
    """How long an idle model stays loaded; 0 unloads it at once."""
    max_wait: Duration = Duration(10.0)
    """When somebody has waited this long, the model in the way gets no more requests."""
    groups: tuple[GroupText, ...] = ()
    """Sets of models: with `;max=N` no more than N of them are loaded at once, with `;exclusive` no others beside."""
    queue_per_model: Count = 64
    """Requests that may wait for one model; those after them are refused."""
    queue_total: Count = 256
    """Requests that may wait altogether; those after them are refused."""
    load_timeout: Duration = Duration(600.0)
    """How long a load may go on without any progress."""
    drain: Duration = Duration(30.0)
    """How long requests under way may go on when a model or the daemon is stopped."""


class Restart(Section, frozen=True, kw_only=True):
    """What happens when a llama-server dies: it is started again, later each time."""

    first: Duration = Duration(1.0)
    """The pause after the first death."""
    factor: Factor = 2.0
    """How much longer the pause gets each time."""
    longest: Duration = Duration(60.0)
    """The longest pause."""
    healthy_after: Duration = Duration(120.0)
    """One that has been ready this long begins with the first pause again."""
    crashes: Positive = 5
    """So many deaths within the window, and it is given up until somebody starts it."""
    window: Duration = Duration(600.0)
    """The time that deaths are counted in."""
    wedge_after: Duration = Duration(300.0)
    """When nothing has moved for this long in one that has requests, it is taken for wedged; 0 never looks."""
    wedged: Literal["mark", "restart"] = "mark"
    """What to do with it then: only tell, or start it again."""


class Access(Section, frozen=True, kw_only=True):
    """Who may do what over the network."""

    anonymous: Literal["auto", "none", "infer", "observe"] = "auto"
    """What may be done without a key; auto: infer and observe, on loopback, while no key exists."""
    rate: Rate = Rate(0.0)
    """Requests per minute without a key, per address; 0 is no limit."""
    insecure: bool = False
    """Listen beyond loopback without keys and TLS."""
    jwt_secret: FilePath | None = None
    """A file with the secret, of at least 32 bytes, that JSON Web Tokens are signed with (HS256)."""
    jwt_public_key: FilePath | None = None
    """The public key, in PEM, of who signs JSON Web Tokens; RSA is for RS256, Ed25519 for EdDSA."""
    jwt_issuer: str = ""
    """The `iss` that tokens must have; empty: any."""
    jwt_audience: str = ""
    """The `aud` that tokens must have; empty: they must have none."""
    jwt_scopes: Text = "scope"
    """The claim with the scopes: a list, or a text with spaces between them. Other words are passed over."""
    jwt_models: str = ""
    """The claim with the models that a token is for; empty: tokens are for all of them."""
    jwt_leeway: Duration = Duration(30.0)
    """How far the clocks of who signs tokens and of this machine may differ."""


class Requests(Section, frozen=True, kw_only=True):
    """The memory of requests for models."""

    keep: Duration = Duration(604800.0)
    """How long requests are remembered."""
    rows: Count = 100_000
    """How many of them at most; 0 remembers none."""
    capture: Count = 0
    """Of how many, the latest, the bodies are held in memory for `requests show --body`; 0 holds none."""
    capture_size: Size = Size(64 << 10)
    """How much of each body."""


class Metrics(Section, frozen=True, kw_only=True):
    """What is measured, and how long it is kept."""

    interval: Duration = Duration(2.0)
    """The time between two measurements."""
    history: Duration = Duration(600.0)
    """How long every measurement is kept."""
    tiers: tuple[Tier, ...] = (Tier(60.0, 86400.0), Tier(900.0, 2592000.0))
    """How older ones are thinned out: `step:kept`."""
    per_key: bool = False
    """Count requests and tokens for each API key, too, in what Prometheus reads."""


class Alerts(Section, frozen=True, kw_only=True):
    """When to tell that something is beyond its limit; 0 is no limit."""

    cpu: Limit = USUAL.cpu
    """Percent of the processors that are busy."""
    memory: Limit = USUAL.memory
    """Percent of host memory that is in use."""
    disk: Limit = USUAL.disk
    """Percent of a file system that is in use."""
    gpu: Limit = USUAL.gpu
    """Percent of the time that a GPU computes."""
    gpu_temperature: Limit = USUAL.gpu_temperature
    """Degrees Celsius of a GPU."""
    gpu_memory: Limit = USUAL.gpu_memory
    """Percent of a GPU's memory that is in use."""
    gpu_power: Limit = USUAL.gpu_power
    """Watts that a GPU draws."""
    margin: Percent = 5.0
    """How far below its limit a value has to be until it is well again, in percent of the limit."""
    hold: Duration = Duration(10.0)
    """How long a value has to be beyond its limit before that is told, and well again before that is."""
    webhook: SecretUrl | None = None
    """A URL that each alert is posted to as JSON, when it is raised and when it is cleared."""


class Logging(Section, frozen=True, kw_only=True):
    """What is written down about the daemon and its models."""

    console_level: Level = "info"
    """The least that goes to the console or the journal."""
    file_level: Level = "info"
    """The least that goes to the daily files."""
    errors_level: Level = "warn"
    """The least that goes to the files of errors."""
    max_size: Size = Size(20 << 20)
    """The size at which a file is put aside for the next."""
    max_files: Duration = Duration(2592000.0)
    """How long a file is kept."""
    max_total: Size = Size(1 << 30)
    """What all files together may take, those of the models too; the oldest go."""
    file: bool = True
    """Write files at all."""
    console: bool = True
    """Write to the console at all."""
    runs: Positive = 5
    """Outputs of llama-server kept per model."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, as the daemon starts with it."""

    directories: Directories
    http: Http = Http()
    models: Models = Models()
    llama_server: LlamaServer = EngineDefaults()  # type: ignore[assignment]  # it is made when this is imported
    residency: Residency = Residency()
    restart: Restart = Restart()
    access: Access = Access()
    requests: Requests = Requests()
    metrics: Metrics = Metrics()
    alerts: Alerts = Alerts()
    logging: Logging = Logging()


SECTIONS: dict[str, type[Section]] = {
    field.name: type(field.default) for field in msgspec.structs.fields(Config) if isinstance(field.default, Section)
}
"""By the name of the table in the file."""
