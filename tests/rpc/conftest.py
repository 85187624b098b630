import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from llamactl.rpc.client import Client
from tests.rpc.far import Desk, Far, serving


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def far(path: Path, desk: Desk) -> Iterator[Far]:
    with serving(path, desk, os.getuid()) as far:
        yield far
        far.do(desk.let_go)


@pytest.fixture
def client(far: Far) -> Iterator[Client]:
    with Client([str(far.path)], timeout=10) as client:
        yield client


@pytest.fixture
def wire(far: Far) -> Iterator[socket.socket]:
    """A connection, for whoever wants to write what `Client` never would."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(10)
        wire.connect(str(far.path))
        yield wire
