"""One worker (`ggml-rpc-server`): started, outlived, asked what it lends. Measured on build b10434.

It says nothing of itself before its first client, serves one client at a time and lets all others wait, and ends with
exit code 0 when its port is taken. Its devices are numbered anew by each llama-server (`RPC0`, `RPC1` …); what
names them for good is the name of their buffers, `RPC0[10.0.0.2:50052]`: the first device of that worker.
"""

import os
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec
import psutil

from llamactl.core.devices import Device
from llamactl.core.errors import LoadFailed, NotFound, Refused, WorkerLost
from llamactl.core.instance import Exit
from llamactl.core.model import Model
from llamactl.core.worker import Order
from llamactl.llamaserver import capabilities, devices
from llamactl.llamaserver.locate import Engine
from llamactl.llamaserver.process import LlamaServer, spawn

NAMES = ("ggml-rpc-server", "rpc-server")
"""What it is called now, and what it was called once."""

FLAGS = {"device": "--device", "memory": "--mem", "threads": "--threads", "cache": "--cache"}

PATIENCE = 2.0
"""Seconds for a worker to accept a connection."""


class Worker(LlamaServer):
    """The process of a worker. Its `endpoint` is only its mark: nothing listens there."""

    async def _serves(self) -> bool:
        """It listens. It is not connected to: it would be busy with us."""
        return await anyio.to_thread.run_sync(_listens, self.pid, self.order.port)

    @property
    def order(self) -> Order:
        """Raises `msgspec.DecodeError` for a record that another version wrote."""
        return msgspec.json.decode(self.record.settings, type=Order)

    async def wait(self) -> Exit:
        exit = await super().wait()
        if exit.code == 0 and exit.kind != "asked":  # it gives up without an exit code
            said = next((line.strip() for line in exit.lines if "server socket" in line), "")
            kind = "cannot_bind" if said else "other"
            exit = msgspec.structs.replace(exit, reason=said or "it ended by itself", kind=kind)
        return exit


def tool(engine: Engine) -> Engine:
    """The program beside this llama-server. Raises `NotFound`."""
    for name in NAMES:
        path = Path(engine.path).resolve().with_name(name)
        if os.access(path, os.X_OK):
            return msgspec.structs.replace(engine, path=str(path))
    raise NotFound(
        f"{NAMES[0]} is not beside {engine.path}",
        "build llama.cpp with -DGGML_RPC=ON, or set llama_server.path to a build that has it",
    )


async def command(engine: Engine, order: Order) -> list[str]:
    """Its command line; `engine` is what `tool` says. Raises `Refused` where that does not know a flag."""
    words = [engine.path, "--host", order.host, "--port", str(order.port)]
    flags = capabilities.flags_in((await capabilities.answer(engine, "--help"))[0])
    for name, flag in FLAGS.items():
        value = getattr(order, name)
        if not value:
            continue
        if flag not in flags:
            raise Refused(f"this {Path(engine.path).name} has no {flag}", f"leave {flag} out")
        words += [flag] if value is True else [flag, str(value >> 20 if name == "memory" else value)]
    return words


async def launch(engine: Engine, order: Order, mark: str, log: Path) -> Worker:
    """Raises `LoadFailed` if it cannot be started, or `Refused`."""
    words = await command(engine, order)
    settings = msgspec.json.encode(order).decode()
    try:
        return spawn(Worker, engine, words, mark, log, Model(name=order.address, path="", size=0), settings)
    except OSError as error:
        raise LoadFailed(
            f"the worker {order.address} could not be started: {error.strerror}", "llamactl doctor"
        ) from None


async def reach(address: str) -> None:
    """Does it accept a connection? Raises `WorkerLost`. A llama-server would go on without it."""
    host, _, port = address.rpartition(":")
    try:
        with anyio.fail_after(PATIENCE):
            stream = await anyio.connect_tcp(host, int(port))
    except TimeoutError:
        why = f"no answer within {PATIENCE:g} s"
    except (OSError, ValueError) as error:
        number = getattr(error.__cause__ or error, "errno", None)
        why = os.strerror(number) if number else str(error)
    else:
        await stream.aclose()
        return
    raise WorkerLost(f"the worker {address} cannot be reached: {why}", "llamactl rpc ls")


async def lent(engine: Engine, address: str) -> list[Device]:
    """What this worker lends, as far as it is idle; nothing where it does not answer."""
    found = await devices.look(engine, rpc=address)
    return [
        msgspec.structs.replace(device, name=f"RPC{number}[{address}]", description=f"worker {address}")
        for number, device in enumerate(device for device in found if device.name.startswith("RPC"))
    ]


def _listens(pid: int, port: int) -> bool:
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in connections)
