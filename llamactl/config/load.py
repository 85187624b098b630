"""Where the values come from: environment, then the user's file, then the system's, then the defaults."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from llamactl.config import sources
from llamactl.config.directories import Directories, find_directories
from llamactl.config.origin import DEFAULT, Origin
from llamactl.config.sections import SECTIONS, Config
from llamactl.config.sources import Given, Key
from llamactl.core.errors import BadRequest

SYSTEM_FILE = Path("/etc/llamactl/config.toml")


class Survey(msgspec.Struct, frozen=True):
    """The configuration and where each value that is no default comes from; `files` are those that were read."""

    config: Config
    origins: dict[Key, Origin]
    files: tuple[Path, ...] = ()

    def origin(self, key: Key) -> Origin:
        return self.origins.get(key, DEFAULT)


def load(
    path: Path | None = None,
    environment: Mapping[str, str] | None = None,
    system_file: Path = SYSTEM_FILE,
    here: Path | None = None,
) -> Config:
    """The configuration. `path` is what `--config` says; it, else `LLAMACTL_CONFIG`, replaces the user's file.

    Relative paths there and in the environment start `here`, else in the working directory.

    Raises `BadRequest`, which names the file with line and key, or the variable, where a value cannot be used, a
    section or key is unknown, or a file named explicitly is not there. A system file that this user
    may not read is passed over.
    """
    return survey(path, environment, system_file, here).config


def survey(
    path: Path | None = None,
    environment: Mapping[str, str] | None = None,
    system_file: Path = SYSTEM_FILE,
    here: Path | None = None,
) -> Survey:
    """What `load` gives, and where it comes from. Raises the same."""
    found, problems = _survey(path, environment, system_file, here)
    if problems:
        raise _mendable(problems[0])
    return found


def problems(
    path: Path | None = None, environment: Mapping[str, str] | None = None, system_file: Path = SYSTEM_FILE
) -> list[BadRequest]:
    """Everything that `load` could complain of."""
    return [_mendable(problem) for problem in _survey(path, environment, system_file, None)[1]]


def valid(path: Path | None = None) -> tuple[Path, ...]:
    """The files that `load` reads. Raises everything that it could complain of at once."""
    sources.refuse(problems(path))
    return survey(path).files


def usable(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """What can be used of it, whatever is wrong with the rest."""
    return _survey(path, environment, SYSTEM_FILE, None)[0].config


def user_file(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Path:
    """The file that `load` reads for the user, and that changes are written to; it need not be there."""
    return _directories(path, os.environ if environment is None else environment, None)[0].config_file


def _mendable(problem: BadRequest) -> BadRequest:
    """With the next command, where there is none that fits it better."""
    return problem if problem.hint else BadRequest(problem.message, "llamactl config edit")


def _directories(path: Path | None, environment: Mapping[str, str], here: Path | None) -> tuple[Directories, bool]:
    """With the user's file, and whether that was named explicitly."""
    directories = find_directories(environment)
    named = str(path or "") or environment.get("LLAMACTL_CONFIG", "")
    if named:
        directories = msgspec.structs.replace(
            directories, config_file=((here or Path()) / Path(named).expanduser()).absolute()
        )
    return directories, bool(named)


def _survey(
    path: Path | None, environment: Mapping[str, str] | None, system_file: Path, here: Path | None
) -> tuple[Survey, list[BadRequest]]:
    environment = os.environ if environment is None else environment
    directories, named = _directories(path, environment, here)
    problems: list[BadRequest] = []
    given: dict[Key, Given] = {}
    files = []
    for file, optional in [(system_file, True), (directories.config_file, False)]:
        if optional and file == directories.config_file:
            continue
        try:
            text = sources.text(file, missing_ok=optional or not named, forbidden_ok=optional)
        except BadRequest as error:
            problems.append(error)
            continue
        if text is not None:
            files.append(file)
            given |= sources.tables(file, text, problems)
    given |= sources.variables(environment, problems, here)
    values = sources.values(given, problems)
    sections: dict[str, Any] = {
        section: kind(**{key: value for (owner, key), value in values.items() if owner == section})
        for section, kind in SECTIONS.items()
    }
    origins = {key: given[key].origin for key in values}
    return Survey(Config(directories=directories, **sections), origins, tuple(files)), problems
