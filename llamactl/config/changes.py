"""What another configuration changes, and what of that a daemon that runs cannot take over."""

from collections.abc import Iterable
from typing import Any

import msgspec

from llamactl.config.sections import SECTIONS, Config

RESTART = frozenset(
    (
        "http.host",
        "http.port",
        "http.listen",
        "http.tls_cert",
        "http.tls_key",
        "models.preload",
        "models.standby",
        "access.insecure",
        "metrics.tiers",
    )
)
"""The keys that are looked at once, when the daemon starts; all others may change while it runs.

What `llama_server` says holds for models loaded from then on. Tighter limits put no model out that is loaded: they
hold for those to come. What the files hold
that it names, like the certificate, is read again all the same.
"""


class Changes(msgspec.Struct, frozen=True):
    """Keys, in the order of the sections: those that a reload takes over, and those that wait for a restart."""

    live: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.live or self.restart)


def changed(old: Config, new: Config) -> Changes:
    """Which keys differ; where the files lie is not looked at."""
    return sort(
        f"{section}.{key}"
        for section in SECTIONS
        for key, value in _values(new, section).items()
        if value != _values(old, section)[key]
    )


def without_restart(old: Config, new: Config) -> Config:
    """`new`, but for the keys that need a restart: they stay as they are in `old`."""
    sections = {}
    for section in SECTIONS:
        kept = {key: value for key, value in _values(old, section).items() if f"{section}.{key}" in RESTART}
        sections[section] = msgspec.structs.replace(getattr(new, section), **kept)
    return msgspec.structs.replace(new, **sections)


def sort(keys: Iterable[str]) -> Changes:
    """These keys, by what it takes."""
    all_ = tuple(keys)
    return Changes(
        live=tuple(key for key in all_ if key not in RESTART), restart=tuple(key for key in all_ if key in RESTART)
    )


def _values(config: Config, section: str) -> dict[str, Any]:
    of_section = getattr(config, section)
    return {name: getattr(of_section, name) for name in of_section.__struct_fields__}
