"""Workers: processes that lend what this machine computes with to llama-servers, here or elsewhere."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from llamactl.core.errors import Problem
from llamactl.core.worker import PORT
from llamactl.rpc.calls.call import Call
from llamactl.rpc.calls.logs import MOST_LINES

WorkerState = Literal["starting", "ready", "backoff", "failed", "stopping"]


class WorkerRow(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that llamactl runs. `age` is how long it has been in its state, `models` those that name it.

    `log` is the file with what it wrote, `problem` why it does not run.
    """

    address: str
    state: WorkerState
    age: float
    pid: int | None = None
    restarts: int = 0
    models: tuple[str, ...] = ()
    log: str = ""
    problem: Problem | None = None

    @property
    def name(self) -> str:
        return self.address


class StartWorker(Call[WorkerRow], frozen=True):
    """Start a worker, and wait until it listens; nothing happens if it runs already.

    `device` are names of devices with commas between, empty for all; `memory` bytes. `insecure`: it may listen where
    other machines can reach it.
    """

    method = "rpc.start"
    repeatable = True
    host: str = "127.0.0.1"
    port: int = PORT
    device: str = ""
    memory: int | None = None
    threads: int | None = None
    cache: bool = False
    insecure: bool = False


class WorkerLines(msgspec.Struct, frozen=True):
    """What a worker wrote, without secrets; `place` is where it ends, for `ReadWorker.after`."""

    lines: list[str]
    place: str


class StopWorkers(Call[tuple[str, ...]], frozen=True):
    """Stop those with these addresses, or all; which were stopped."""

    method = "rpc.stop"
    addresses: tuple[str, ...] = ()


class ListWorkers(Call[list[WorkerRow]], frozen=True):
    """The workers that llamactl runs, or ran and could not keep running."""

    method = "rpc.list"
    scope = "observe"


class ReadWorker(Call[WorkerLines], frozen=True, kw_only=True):
    """The last `limit` lines of a worker's last run; `after` a place: what it has written since, some at a time.

    Who is to `follow` gets a last line that has no end yet when it has.
    """

    method = "rpc.logs"
    scope = "observe"
    repeatable = True
    address: str
    limit: Annotated[int, Meta(ge=0, le=MOST_LINES)] = 100
    after: str = ""
    follow: bool = False
