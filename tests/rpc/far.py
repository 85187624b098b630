"""The far end of the tests, in a thread of its own: a real server on a real socket, or one that misbehaves."""

import socket
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from llamactl.core.errors import NotFound
from llamactl.core.events import Event, Numbered
from llamactl.hub import Hub, Watcher
from llamactl.rpc.calls import (
    AddModel,
    Call,
    InstanceRow,
    ListInstances,
    ListModels,
    PinModel,
    Shutdown,
    Snapshot,
    StartModel,
    StopModel,
    Watch,
)
from llamactl.rpc.server import Channel, Handler, Stream, listen

ROW = InstanceRow(name="qwen", state="ready", pid=42, age=1.5, memory={"host": 7}, requests=3)
MISSING = NotFound("no model is called 'quen'", "did you mean qwen? llamactl models ls")


class Desk:
    """Answers like a daemon with one model. `StartModel` and `PinModel` take until `let_go`, `StopModel` has a bug."""

    def __init__(self) -> None:
        self.hub = Hub(keep=self._keep)
        self.kept: list[Numbered] = []
        self.under_way = 0
        self.finished = 0
        self.watched = self.ever_watched = 0
        self.end: Callable[[], object] = bool
        self._go = anyio.Event()

    async def __call__(self, call: Call[Any]) -> object:
        match call:
            case ListInstances():
                return [ROW]
            case ListModels():
                return {1: object()}  # which is no JSON
            case StartModel() | PinModel():
                self.under_way += 1
                await self._go.wait()
                self.finished += 1
                return ROW
            case StopModel():
                raise ZeroDivisionError("a bug")
            case Watch(since=since):
                subscription = self.hub.watch()
                watcher = subscription.__enter__()
                self.watched += 1
                self.ever_watched += 1

                def close() -> None:
                    self.watched -= 1
                    subscription.__exit__(None, None, None)

                return Stream(Snapshot(last_event=self.hub.last, instances=[ROW]), self._events(watcher, since), close)
            case AddModel():
                raise MISSING
            case Shutdown():
                self.end()
        return None

    def let_go(self) -> None:
        self._go.set()

    def _keep(self, numbered: Numbered) -> None:
        self.kept.append(numbered)
        self.hub.tell([numbered])

    async def _events(self, watcher: Watcher, since: int | None) -> AsyncGenerator[object, None]:
        for numbered in [] if since is None else self.kept[since:]:
            yield numbered
        async for numbered in watcher:
            yield numbered


class Far:
    """A server that serves. What is asked of its parts is asked in its own thread."""

    def __init__(self, portal: BlockingPortal, path: Path, listener: socket.socket, owner: int) -> None:
        self._portal = portal
        self._listener = listener
        self._owner = owner
        self.path = path

    def serve(self, handler: Handler) -> None:
        self._channel = Channel(handler, self._owner)
        self._serving, _ = self._portal.start_task(self._channel.serve, self._listener)

    def stop(self) -> None:
        self._serving.cancel()
        with suppress(CancelledError):
            self._serving.result()

    def end(self) -> None:
        """At once, from within its own thread."""
        self._serving.cancel()

    def leave(self) -> None:
        """As a daemon does that is about to execute itself anew."""
        self._portal.call(self._channel.leave)

    def execute(self, handler: Handler) -> None:
        """It goes on as another one."""
        self.leave()
        self.stop()
        self.serve(handler)

    def do(self, call: Callable[[], object]) -> None:
        self._portal.call(call)

    def publish(self, hub: Hub, *events: Event) -> None:
        self.do(lambda: [hub.publish(event) for event in events])

    def until(self, true: Callable[[], bool]) -> None:
        """Returns as soon as it is; fails when that takes long."""
        self._portal.call(_until, true)


async def _until(true: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not true():  # noqa: ASYNC110 (what the other thread does sets no event)
            await anyio.sleep(0.001)


@contextmanager
def serving(path: Path, handler: Handler, owner: int) -> Iterator[Far]:
    with start_blocking_portal("asyncio") as portal, listen(path) as listener:
        far = Far(portal, path, listener, owner)
        far.serve(handler)
        try:
            yield far
        finally:
            far.stop()
            path.unlink()


@contextmanager
def misbehaving(path: Path, *answers: bytes) -> Iterator[None]:
    """Answers each line of the one who calls with the next of `answers`, then hangs up, before it is asked again."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def answer() -> None:
        with listener:
            connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            for text in answers:
                lines.readline()
                connection.sendall(text)

    thread = Thread(target=answer)
    thread.start()
    yield
    thread.join()
