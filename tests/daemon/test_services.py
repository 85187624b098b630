"""Started in order, stopped in reverse, restarted when they die."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from math import inf

import anyio
import pytest
from anyio.abc import TaskGroup, TaskStatus

from llamactl.core.errors import LlamactlError, Refused
from llamactl.core.events import ServiceChanged
from llamactl.daemon.services import Service, Services
from tests.supervisor.fakes import now
from tests.supervisor.stage import Recorder

pytestmark = pytest.mark.anyio

Diary = list[tuple[str, str, float]]
"""Who, what, when."""


class Part:
    """A service: needs `starting` seconds to be up and `ending` to end.

    `lives` is how long it is up before it dies, for each time that it is run; from then on it lives for ever.
    `refuses`: it never is up.
    """

    def __init__(
        self,
        diary: Diary,
        name: str,
        *,
        starting: float = 0.0,
        ending: float = 0.0,
        lives: tuple[float, ...] = (),
        refuses: bool = False,
        vital: bool = False,
    ) -> None:
        self.service = Service(name, self.run, vital)
        self.refuses = refuses
        self._diary = diary
        self._name = name
        self._starting = starting
        self._ending = ending
        self._lives = list(lives)

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        self._note("begins")
        try:
            await anyio.sleep(self._starting)
            if self.refuses:
                raise Refused(f"{self._name} has no port")
            task_status.started()
            self._note("up")
            await anyio.sleep(self._lives.pop(0) if self._lives else inf)
            raise Refused(f"{self._name} lost its port")
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(self._ending)
            self._note("ended")

    def _note(self, what: str) -> None:
        self._diary.append((self._name, what, round(now(), 3)))


@pytest.fixture
def diary() -> Diary:
    return []


@pytest.fixture
def hub() -> Recorder:
    return Recorder()


def services(hub: Recorder, *parts: Part) -> Services:
    return Services([part.service for part in parts], hub, now)


@asynccontextmanager
async def running(services: Services) -> AsyncIterator[TaskGroup]:
    """All of them are up; at the end they are stopped."""
    async with anyio.create_task_group() as group:
        await group.start(services.run)
        yield group
        services.stop()


def events(hub: Recorder, service: str) -> list[tuple[str, str]]:
    told = [numbered.event for numbered in hub.told]
    return [
        (event.state, event.reason) for event in told if isinstance(event, ServiceChanged) and event.service == service
    ]


# --- the order -----------------------------------------------------------------------------------


async def test_each_is_up_before_the_next_begins_and_ended_before_the_one_before_it_is_told(
    diary: Diary, hub: Recorder
) -> None:
    parts = [
        Part(diary, "a", starting=2.0, ending=1.0),
        Part(diary, "b", starting=3.0, ending=4.0),
        Part(diary, "c", ending=2.0),
    ]
    all_of_them = services(hub, *parts)
    async with running(all_of_them):
        assert now() == 5.0
        assert [row.state for row in all_of_them.rows()] == ["up"] * 3
    assert diary == [
        ("a", "begins", 0.0),
        ("a", "up", 2.0),
        ("b", "begins", 2.0),
        ("b", "up", 5.0),
        ("c", "begins", 5.0),
        ("c", "up", 5.0),
        ("c", "ended", 7.0),
        ("b", "ended", 11.0),
        ("a", "ended", 12.0),
    ]
    assert [row.state for row in all_of_them.rows()] == ["down"] * 3
    assert events(hub, "a") == [("starting", ""), ("up", ""), ("down", "")]


async def test_it_is_the_same_when_the_daemon_is_cancelled(diary: Diary, hub: Recorder) -> None:
    parts = [Part(diary, name, ending=1.0) for name in "abc"]
    async with running(services(hub, *parts)) as group:
        group.cancel_scope.cancel()
    assert [(name, at) for name, what, at in diary if what == "ended"] == [("c", 1.0), ("b", 2.0), ("a", 3.0)]


async def test_what_is_said_of_a_service(diary: Diary, hub: Recorder) -> None:
    all_of_them = services(hub, Part(diary, "a"), Part(diary, "b", starting=3.0))
    async with anyio.create_task_group() as group:
        group.start_soon(all_of_them.run)
        await anyio.sleep(2)
        assert [(row.name, row.state, row.age) for row in all_of_them.rows()] == [
            ("a", "up", 2.0),
            ("b", "starting", 2.0),
        ]
        await anyio.sleep(2)
        assert [(row.name, row.state, row.age) for row in all_of_them.rows()] == [("a", "up", 4.0), ("b", "up", 1.0)]
        all_of_them.stop()


async def test_stopping_twice_is_stopping_once(diary: Diary, hub: Recorder) -> None:
    all_of_them = services(hub, Part(diary, "a"))
    async with running(all_of_them):
        all_of_them.stop()
    assert [what for _, what, _ in diary] == ["begins", "up", "ended"]


# --- not even started ----------------------------------------------------------------------------


@pytest.mark.parametrize("vital", [False, True])
async def test_what_cannot_start_takes_back_what_was_started_and_says_why(
    diary: Diary, hub: Recorder, vital: bool
) -> None:
    parts = [
        Part(diary, "a"),
        Part(diary, "b", ending=1.0),
        Part(diary, "c", starting=2.0, refuses=True, vital=vital),
        Part(diary, "d"),
    ]
    all_of_them = services(hub, *parts)
    with pytest.raises(ExceptionGroup) as caught:
        async with running(all_of_them):
            raise AssertionError("it is said to be up")
    assert caught.group_contains(Refused, match="c has no port", depth=1)
    assert [(name, at) for name, what, at in diary if what == "ended"] == [("c", 2.0), ("b", 3.0), ("a", 3.0)]
    assert "d" not in {name for name, _, _ in diary}
    assert [(row.name, row.state, row.reason) for row in all_of_them.rows()] == [
        ("a", "down", ""),
        ("b", "down", ""),
        ("c", "down", "c has no port"),
    ]


async def test_one_that_ends_without_ever_being_up_has_not_started(hub: Recorder) -> None:
    async def nothing(*, task_status: TaskStatus[None]) -> None:
        pass

    with pytest.raises(LlamactlError, match="lazy ended by itself"):
        await Services([Service("lazy", nothing)], hub, now).run()


async def test_told_to_stop_while_it_starts(diary: Diary, hub: Recorder) -> None:
    all_of_them = services(hub, Part(diary, "a", ending=1.0), Part(diary, "b", starting=10.0), Part(diary, "c"))
    with pytest.raises(ExceptionGroup) as caught:
        async with anyio.create_task_group() as group:
            group.start_soon(after, 2.0, all_of_them.stop)
            await group.start(all_of_them.run)
    assert caught.group_contains(LlamactlError, match="before everything was up", depth=1)
    assert [(name, what, at) for name, what, at in diary if what != "begins"] == [
        ("a", "up", 0.0),
        ("b", "ended", 2.0),
        ("a", "ended", 3.0),
    ]


async def after(seconds: float, call: Callable[[], None]) -> None:
    await anyio.sleep(seconds)
    call()


# --- dying ---------------------------------------------------------------------------------------


async def test_one_that_dies_is_restarted_after_pauses_that_double_up_to_a_minute(
    diary: Diary, hub: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    all_of_them = services(hub, Part(diary, "a"), Part(diary, "b", lives=(0.0,) * 10), Part(diary, "c"))
    async with running(all_of_them):
        await anyio.sleep(1000)
        begins = [at for name, what, at in diary if name == "b" and what == "begins"]
        assert [after - before for before, after in pairwise(begins)] == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
        row = all_of_them.rows()[1]
        assert (row.state, row.restarts, row.reason) == ("up", 10, "")
    assert [(name, what) for name, what, _ in diary if name != "b"] == [
        ("a", "begins"), ("a", "up"), ("c", "begins"), ("c", "up"), ("c", "ended"), ("a", "ended"),
    ]  # fmt: skip
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 10
    assert errors[0].message == "service b died: b lost its port; restarting in 1 s"
    assert errors[0].exc_info is not None


async def test_the_reason_is_shown_until_it_is_tried_again(diary: Diary, hub: Recorder) -> None:
    all_of_them = services(hub, Part(diary, "a", starting=1.0, lives=(5.0,)))
    async with running(all_of_them):
        await anyio.sleep(5.5)
        [row] = all_of_them.rows()
        assert (row.state, row.reason, row.age, row.restarts) == ("restarting", "a lost its port", 0.5, 1)
        await anyio.sleep(3)
    assert events(hub, "a") == [
        ("starting", ""),
        ("up", ""),
        ("restarting", "a lost its port"),
        ("starting", ""),
        ("up", ""),
        ("down", ""),
    ]


@pytest.mark.parametrize(("well_for", "pause"), [(119.0, 8), (120.0, 1)])
async def test_one_that_was_well_for_two_minutes_begins_anew(
    diary: Diary, hub: Recorder, well_for: float, pause: int
) -> None:
    async with running(services(hub, Part(diary, "a", lives=(0.0, 0.0, 0.0, well_for)))):
        await anyio.sleep(200)
    died = [at for _, what, at in diary if what == "ended"][3]
    begins = [at for _, what, at in diary if what == "begins"]
    assert begins[4] - died == pause


async def test_one_that_was_up_once_is_tried_again_though_it_cannot_start_for_a_while(
    diary: Diary, hub: Recorder
) -> None:
    part = Part(diary, "a", lives=(1.0,))
    all_of_them = services(hub, part)
    async with running(all_of_them):
        part.refuses = True
        await anyio.sleep(5)
        [row] = all_of_them.rows()
        assert (row.state, row.reason, row.restarts) == ("restarting", "a has no port", 3)
        part.refuses = False
        await anyio.sleep(5)
        assert all_of_them.rows()[0].state == "up"


async def test_one_that_ends_by_itself_is_restarted_too(hub: Recorder) -> None:
    async def short(*, task_status: TaskStatus[None]) -> None:
        task_status.started()
        await anyio.sleep(1)

    async with running(Services([Service("short", short)], hub, now)):
        await anyio.sleep(1.5)
    assert ("restarting", "short ended by itself") in events(hub, "short")


async def test_a_bug_is_shown_as_what_it_is(hub: Recorder) -> None:
    async def buggy(*, task_status: TaskStatus[None]) -> None:
        task_status.started()
        await anyio.sleep(1)
        raise KeyError("b")

    async with running(Services([Service("buggy", buggy)], hub, now)):
        await anyio.sleep(1.5)
    assert ("restarting", "KeyError('b')") in events(hub, "buggy")


async def test_one_that_waits_to_be_restarted_ends_at_once(diary: Diary, hub: Recorder) -> None:
    all_of_them = services(hub, Part(diary, "a", lives=(0.0,) * 8))
    async with running(all_of_them):
        await anyio.sleep(70)
        assert all_of_them.rows()[0].state == "restarting"
        began = now()
    assert now() == began
    assert all_of_them.rows()[0].state == "down"


async def test_one_that_dies_while_it_ends_is_down_and_the_others_end_too(diary: Diary, hub: Recorder) -> None:
    async def clumsy(*, task_status: TaskStatus[None]) -> None:
        task_status.started()
        try:
            await anyio.sleep(inf)
        finally:
            raise Refused("it fell over")

    all_of_them = Services([Part(diary, "a").service, Service("clumsy", clumsy)], hub, now)
    async with running(all_of_them):
        pass
    assert [row.state for row in all_of_them.rows()] == ["down", "down"]
    assert diary[-1][1] == "ended"


# --- vital ones ----------------------------------------------------------------------------------


async def test_the_death_of_a_vital_one_takes_all_down_in_order_and_is_raised(diary: Diary, hub: Recorder) -> None:
    parts = [
        Part(diary, "a", ending=1.0),
        Part(diary, "b", lives=(10.0,), vital=True),
        Part(diary, "c", ending=2.0),
    ]
    all_of_them = services(hub, *parts)
    with pytest.raises(Refused, match="b lost its port"):
        await all_of_them.run()
    ends = [(name, at) for name, what, at in diary if what == "ended"]
    assert ends == [("b", 10.0), ("c", 12.0), ("a", 13.0)]
    assert [name for name, what, _ in diary if what == "begins"] == ["a", "b", "c"]
    assert events(hub, "b")[-1] == ("down", "b lost its port")
    assert [row.reason for row in all_of_them.rows()] == ["", "b lost its port", ""]


async def test_a_vital_one_that_is_stopped_has_not_died(diary: Diary, hub: Recorder) -> None:
    async with running(services(hub, Part(diary, "a", vital=True))):
        await anyio.sleep(1)
    assert events(hub, "a")[-1] == ("down", "")
