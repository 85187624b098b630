"""Engines, real and fake, a place for short-lived sockets, and a guard against forgotten processes."""

import os
import sys
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from llamactl.core.errors import LlamactlError
from llamactl.core.model import Model
from llamactl.llamaserver import locate
from llamactl.llamaserver.arguments import build
from llamactl.llamaserver.capabilities import Capabilities
from llamactl.llamaserver.locate import Engine
from llamactl.llamaserver.process import LlamaServer, launch
from tests.engines import FAKE

Start = Callable[..., Awaitable[LlamaServer]]


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both event loops: llamactl runs on uvloop, and waits on descriptors of processes."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.fixture(autouse=True)
def nobody_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No process that a test started outlives it, whatever became of its parents."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv("STARTED_BY_TEST", mark)
    yield
    left = [process for process in psutil.process_iter() if _environment(process).get("STARTED_BY_TEST") == mark]
    for process in left:
        process.kill()
    assert not left, left


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.Error, OSError):  # gone, a zombie, or not ours
        return {}


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a path so short that a socket may lie in it."""
    with tempfile.TemporaryDirectory(prefix="ll") as directory:
        yield Path(directory)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Engine:
    # Its first line looks for python3; the one that runs the tests is new enough.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return Engine(str(FAKE), "configuration")


@pytest.fixture
def real() -> Engine:
    try:
        return locate._packaged() or locate.find()
    except LlamactlError as error:
        pytest.skip(f"no real llama-server: {error.message}")


@pytest.fixture
async def start(fake: Engine, place: Path) -> Any:
    """Starts a fake for a model; whatever runs at the end of the test is put down.

    `start(*arguments, program=…, socket=…, log=…)`: the program is the fake unless named.
    """
    started: list[LlamaServer] = []
    file = place / "model.gguf"
    file.touch()

    async def start(*arguments: str, program: str = fake.path, socket: str = "", log: str = "run.log") -> LlamaServer:
        socket = socket or str(place / "a.sock")
        line = [program, "--model", str(file), "--host", socket, *arguments] if program == fake.path else [program]
        server = await launch(
            fake, line + (list(arguments) if len(line) == 1 else []), socket, place / log, model(file)
        )
        started.append(server)
        return server

    yield start
    for server in started:
        server.kill()
        await server.wait()
        server.close()


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    """Returns as soon as it is true; fails when that takes too long."""
    with anyio.fail_after(seconds):
        while not await true():  # noqa: ASYNC110 (what another process does sets no event)
            await anyio.sleep(0.005)


def command(engine: str, model: Model, socket: str, able: Capabilities) -> list[str]:
    """The arguments for a model with no settings but its own, and no secrets among them."""
    return list(build(engine, model, socket, [], able).arguments)


def model(path: Path, **settings: str | int | float | bool) -> Model:
    return Model(name="tiny", path=str(path), size=0, settings=settings)
