"""The environment a llama-server is started with (pure)."""

from collections.abc import Mapping

# llama-server reads every flag from the environment too: one of the user's would apply to all models.
# LLAMA_SERVER_ROUTER_PORT switches on a protocol on stdout and makes SIGTERM hang. The others are
# secrets of the daemon, or between the daemon and systemd.
_PREFIXES = ("LLAMA_ARG_", "LLAMACTL_", "WATCHDOG_", "LISTEN_")
_NAMES = frozenset({"LLAMA_API_KEY", "LLAMA_SERVER_ROUTER_PORT", "HF_TOKEN", "NOTIFY_SOCKET"})


def clean(environment: Mapping[str, str], additions: Mapping[str, str]) -> dict[str, str]:
    """`environment` without what a llama-server must not see, and with `additions`."""
    kept = {name: value for name, value in environment.items() if not _unwanted(name)}
    return {**kept, **additions}


def _unwanted(name: str) -> bool:
    return name in _NAMES or name.startswith(_PREFIXES)
