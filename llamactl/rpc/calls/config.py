"""The configuration of the daemon that runs."""

from typing import Any

import msgspec

from llamactl.rpc.calls.call import Call


class ConfigRow(msgspec.Struct, frozen=True):
    """A key as `section.key`. `value` may be given to `SetConfig` again; it is None where none is set, and of a secret.

    `text` is as it would stand in the file.
    """

    key: str
    value: Any
    text: str


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What counts now, in the order of the sections, and the file that changes go to.

    `restart_for` are keys that have changed and wait for a restart of the daemon.
    """

    file: str
    keys: list[ConfigRow]
    restart_for: tuple[str, ...] = ()


class ConfigWritten(msgspec.Struct, frozen=True, kw_only=True):
    """`written`: the file has changed. `changed` are the keys whose new values count from now on, `restart_for` all
    that wait for a restart.

    `hidden_by` are variables in the daemon's environment that win over what was written.
    """

    file: str
    written: bool = False
    changed: tuple[str, ...] = ()
    restart_for: tuple[str, ...] = ()
    hidden_by: tuple[str, ...] = ()


class ShowConfig(Call[Configuration], frozen=True):
    """The configuration that counts, without secrets."""

    method = "config.show"
    scope = "observe"


class SetConfig(Call[ConfigWritten], frozen=True):
    """Write keys into the file, or take them out of it, all or none; then it is read again.

    Values are as in the file, or texts as on the command line. What the daemon could not read is not written.
    """

    method = "config.set"
    scope = "admin"
    set: dict[str, Any] = {}
    unset: tuple[str, ...] = ()
