"""From a model to a process, with the fake llama-server: where it listens, where it writes, what is kept."""

import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import anyio
import msgspec
import pytest

from llamactl.config.load import load
from llamactl.config.sections import Config
from llamactl.core.errors import LlamactlError, NotFound, Refused
from llamactl.core.model import Model, Setting
from llamactl.daemon.launch import Assumed, Launch
from llamactl.llamaserver import process
from llamactl.llamaserver.records import Record
from tests.catalogue.files import SIZE, gguf
from tests.engines import FAKE

pytestmark = pytest.mark.anyio

KEPT = 3


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


Configure = Callable[[str], Config]


@pytest.fixture
def configure() -> Iterator[Configure]:
    """A configuration with this text in its file; its directories are made."""
    with tempfile.TemporaryDirectory(prefix="ll") as place:  # short: sockets lie in it
        file = Path(place, "config.toml")
        environment = {f"XDG_{name}": place for name in ("DATA_HOME", "STATE_HOME", "RUNTIME_DIR")}

        def configure(text: str) -> Config:
            file.write_text(text)
            config = load(file, environment, Path("/nonexistent/config.toml"))
            config.directories.prepare()
            return config

        yield configure


@pytest.fixture
def config(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # the fake's python3
    return configure(f"""
        logging.runs = {KEPT}
        [llama_server]
        path = "{FAKE}"
        threads = 3
    """)


@pytest.fixture
def model(config: Config) -> Model:
    file = gguf(config.directories.models / "qwen.gguf")
    return Model(name="qwen/small", path=str(file), size=SIZE, settings={"ctx_size": 512})


Run = Callable[[Model], Awaitable[process.LlamaServer]]


@pytest.fixture
async def run(config: Config) -> AsyncIterator[Run]:
    """Launches a model; what runs at the end is killed."""
    launch = Launch(lambda: config, lambda: {"jinja": False})
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
    assert "--no-jinja" in line, "from the defaults in the database"


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


async def test_without_an_engine_nothing_is_started(configure: Configure, model: Model) -> None:
    config = configure('llama_server.path = "/nonexistent/llama-server"')
    with pytest.raises(NotFound, match="/nonexistent/llama-server"):
        await Launch(lambda: config, dict)(model)
    assert not config.directories.runs(model.name).exists()


# --- what stands behind a model ------------------------------------------------------------------


def stand_in(path: Path, *lacks: str) -> Path:
    """The fake, with another name and a help of its own."""
    grep = "".join(f" | grep -v -e '{flag}'" for flag in lacks)
    path.write_text(f'#!/bin/sh\n[ "$1" = --help ] && {{ {FAKE} --help{grep}; exit; }}\nexec {FAKE} "$@"\n')
    path.chmod(0o755)
    return path


async def test_a_model_may_have_a_llama_server_of_its_own(config: Config, model: Model, tmp_path: Path) -> None:
    launch = Launch(lambda: config, dict)
    own = stand_in(tmp_path / "own", "--jinja")
    with_own = msgspec.structs.replace(model, settings={"server_path": str(own)})
    engine, able = await launch.engine(with_own)
    assert (engine.path, engine.origin, able.has("--jinja")) == (str(own), "model", False)
    engine, able = await launch.engine(model)
    assert (engine.path, able.has("--jinja")) == (str(FAKE), True)
    assert (await launch.preview(with_own)).arguments[0] == str(own)
    both = msgspec.structs.replace(model, settings={"server_path": str(own), "jinja": True})
    with pytest.raises(Refused, match="no --jinja"):
        await launch.check(both)
    stand_in(own)
    os.utime(own, ns=(1, 1))  # another file: it is asked again
    await launch.check(both)
    own.unlink()
    with pytest.raises(NotFound, match=f"server_path of {model.name}") as caught:
        await launch.check(with_own)
    assert caught.value.hint == f"remove it with: llamactl models unset {model.name} server_path"


async def test_it_has_a_thread_for_every_connection_of_a_burst(config: Config, model: Model) -> None:
    launch = Launch(lambda: config, dict)
    assert "--threads-http 128" in " ".join((await launch.preview(model)).arguments)
    own = msgspec.structs.replace(model, settings={"threads_http": 9})
    assert "--threads-http 9" in " ".join((await launch.preview(own)).arguments)


def test_what_would_be_another_now(config: Config, model: Model, tmp_path: Path) -> None:
    launch, own = Launch(lambda: config, dict), stand_in(tmp_path / "own")

    def told(build: str, **settings: Setting) -> tuple[str, ...]:
        record = Record(model="", path="", endpoint="", run_file="", begins=0, launched=0.0)
        record = msgspec.structs.replace(record, settings=launch.digest(model), build=build)
        return launch.outdated(msgspec.structs.replace(model, settings={**model.settings, **settings}), record)

    build = launch.executable().build
    assert told(build) == told(build, pinned=True, ttl=5) == ()
    assert told(build, threads=4) == ("settings",)
    assert told("") == (), "an earlier version did not write down the build"
    assert told(build, server_path=str(own)) == ("llama-server",)
    before = launch.executable(msgspec.structs.replace(model, settings={"server_path": str(own)})).build
    os.utime(own, ns=(1, 1))
    assert told(before, server_path=str(own)) == ("llama-server",), "installed anew at the same place"
    assert told(build, server_path="/nonesuch") == ("settings",)


async def test_the_llama_server_of_a_preset(config: Config, model: Model, run: Run, tmp_path: Path) -> None:
    del run
    own = stand_in(tmp_path / "own")
    launch = Launch(
        lambda: config, dict, lambda name: {"server_path": str(own), "threads": 9} if name == "fast" else None
    )
    applied = msgspec.structs.replace(model, preset="fast")
    assert (await launch.engine(applied))[0].path == str(own)
    assert "--threads 9" in " ".join((await launch.preview(applied)).arguments)
    assumed = Assumed(presets={"fast": {"threads": 7}})
    assert "--threads 7" in " ".join((await launch.preview(applied, assumed)).arguments)
    assert (await launch.engine(applied, assumed))[0].path == str(FAKE)
    own.unlink()
    with pytest.raises(NotFound) as caught:
        await launch.check(applied)
    assert caught.value.hint == "remove it with: llamactl presets unset fast server_path"
