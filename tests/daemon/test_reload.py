"""Another configuration: what is taken over, what waits, what is refused."""

import signal
import threading
from pathlib import Path

import anyio
import anyio.lowlevel
import msgspec
import pytest

from llamactl.config.changes import Changes
from llamactl.config.directories import Directories
from llamactl.config.sections import Access, Config, Http, Residency
from llamactl.config.values import Idleness, Size
from llamactl.core.errors import BadRequest
from llamactl.core.events import ConfigChanged, Event, Numbered
from llamactl.daemon import reload
from llamactl.daemon.reload import Current, obey_hangups
from llamactl.hub import Hub

pytestmark = pytest.mark.anyio

NOWHERE = Path("/nonexistent")
OLD = Config(directories=Directories(config_file=NOWHERE, data=NOWHERE, log=NOWHERE, runtime=NOWHERE))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # signals and threads are real ones


class Recorder(Hub):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[Event] = []

    def publish(self, event: Event) -> Numbered:
        self.told.append(event)
        return super().publish(event)


class Place:
    """`file` is what stands in the file, `told` what who follows was told; an error in the file is raised."""

    def __init__(self) -> None:
        self.file: Config | BadRequest = OLD
        self.told: list[Config] = []
        self.hub = Recorder()
        self.current = Current(OLD, self.read, self.hub)
        self.current.follow(self.told.append)

    def read(self) -> Config:
        assert threading.current_thread() is not threading.main_thread(), "a slow disk would stop everything"
        if isinstance(self.file, BadRequest):
            raise self.file
        return self.file

    def write(self, **sections: msgspec.Struct) -> None:
        self.file = msgspec.structs.replace(OLD, **sections)


@pytest.fixture
def place() -> Place:
    return Place()


async def test_who_follows_is_told_at_once_and_again(place: Place) -> None:
    assert place.told == [OLD]
    place.write(residency=Residency(ttl=Idleness(5)))
    assert await place.current.reload() == Changes(live=("residency.ttl",))
    assert place.current() == place.file == place.told[-1]
    assert place.hub.told == [ConfigChanged(("residency.ttl",))]


async def test_nothing_new_is_told_to_nobody(place: Place) -> None:
    assert not await place.current.reload()
    assert place.told == [OLD] and place.hub.told == []


async def test_what_needs_a_restart_waits_for_it(place: Place) -> None:
    place.write(http=Http(port=1, max_body=Size(7)), access=Access(insecure=True))
    changes = await place.current.reload()
    assert changes == Changes(live=("http.max_body",), restart=("http.port", "access.insecure"))
    assert place.current().http == Http(max_body=Size(7)), "the port is as it was: nobody listens on the other"
    assert place.current.pending == changes.restart
    again = await place.current.reload()
    assert again == Changes(restart=changes.restart), "it still waits"
    place.write()
    await place.current.reload()
    assert place.current.pending == () and place.current() == OLD, "it has been changed back"
    assert place.hub.told == [
        ConfigChanged(("http.max_body",), ("http.port", "access.insecure")),
        ConfigChanged(("http.max_body",), ()),
    ]


async def test_one_that_is_wrong_changes_nothing(place: Place) -> None:
    place.file = BadRequest("/c.toml, line 3: http.port: expected …")
    with pytest.raises(BadRequest, match="line 3"):
        await place.current.reload()
    assert place.current() is OLD and place.told == [OLD] and place.hub.told == []


async def test_the_last_to_be_read_is_the_last_to_be_taken_over(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, begun = threading.Event(), threading.Event()
    first, second = (msgspec.structs.replace(OLD, residency=Residency(max_models=n)) for n in (1, 2))
    results = [(slow, first), (None, second)]

    def read() -> Config:
        wait, config = results.pop(0)
        begun.set()
        assert wait is None or wait.wait(10)
        return config

    monkeypatch.setattr(place.current, "_read", read)
    async with anyio.create_task_group() as group:
        group.start_soon(place.current.reload)
        await anyio.to_thread.run_sync(begun.wait, 10)
        group.start_soon(place.current.reload)
        await anyio.wait_all_tasks_blocked()
        slow.set()
    assert place.current() is not OLD and place.current().residency.max_models == 2


async def test_hangups(place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    terminal = True
    stopped = anyio.Event()
    monkeypatch.setattr(reload, "_has_terminal", lambda: terminal)
    async with anyio.create_task_group() as group:
        await group.start(obey_hangups, place.current, stopped.set)
        place.file = BadRequest("/c.toml, line 3: http.port: expected …")
        with place.hub.watch() as watcher, anyio.fail_after(10):
            signal.raise_signal(signal.SIGHUP)
            while "stays as it was" not in caplog.text:
                await anyio.lowlevel.checkpoint()
            place.write(residency=Residency(max_models=3))
            signal.raise_signal(signal.SIGHUP)
            assert (await anext(watcher)).event == ConfigChanged(("residency.max_models",))
            assert "line 3" in caplog.text and not stopped.is_set()
            terminal = False
            signal.raise_signal(signal.SIGHUP)
            await stopped.wait()
        group.cancel_scope.cancel()


async def test_a_daemon_that_was_told_to_ignore_hangups_does_not_end_with_its_terminal(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = True
    monkeypatch.setattr(reload, "_has_terminal", lambda: terminal)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with anyio.create_task_group() as group:
            await group.start(obey_hangups, place.current, lambda: pytest.fail("it was to go on"))
            terminal = False
            place.write(residency=Residency(max_models=3))
            with place.hub.watch() as watcher, anyio.fail_after(10):
                signal.raise_signal(signal.SIGHUP)
                await anext(watcher)
            group.cancel_scope.cancel()
    finally:
        signal.signal(signal.SIGHUP, before)
