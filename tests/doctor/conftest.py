"""An installation with which nothing is wrong; each test breaks one thing."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from llamactl import __version__
from llamactl.catalogue import Catalogue
from llamactl.cli.session import session
from llamactl.config.sockets import control_sockets
from llamactl.core.finding import Finding
from llamactl.core.model import Model
from llamactl.doctor.case import take
from llamactl.doctor.examine import examine
from llamactl.metrics import gpu
from llamactl.metrics.surroundings import look
from llamactl.rpc.calls import Check, DeviceRow, EngineRow, ModelDetail, Verification
from llamactl.store import Database
from tests.cli.conftest import Llamactl, home, llamactl, stub
from tests.cli.stub import QWEN, STATUS, Stub, model
from tests.e2e.conftest import real_engine
from tests.engines import FAKE
from tests.metrics.conftest import nvml, nvml_library

__all__ = ["Llamactl", "home", "llamactl", "nvml", "nvml_library", "real_engine", "stub"]

PATIENCE = 20.0
"""Seconds, where nothing is to hang: this machine may be busy."""

Found = Callable[..., list[Finding]]


class Engine:
    """A llama-server that only answers what it is asked for at once."""

    def __init__(self, place: Path) -> None:
        self.path = place / "llama-server"
        self.help = FAKE.parent.joinpath("fake", "help.txt").read_text()
        self.devices = ""
        self.before = ""
        self.write()

    def write(self, **changes: str) -> None:
        for name, value in changes.items():
            setattr(self, name, value)
        self.path.with_suffix(".help").write_text(self.help)
        self.path.with_suffix(".devices").write_text(f"Available devices:\n{self.devices}")
        self.path.write_text(
            f"#!/bin/sh\n{self.before}\n"
            f"case $1 in --help) cat {self.path}.help ;; --version) echo 'version: 7 (abc)' ;; "
            f"*) cat {self.path}.devices ;; esac\n"
        )
        self.path.chmod(0o755)


@pytest.fixture
def engine(home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Engine:
    engine = Engine(home)
    if "nvml" not in request.fixturenames:  # the GPUs of the machine that the tests run on are not looked at
        monkeypatch.setattr(gpu, "LIBRARY", "no-nvml.so")
    plenty = os.statvfs_result((4096, 4096, 1 << 30, 1 << 29, 1 << 29, 1 << 20, 1 << 20, 1 << 20, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: plenty)
    monkeypatch.setenv("LLAMACTL_LLAMA_SERVER_PATH", str(engine.path))
    return engine


@pytest.fixture
def root(home: Path) -> Path:
    """What stands for `/`: a machine without a GPU."""
    (home / "root" / "dev").mkdir(parents=True)
    return home / "root"


@pytest.fixture
def found(engine: Engine, root: Path) -> Found:
    """Calling it looks; it gives what is wrong, but for that no daemon runs."""

    def found(limit: float = PATIENCE) -> list[Finding]:
        case = take(session.client, control_sockets(host=session.host), until=time.monotonic() + limit, root=root)
        return [one for one in examine(case) if one.level != "ok" and one.code != "daemon-absent"]

    return found


@pytest.fixture
def kept(home: Path) -> Callable[..., Model]:
    """`kept(size=…)`: a model in the database of a daemon that does not run."""
    path = home / "tiny.gguf"
    path.write_bytes(b"GGUF" + (3).to_bytes(4, "little") + bytes(16))
    database = home / "data_home" / "llamactl" / "llamactl.db"
    database.parent.mkdir(parents=True)

    def kept(**changes: object) -> Model:
        with Database(database) as db:
            catalogue = Catalogue(db.models, lambda _: None)
            catalogue.add(str(path), "tiny")
            made: Model = msgspec.structs.replace(catalogue.resolve("tiny"), **changes)
            db.models.put(made)
        return made

    return kept


@pytest.fixture
def daemon(stub: Stub, engine: Engine, root: Path, home: Path) -> Stub:
    """One that answers, and with which nothing is wrong."""
    stub.path.chmod(0o600)
    tiny = model("tiny")
    stub.answers |= {
        "daemon.status": msgspec.structs.replace(
            STATUS, version=__version__, data=str(home / "data"), log=str(home / "log"), config=str(home / "none.toml")
        ),
        "daemon.surroundings": lambda: look([], root),
        "instances.list": lambda all: [QWEN],
        "engine.show": EngineRow(path=str(engine.path), version="7 (abc)", origin="configuration"),
        "devices.list": [DeviceRow(name="host", description="", total=1, free=1, budget=1, reserved=0)],
        "models.list": [tiny],
        "models.show": lambda name: ModelDetail(
            name=name, path=tiny.path, size=tiny.size, aliases=(), state="stopped", settings=[]
        ),
        "models.verify": lambda name: Verification(name=name, sound=True, checks=[Check(check="files", ok=True)]),
    }
    return stub
