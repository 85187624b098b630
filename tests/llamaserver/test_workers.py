"""A worker as a process: found, started, asked; the real program."""

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from llamactl.core.errors import NotFound, Refused, WorkerLost
from llamactl.core.worker import Order
from llamactl.llamaserver import locate, workers
from llamactl.llamaserver.locate import Engine
from llamactl.llamaserver.workers import Worker
from tests.llamaserver.conftest import until

pytestmark = pytest.mark.anyio

Launch = Callable[..., Awaitable[Worker]]


@pytest.fixture(scope="module")
def engine() -> Engine:
    found = locate._packaged()
    if found is None:
        pytest.skip("no real llama-server")
    return found


@pytest.fixture
async def launch(engine: Engine, tmp_path: Path) -> AsyncIterator[Launch]:
    started: list[Worker] = []

    async def launch(**order: object) -> Worker:
        whole = msgspec.convert({"host": "127.0.0.1", **order}, Order)
        mark = str(tmp_path / f"{len(started)}.sock")
        started.append(await workers.launch(workers.tool(engine), whole, mark, tmp_path / f"{len(started)}.log"))
        return started[-1]

    yield launch
    for worker in started:
        worker.kill()
        await worker.wait()
        worker.close()
    assert not list(tmp_path.glob("*.json"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def test_it_listens_lends_and_ends(launch: Launch, engine: Engine) -> None:
    address = f"127.0.0.1:{(port := free_port())}"
    with pytest.raises(WorkerLost, match=f"{address} cannot be reached: .*refused"):
        await workers.reach(address)
    worker = await launch(port=port, cache=True, threads=1)
    await until(worker.healthy)
    await workers.reach(address)
    [device] = await workers.lent(engine, address)
    assert device.name == f"RPC0[{address}]" and device.total >= device.free > 0
    assert worker.order == Order(host="127.0.0.1", port=port, cache=True, threads=1)
    worker.terminate()
    assert (await worker.wait()).kind == "asked"


async def test_a_port_that_is_taken(launch: Launch) -> None:
    """It ends with 0, and whoever has the port is not taken for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker = await launch(port=listener.getsockname()[1])
        exit = await worker.wait()
        assert not await worker.healthy()
    assert (exit.kind, exit.reason) == ("cannot_bind", "Failed to create server socket")


async def test_a_device_that_is_not_there(launch: Launch) -> None:
    exit = await (await launch(port=free_port(), device="NOPE")).wait()
    assert (exit.kind, exit.reason) == ("refused", "error: unknown device: NOPE")


async def test_a_flag_that_this_build_does_not_have(engine: Engine) -> None:
    with pytest.raises(Refused, match="has no --mem"):
        await workers.command(workers.tool(engine), Order(host="127.0.0.1", port=1, memory=1 << 30))


async def test_flags_of_an_older_build(tmp_path: Path) -> None:
    program = tmp_path / "rpc-server"
    program.write_text("#!/bin/sh\necho '  -m MEM,   --mem MEM     backend memory size (in MB)'\n")
    program.chmod(0o700)
    tool = workers.tool(Engine(str(tmp_path / "llama-server"), "PATH"))
    words = await workers.command(tool, Order(host="127.0.0.1", port=1, memory=3 << 30))
    assert words == [str(program), "--host", "127.0.0.1", "--port", "1", "--mem", "3072"]


def test_a_build_without_it(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="ggml-rpc-server is not beside"):
        workers.tool(Engine(os.fspath(tmp_path / "llama-server"), "PATH"))
