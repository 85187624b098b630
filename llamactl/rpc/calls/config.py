"""The configuration of the daemon that runs, and its file: no call reads or writes another one."""

from typing import Any

import msgspec

from llamactl.core.imported import Note
from llamactl.rpc.calls.call import Call


class ConfigRow(msgspec.Struct, frozen=True):
    """A key as `section.key`. `value` may be given to `SetConfig` again; it is None where none is set, and of a secret.

    `text` is as it would stand in the file.
    """

    key: str
    value: Any
    text: str


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What counts now, in the order of the sections, and the file that changes go to, which need not be there.

    `restart_for` are keys that have changed and wait for a restart of the daemon. `system` is the file for everybody
    on that machine, which is read before.
    """

    file: str
    keys: list[ConfigRow]
    restart_for: tuple[str, ...] = ()
    exists: bool = False
    system: str = ""


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


class ConfigText(msgspec.Struct, frozen=True, kw_only=True):
    """The file as it stands there, None if it does not; `"(hidden 1)"` and so on are in the place of secrets.

    `revision` is for `WriteConfig`.
    """

    file: str
    text: str | None
    revision: str


class ConfigChecked(msgspec.Struct, frozen=True):
    """What was found to be valid."""

    files: tuple[str, ...]


class ConfigImported(msgspec.Struct, frozen=True, kw_only=True):
    """What a file of another system came to; `keys` are without secrets, `models` are names of those in it.

    `written` says what has become of the keys.
    """

    format: str
    keys: dict[str, Any]
    models: tuple[str, ...] = ()
    templates: dict[str, str] = {}
    notes: tuple[Note, ...] = ()
    written: ConfigWritten


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


class ReadConfig(Call[ConfigText], frozen=True):
    """The text of the file, to be changed and given to `WriteConfig`."""

    method = "config.read"
    scope = "admin"


class WriteConfig(Call[ConfigWritten], frozen=True, kw_only=True):
    """Put this text into the file, if it is valid and nobody has changed it since it was read; then it is read again.

    A secret stays where its `"(hidden 1)"` still stands for it. `named` is what errors call the text.
    """

    method = "config.write"
    scope = "admin"
    text: str
    revision: str
    named: str = ""


class CheckConfig(Call[ConfigChecked], frozen=True, kw_only=True):
    """Is all that the daemon would read now valid, or this text in the place of its file? Raises all that is not.

    `named` is what errors call the text.
    """

    method = "config.check"
    scope = "admin"
    text: str | None = None
    named: str = ""


class ImportConfig(Call[ConfigImported], frozen=True, kw_only=True):
    """Take over what a file of another system says of it; `named` is its name, which tells what it is.

    Relative paths in it start where the daemon's own file is. `dry_run` only says what would be done.
    """

    method = "config.import"
    scope = "admin"
    text: str
    named: str = ""
    dry_run: bool = False
