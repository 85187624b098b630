"""From a model to a process, with the fake llama-server: where it listens, where it writes, what is kept."""

import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import anyio
import pytest

from llamactl.config.directories import Directories
from llamactl.config.sections import Config, LlamaServer, Logging
from llamactl.config.values import Program
from llamactl.core.errors import LlamactlError, NotFound
from llamactl.core.model import Model
from llamactl.daemon.launch import Launch
from llamactl.llamaserver import process
from tests.catalogue.files import SIZE, gguf
from tests.engines import FAKE

pytestmark = pytest.mark.anyio

KEPT = 3


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # the fake's python3
    with tempfile.TemporaryDirectory(prefix="ll") as place:  # short: sockets lie in it
        here = Path(place)
        directories = Directories(
            config_file=here / "config.toml", data=here / "data", log=here / "log", runtime=here / "run"
        )
        directories.prepare()
        yield Config(
            directories=directories,
            llama_server=LlamaServer(path=Program(str(FAKE)), threads=3),
            logging=Logging(runs=KEPT),
        )


@pytest.fixture
def model(config: Config) -> Model:
    file = gguf(config.directories.models / "qwen.gguf")
    return Model(name="qwen/small", path=str(file), size=SIZE, settings={"ctx_size": 512})


Run = Callable[[Model], Awaitable[process.LlamaServer]]


@pytest.fixture
async def run(config: Config) -> AsyncIterator[Run]:
    """Launches a model; what runs at the end is killed."""
    launch = Launch(config)
    servers: list[process.LlamaServer] = []

    async def run(model: Model) -> process.LlamaServer:
        servers.append(await launch(model))
        return servers[-1]

    yield run
    for server in servers:
        server.kill()
        await server.wait()
        server.close()


async def command_line(server: process.LlamaServer) -> list[str]:
    with anyio.fail_after(10):
        while not (line := Path(f"/proc/{server.pid}/cmdline").read_text()):  # noqa: ASYNC110
            await anyio.sleep(0.005)  # empty while it is being executed
    return line.split("\0")[:-1]


def runs(config: Config) -> list[str]:
    return sorted(file.name for file in config.directories.runs("qwen/small").iterdir())


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc here")
async def test_it_is_started_with_the_settings_of_the_model_and_those_of_all(run: Run, model: Model) -> None:
    line = await command_line(await run(model))
    for flag, value in (("--model", model.path), ("--ctx-size", "512"), ("--threads", "3")):
        assert line[line.index(flag) + 1] == value


async def test_each_run_has_a_socket_and_a_file_of_its_own(run: Run, model: Model, config: Config) -> None:
    first, second = await run(model), await run(model)
    assert first.endpoint != second.endpoint
    assert {Path(server.endpoint).parent for server in (first, second)} == {config.directories.sockets}
    assert len(runs(config)) == 2


async def test_only_the_latest_runs_are_kept(run: Run, model: Model, config: Config) -> None:
    directory = config.directories.runs(model.name)
    directory.mkdir(parents=True)
    old = [f"20200101T00000{number}-000000000.log" for number in range(KEPT + 2)]
    for name in (*old, "notes.txt"):
        (directory / name).touch()
    await run(model)
    left = runs(config)
    assert left[: KEPT - 1] == old[-(KEPT - 1) :]
    assert left[KEPT - 1] > old[-1]
    assert left[KEPT:] == ["notes.txt"]


async def test_an_old_run_that_cannot_be_removed_is_in_nobodys_way(run: Run, model: Model, config: Config) -> None:
    for number in range(KEPT + 1):
        (config.directories.runs(model.name) / f"20200101T00000{number}-000000000.log").mkdir(parents=True)
    assert (await run(model)).pid


async def test_later_runs_come_later_by_name(run: Run, model: Model, config: Config) -> None:
    seen: list[str] = []
    for _ in range(KEPT):
        await run(model)
        [new] = set(runs(config)) - set(seen)
        seen.append(new)
    assert seen == sorted(seen)


async def test_a_file_that_is_gone_or_no_model_is_refused_before_anything_runs(
    run: Run, model: Model, config: Config
) -> None:
    Path(model.path).write_text("hello")
    with pytest.raises(LlamactlError, match=r"qwen\.gguf"):
        await run(model)
    Path(model.path).unlink()
    with pytest.raises(LlamactlError, match=r"qwen\.gguf"):
        await run(model)
    assert not config.directories.runs(model.name).exists()


async def test_without_an_engine_nothing_is_started(config: Config, model: Model) -> None:
    missing = Config(
        directories=config.directories, llama_server=LlamaServer(path=Program("/nonexistent/llama-server"))
    )
    with pytest.raises(LlamactlError) as caught:
        await Launch(missing)(model)
    assert isinstance(caught.value, NotFound)
    assert "/nonexistent/llama-server" in caught.value.message
