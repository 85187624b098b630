"""How these tests read a configuration: nothing of this machine comes into it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from llamactl.config.load import load
from llamactl.config.sections import Config
from llamactl.core.errors import BadRequest

Write = Callable[[str], Path]
"""Writes the user's file; gives its path."""

NO_FILE = Path("/nonexistent/system.toml")


def read(path: Path | None = None, system_file: Path = NO_FILE, /, **environment: str) -> Config:
    return load(path, {"XDG_CONFIG_HOME": "/nonexistent", "HOME": "/home/ada", **environment}, system_file)


def refused(path: Path | None = None, /, **environment: str) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        load(path, {"XDG_CONFIG_HOME": "/nonexistent", **environment}, NO_FILE)
    return caught.value
