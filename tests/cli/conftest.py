"""A home of its own for every test, a stand-in for the daemon, and the command line to run in it."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import typer

from llamactl.cli import app
from llamactl.cli.session import Session, session
from llamactl.config import sockets
from tests.cli.stub import Stub

READY_MADE = typer.main.get_command(app.commands())
"""What typer makes of the commands at each start: 70 ms that are enough once."""


class Said(NamedTuple):
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return msgspec.json.decode(self.out)


def forget_flags() -> None:
    for name, value in msgspec.structs.asdict(Session()).items():
        setattr(session, name, value)


class Llamactl:
    """Calling it is typing `llamactl …`, off a terminal."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str) -> Said:
        forget_flags()
        self._capture.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(app, "commands", lambda word: READY_MADE)
            code = app.run(list(arguments))
        return Said(code, *self._capture.readouterr())


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Short, since a socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="ll") as place:
        for name in [name for name in os.environ if name.startswith("LLAMACTL_")]:
            monkeypatch.delenv(name)
        for name in ("NO_COLOR", "FORCE_COLOR", "TERM", "COLUMNS"):
            monkeypatch.delenv(name, raising=False)
        for name in ("CONFIG_HOME", "DATA_HOME", "STATE_HOME", "RUNTIME_DIR"):
            monkeypatch.setenv(f"XDG_{name}", f"{place}/{name.lower()}")
        monkeypatch.setenv("HOME", place)
        monkeypatch.setenv("LLAMACTL_HTTP_PORT", "0")
        monkeypatch.setattr(sockets, "SYSTEM", f"{place}/system")
        forget_flags()
        yield Path(place)


@pytest.fixture
def llamactl(capsys: pytest.CaptureFixture[str]) -> Llamactl:
    return Llamactl(capsys)


@pytest.fixture
def stub(home: Path) -> Iterator[Stub]:
    with Stub(home / "runtime_dir" / "llamactl" / "control.sock") as stub:
        yield stub
