"""Settings and capabilities → command line (pure).

A small table of the settings that the first models need; the whole of llama-server's parameters follows.
"""

from collections.abc import Iterator, Mapping

from llamactl.core.errors import BadRequest, Refused
from llamactl.core.model import Model, Setting
from llamactl.llamaserver.capabilities import Capabilities

_VALUES = {
    "ctx_size": "--ctx-size",
    "batch_size": "--batch-size",
    "ubatch_size": "--ubatch-size",
    "threads": "--threads",
    "gpu_layers": "--gpu-layers",
    "parallel": "--parallel",
    "cache_type_k": "--cache-type-k",
    "cache_type_v": "--cache-type-v",
    "flash_attn": "--flash-attn",
}
_SWITCHES = {
    "jinja": "--jinja",
    "skip_chat_parsing": "--skip-chat-parsing",
}


def command(
    engine: str, model: Model, socket: str, defaults: Mapping[str, Setting], capabilities: Capabilities
) -> list[str]:
    """The command line that serves `model` on the Unix socket `socket`; `engine` is the executable's path.

    The model's own settings win over `defaults`; what neither sets is left to llama-server. Raises
    `BadRequest` for a setting that does not exist or cannot have its value, `Refused` for one that this
    build of llama-server does not have.
    """
    line = [engine, "--model", model.path, "--alias", model.name, "--host", socket]
    if capabilities.has("--metrics"):
        line.append("--metrics")
    for name, value in {**defaults, **model.settings}.items():
        line.extend(_arguments(name, value, capabilities))
    return line


def _arguments(name: str, value: Setting, capabilities: Capabilities) -> Iterator[str]:
    if flag := _VALUES.get(name):
        yield _known(flag, capabilities)
        yield {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
    elif flag := _SWITCHES.get(name):
        if not isinstance(value, bool):
            raise BadRequest(f"{name} is a switch, it cannot be {value!r}", "write true or false")
        opposite = flag.replace("--", "--no-", 1)
        if value:
            yield _known(flag, capabilities)
        elif capabilities.has(opposite):  # a build without it has the switch off
            yield opposite
    else:
        raise BadRequest(f"llama-server has no setting {name!r}", f"there are {', '.join([*_VALUES, *_SWITCHES])}")


def _known(flag: str, capabilities: Capabilities) -> str:
    if not capabilities.has(flag):
        raise Refused(
            f"this build of llama-server (version {capabilities.version}) has no {flag}",
            "unset it, or set llama_server.path to a build that has it",
        )
    return flag
