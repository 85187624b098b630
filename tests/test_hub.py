"""The present, then the future; slow watchers lose, and hear of it."""

from itertools import count

import anyio
import pytest
from anyio.lowlevel import checkpoint
from trio.testing import wait_all_tasks_blocked

from llamactl.core.events import CatalogueChanged, Event, LogLines, Numbered, ServiceChanged, kind
from llamactl.hub import Hub, Watcher

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


@pytest.fixture
def hub() -> Hub:
    ticks = count(100)
    return Hub(lambda: float(next(ticks)))


def say(hub: Hub, times: int = 1) -> None:
    for _ in range(times):
        hub.publish(CatalogueChanged())


async def ids(watcher: Watcher, number: int) -> list[int]:
    """Those of the next events; they must be there already."""
    with anyio.fail_after(0):
        return [(await anext(watcher)).id for _ in range(number)]


async def has_no_more(watcher: Watcher) -> bool:
    with anyio.move_on_after(0):
        await anext(watcher)
        return False
    return True


async def test_events_are_numbered_without_gaps_and_carry_their_time(hub: Hub) -> None:
    assert hub.last == 0
    events: list[Event] = [
        CatalogueChanged(added=("a",)),
        ServiceChanged("web", "up"),
        CatalogueChanged(removed=("a",)),
    ]
    published = [hub.publish(event) for event in events]
    assert published == [Numbered(1, 100.0, events[0]), Numbered(2, 101.0, events[1]), Numbered(3, 102.0, events[2])]
    assert hub.last == 3


async def test_a_watcher_gets_what_was_published(hub: Hub) -> None:
    with hub.watch() as watcher:
        published = hub.publish(ServiceChanged("web", "down", "no port"))
        assert await anext(watcher) is published


async def follow(watcher: Watcher, into: list[int]) -> None:
    while True:
        into.append((await anext(watcher)).id)


async def test_the_present_then_the_future_without_a_gap(hub: Hub) -> None:
    """Wherever a watcher comes in, the present it reads and the first event it gets are neighbours."""
    histories: list[list[int]] = []

    async def watch() -> None:
        with hub.watch() as watcher:
            history = [hub.last]
            histories.append(history)
            await checkpoint()  # things happen before it listens
            await follow(watcher, history)

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(watch)
            say(hub, 3)
            await checkpoint()
            say(hub)
        await wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    assert len(histories) == 20
    for history in histories:
        assert history == list(range(history[0], hub.last + 1))


async def test_nothing_from_before(hub: Hub) -> None:
    say(hub, 5)
    with hub.watch() as watcher:
        assert await has_no_more(watcher)
        say(hub)
        assert await ids(watcher, 1) == [6]


async def test_who_waits_is_woken(hub: Hub) -> None:
    got: list[int] = []
    with hub.watch() as watcher:
        async with anyio.create_task_group() as group:
            group.start_soon(follow, watcher, got)
            for number in range(1, 4):
                await wait_all_tasks_blocked()
                say(hub)
                await wait_all_tasks_blocked()
                assert got == list(range(1, number + 1))
            group.cancel_scope.cancel()


async def test_each_watcher_gets_all(hub: Hub) -> None:
    with hub.watch() as first:
        say(hub)
        with hub.watch() as second:
            say(hub, 2)
            assert await ids(first, 3) == [1, 2, 3]
            assert await ids(second, 2) == [2, 3]


async def test_a_slow_watcher_loses_its_oldest_and_is_told_how_many(hub: Hub) -> None:
    with hub.watch(room=3) as slow, hub.watch() as quick:
        say(hub, 3)
        assert slow.take_lost() == 0
        say(hub, 4)
        assert slow.take_lost() == 4
        assert slow.take_lost() == 0
        assert await ids(slow, 3) == [5, 6, 7]
        assert await has_no_more(slow)
        say(hub)
        assert await ids(slow, 1) == [8]
        assert slow.take_lost() == 0
        assert await ids(quick, 8) == list(range(1, 9))
        assert quick.take_lost() == 0


async def test_publishing_never_waits_whoever_watches(hub: Hub) -> None:
    with hub.watch(), hub.watch(room=1):
        say(hub, 10_000)  # not a coroutine, and nobody reads
        assert hub.last == 10_000


async def test_who_has_left_gets_nothing_more(hub: Hub) -> None:
    with hub.watch() as watcher:
        say(hub)
    say(hub, 3)
    assert await ids(watcher, 1) == [1]
    assert await has_no_more(watcher)


async def test_who_leaves_by_an_error_has_left(hub: Hub) -> None:
    with pytest.raises(ZeroDivisionError), hub.watch() as watcher:
        raise ZeroDivisionError
    say(hub)
    assert await has_no_more(watcher)


async def test_watchers_may_come_and_go_between_events(hub: Hub) -> None:
    with hub.watch() as outer:
        for number in range(1, 6):
            with hub.watch() as inner:
                say(hub)
                assert await ids(inner, 1) == [number]
        assert await ids(outer, 5) == [1, 2, 3, 4, 5]


def test_numbers_go_on_from_those_of_before() -> None:
    hub = Hub(last=41)
    assert hub.last == 41
    assert hub.publish(ServiceChanged("door", "up")).id == 42


# --- who is outside ------------------------------------------------------------------------------


async def test_who_follows_hears_when_it_is_kept() -> None:
    kept: list[Numbered] = []
    hub = Hub(keep=kept.append)
    with hub.follow() as follower, hub.watch() as watcher:
        say(hub, 3)
        assert await ids(watcher, 3) == [1, 2, 3]
        assert await has_no_more(follower)
        assert (hub.last, hub.kept) == (3, 0)
        hub.tell(kept[:2])
        assert await ids(follower, 2) == [1, 2]
        assert await has_no_more(follower)
        assert hub.kept == 2


async def test_what_passes_has_no_number_and_is_heard_by_who_wants_it() -> None:
    hub = Hub(keep=lambda _: None)
    with hub.follow() as follower, hub.follow(only=lambda each: kind(each.event) == "logs") as reader:
        with hub.watch() as watcher:
            numbered = hub.publish(LogLines("a", "info", 1.0, ("x",)))
            assert (numbered.id, hub.last) == (0, 0)
            say(hub)
            assert await ids(watcher, 2) == [0, 1]
        assert await anext(reader) is numbered
        assert await has_no_more(reader)
        assert await has_no_more(follower)


async def test_what_is_not_wanted_takes_no_room(hub: Hub) -> None:
    with hub.watch(room=1, only=lambda each: kind(each.event) == "service") as watcher:
        hub.publish(ServiceChanged("web", "up"))
        say(hub, 5)
        assert watcher.take_lost() == 0
        assert await ids(watcher, 1) == [1]


async def test_waiting_until_it_is_kept() -> None:
    kept: list[Numbered] = []
    hub = Hub(keep=kept.append)
    done = []

    async def wait(number: int) -> None:
        await hub.until_kept(number)
        done.append(number)

    async with anyio.create_task_group() as group:
        for number in (0, 1, 2):
            group.start_soon(wait, number)
        say(hub, 2)
        await wait_all_tasks_blocked()
        assert done == [0]
        hub.tell(kept)
    assert sorted(done) == [0, 1, 2]
