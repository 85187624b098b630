"""The WebSocket: topics, snapshots, replay, filters, calls, and those who are slow."""

import asyncio
import re
import time

import pytest
from aiohttp import WSMsgType

from llamactl import __version__
from llamactl.core.access import Caller
from llamactl.core.events import (
    CatalogueChanged,
    ConfigChanged,
    InstanceChanged,
    LogLines,
    Numbered,
    Placement,
    RequestsFinished,
    SamplesTaken,
    ServiceChanged,
)
from llamactl.core.instance import Ready
from llamactl.core.lines import Level
from llamactl.core.requests import ModelRequest
from llamactl.core.sample import Host, Sample, Served
from llamactl.web import conversation, feed, watcher
from llamactl.web.conversation import FEED
from llamactl.web.envelope import frame
from tests.web.house import House, Peer, watching

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def said(*lines: str, source: str = "qwen", level: Level = "info") -> LogLines:
    return LogLines(source, level, 0.0, lines)


def measured(at: int) -> SamplesTaken:
    host = Host(memory_total=8, memory_available=2, swap_total=0, swap_used=0)
    return SamplesTaken(Sample(at=at, host=host, models=(Served(model="gemma", pid=7),)))


def finished(*models: str, more: int = 0) -> RequestsFinished:
    ended = [ModelRequest(id="r", at=1.0, model=model, endpoint="completions") for model in models]
    return RequestsFinished(tuple(ended), more)


READY = InstanceChanged("qwen", Ready(1.0, 42, 2.0))


async def test_who_comes_is_greeted() -> None:
    house = House()
    house.publish(CatalogueChanged())
    async with house.open() as client, client.ws_connect("/llamaproxws") as other:
        data = (await Peer(other).hear("connection"))["data"]
        assert data["version"] == __version__ and data["lastEvent"] == 1 and len(data["clientId"]) == 32


async def test_a_snapshot_and_then_what_happens() -> None:
    house = House()
    async with watching(house) as peer:
        await peer.say("subscribe", "r1", topics=["models"])
        subscribed = await peer.hear("subscribed")
        assert subscribed["requestId"] == "r1"
        assert subscribed["data"] == {
            "topics": ["models"], "interval": 10.0, "models": None, "level": "debug", "lastEvent": 0,
        }  # fmt: skip
        present = (await peer.hear("models"))["data"]
        assert present["whole"] and [(row["name"], row["state"]) for row in present["models"]] == [
            ("qwen", "ready"), ("gemma", "stopped"),
        ]  # fmt: skip
        house.publish(ServiceChanged("web", "up"), READY)
        data = (await peer.hear("models"))["data"]
        assert (data["id"], data["whole"]) == (2, False)
        assert data["models"] == [{"name": "qwen", "state": "ready", "pid": 42, "reason": ""}]
        assert data["change"]["type"] == "instance"
        assert await peer.silent()


async def test_every_topic_has_its_snapshot_and_its_events() -> None:
    house = House()
    async with watching(house) as peer:
        await peer.say("subscribe", topics=["status", "events", "metrics", "logs", "requests"], interval=1)
        await peer.hear("subscribed")
        assert (await peer.hear("status"))["data"]["models"] == 2
        assert [row["name"] for row in (await peer.hear("snapshot"))["data"]["instances"]] == ["qwen", "gemma"]
        assert (await peer.hear("requests"))["data"] == {"requests": [], "more": 0}
        house.publish(ConfigChanged(("http.port",)))
        assert (await peer.hear("status"))["data"] == {
            "id": 1, "change": {"type": "config", "changed": ["http.port"], "restart_for": []},
        }  # fmt: skip
        assert (await peer.hear("event"))["data"]["id"] == 1
        house.publish(measured(7))
        assert (await peer.hear("metrics"))["data"]["at"] == 7
        house.publish(finished("qwen", more=2))
        told = (await peer.hear("requests"))["data"]
        assert ([each["model"] for each in told["requests"]], told["more"]) == (["qwen"], 2)
        house.publish(said("a"), said("b", level="error"))
        data = (await peer.hear("logs"))["data"]
        assert [each["lines"] for each in data["lines"]] == [["a"], ["b"]], "together"
        await peer.say("unsubscribe", topics=["status", "logs"])
        assert (await peer.hear("unsubscribed"))["data"] == {"topics": ["events", "metrics", "requests"]}
        house.publish(ConfigChanged(), said("c"))
        assert (await peer.hear("event"))["data"]["id"] == 2
        assert await peer.silent()


async def test_lines_of_what_runs_come_at_first() -> None:
    class Running(House):
        pid = 42

    async with watching(Running()) as peer:
        await peer.say("subscribe", topics=["logs"], level="warn")
        await peer.hear("subscribed")
        data = (await peer.hear("logs"))["data"]
        assert data["past"] and [(each["source"], each["level"], each["lines"]) for each in data["lines"]] == [
            ("qwen", "warn", ["before"])
        ]
        await peer.say("subscribe", topics=["logs"], models=["gem*"])
        await peer.hear("subscribed")
        assert await peer.silent()


async def test_what_was_missed_is_told_first_and_nothing_twice() -> None:
    house = House()
    house.publish(*[CatalogueChanged((str(number),)) for number in range(1200)])
    async with watching(house) as peer:
        await peer.say("subscribe", topics=["events"], since=3)
        await peer.hear("subscribed")
        await peer.hear("snapshot")
        seen: list[int] = []
        while len(seen) < 1500 - 3:
            seen.append((await peer.hear("event"))["data"]["id"])
            if len(seen) % 4 == 0 and house.hub.last < 1500:
                house.publish(CatalogueChanged(), ServiceChanged("web", "up"))
        assert seen == list(range(4, 1501))
        assert await peer.silent()


async def test_what_is_kept_no_more_is_counted() -> None:
    house = House()
    house.publish(*[CatalogueChanged()] * 9)
    del house.memory.events[:6]
    async with watching(house) as peer:
        await peer.say("subscribe", topics=["events"], since=2)
        await peer.hear("subscribed")
        await peer.hear("snapshot")
        assert (await peer.hear("dropped"))["data"] == {"count": 4}
        assert [(await peer.hear("event"))["data"]["id"] for _ in range(3)] == [7, 8, 9]


async def test_filters_by_model_and_level() -> None:
    house = House()
    async with watching(house) as peer:
        await peer.say("subscribe", topics=["models", "logs", "requests"], models=["qw*"], level="warn")
        await peer.hear("subscribed")
        assert [row["name"] for row in (await peer.hear("models"))["data"]["models"]] == ["qwen"]
        await peer.hear("requests")
        house.publish(Placement("gemma", "start", ""), Placement("qwen", "start", ""))
        assert (await peer.hear("models"))["data"]["change"]["model"] == "qwen"
        house.publish(finished("gemma", more=1))
        house.publish(finished("gemma", "qwen"))
        assert [each["model"] for each in (await peer.hear("requests"))["data"]["requests"]] == ["qwen"]
        house.publish(said("no"), said("no", source="gemma", level="error"))
        house.publish(said("yes", level="error"))
        assert [each["lines"] for each in (await peer.hear("logs"))["data"]["lines"]] == [["yes"]]


async def test_metrics_come_as_often_as_wanted() -> None:
    house = House()
    async with house.open() as client:
        often, seldom = [Peer(await client.ws_connect("/llamaproxws")) for _ in range(2)]
        for peer in (often, seldom):
            await peer.hear("connection")
        await often.say("subscribe", topics=["metrics"], interval=2)
        await seldom.say("subscribe", topics=["metrics"])
        for peer in (often, seldom):
            await peer.hear("subscribed")
        told, now = client.app[FEED], [0.0]
        told.clock = lambda: now[0]
        for tick in range(7):
            now[0] = 100 + 2.0 * tick
            told.publish(Numbered(0, time.time(), measured(tick)))
        assert [(await often.hear("metrics"))["data"]["at"] for _ in range(7)] == list(range(7))
        assert [(await seldom.hear("metrics"))["data"]["at"] for _ in range(2)] == [0, 5]
        assert await seldom.silent()


async def test_calls_are_answered_as_they_are_done() -> None:
    house = House(Caller(scope="control"))
    async with watching(house) as peer:
        await peer.say("call", "slow", method="instances.start", params={"name": "qwen"})
        await peer.say("call", "quick", method="instances.list")
        quick = await peer.hear("result")
        assert quick["requestId"] == "quick" and [row["name"] for row in quick["data"]] == ["qwen", "gemma"]
        house.go.set()
        assert (await peer.hear("result"))["requestId"] == "slow"
        await peer.say("call", "none", method="models.show", params={"name": "x"})
        error = await peer.hear("error")
        assert (error["requestId"], error["data"]["code"]) == ("none", "not_found")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hello", "malformed"),
        ('{"data": {}}', "`type`"),
        ('{"type": "dance"}', "'dance'"),
        ('{"type": "subscribe", "data": {"topics": ["weather"]}}', r"\$.topics\[0\]"),
        ('{"type": "subscribe", "data": {"topics": [], "interval": 0.5}}', r"\$.interval"),
        ('{"type": "subscribe", "data": {"topics": [], "level": "loud"}}', r"\$.level"),
        ('{"type": "call", "data": {"method": "x"}}', "no such method: x"),
        ('{"type": "call", "data": {"method": "instances.why"}}', "`name`"),
        ('{"type": "call", "data": {"method": "watch"}}', "goes on"),
        ("[" * 100_000, "does not fit"),
    ],
)
async def test_what_cannot_be_understood(text: str, says: str) -> None:
    async with watching(House()) as peer:
        await peer.socket.send_str(text)
        error = await peer.hear("error")
        assert error["data"]["code"] == "bad_request"
        assert re.search(says, error["data"]["message"]), error
        assert await peer.silent()
        await peer.socket.send_bytes(b"x")
        await peer.hear("error")


async def test_scopes_hold() -> None:
    async with watching(House()) as peer:
        await peer.say("call", method="instances.start", params={"name": "qwen"})
        assert (await peer.hear("error"))["data"]["code"] == "forbidden"
    async with watching(House(Caller(scope="infer"))) as peer:
        await peer.say("subscribe", topics=["logs"])
        assert (await peer.hear("error"))["data"]["code"] == "forbidden"
        await peer.say("call", method="instances.list")
        assert (await peer.hear("error"))["data"]["code"] == "forbidden"


async def test_a_key_for_some_models_hears_of_no_others() -> None:
    house = House(Caller("k", "k", "observe", ("qw*",)))
    async with watching(house) as peer:
        await peer.say("subscribe", topics=["models", "events", "logs", "requests", "metrics"], models=["*"])
        await peer.hear("subscribed")
        assert [row["name"] for row in (await peer.hear("models"))["data"]["models"]] == ["qwen"]
        assert [row["name"] for row in (await peer.hear("snapshot"))["data"]["instances"]] == ["qwen"]
        await peer.hear("requests")
        house.publish(Placement("gemma", "start", ""), ConfigChanged(), CatalogueChanged(("gemma",)))
        house.publish(said("no", source="gemma"), finished("gemma", more=3))
        house.publish(measured(1), READY)
        assert (await peer.hear("models"))["data"]["id"] == 4
        assert (await peer.hear("event"))["data"]["id"] == 4
        for method, params in (("instances.list", {}), ("instances.why", {"name": "gemma"})):
            await peer.say("call", method=method, params=params)
            assert (await peer.hear("error"))["data"]["code"] == "forbidden"
        assert await peer.silent()


async def test_one_that_is_stuck_costs_the_others_nothing_and_hears_how_much_it_lost() -> None:
    house = House()
    event = CatalogueChanged(("x" * 10_000,))
    async with house.open() as client, client.ws_connect("/llamaproxws") as quick:
        peer = Peer(quick)
        await peer.hear("connection")
        await peer.say("subscribe", topics=["events"])
        await peer.hear("subscribed")
        await peer.hear("snapshot")
        stuck = await client.ws_connect("/llamaproxws")
        other = Peer(stuck)
        await other.hear("connection")
        await other.say("subscribe", topics=["events"])
        await other.hear("subscribed")
        await other.hear("snapshot")
        connection = stuck._conn
        assert connection is not None and connection.transport is not None
        connection.transport.pause_reading()
        number = 3000
        for last in range(1, number + 1):
            house.publish(event)
            if last % 100 == 0:  # the feed must not be the slow one
                while (await peer.hear("event"))["data"]["id"] < last:
                    pass
        connection.transport.resume_reading()
        seen, lost = list[int](), 0
        while len(seen) + lost < number:
            message = await other.hear("event", "dropped")
            if message["type"] == "dropped":
                lost += message["data"]["count"]
            else:
                seen.append(message["data"]["id"])
        assert lost > 0 and seen == sorted(set(seen)) and seen[-1] == number
        await stuck.close()


async def test_who_does_not_answer_a_ping_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "HEARTBEAT", 0.1)
    house = House()
    async with house.open() as client, client.ws_connect("/llamaproxws", autoping=False) as other:
        received = await other.receive(timeout=10)
        assert received.type is WSMsgType.TEXT
        kinds: list[WSMsgType] = []
        while not other.closed and len(kinds) < 9:
            kinds.append((await other.receive(timeout=10)).type)
        assert kinds[0] is WSMsgType.PING and kinds[-1] in (WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.CLOSING)


async def test_nobody_is_followed_when_nobody_watches() -> None:
    house = House()
    async with house.open() as client:
        async with client.ws_connect("/llamaproxws") as other:
            await Peer(other).hear("connection")
            assert house.hub._followers
        for _ in range(100):
            if not house.hub._followers:
                break
            await asyncio.sleep(0.01)
        assert not house.hub._followers
        async with client.ws_connect("/llamaproxws") as other:
            peer = Peer(other)
            await peer.hear("connection")
            await peer.say("subscribe", topics=["events"])
            await peer.hear("subscribed")
            await peer.hear("snapshot")
            house.publish(READY)
            await peer.hear("event")


async def test_a_message_to_many_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    house, made = House(), []

    class Counted(watcher.Message):
        def __init__(self, payload: bytes) -> None:
            made.append(payload)
            super().__init__(payload)

    monkeypatch.setattr(feed, "Message", Counted)
    async with house.open() as client:
        peers = [Peer(await client.ws_connect("/llamaproxws")) for _ in range(5)]
        for peer in peers:
            await peer.hear("connection")
            await peer.say("subscribe", topics=["events"])
            await peer.hear("subscribed")
            await peer.hear("snapshot")
        house.publish(READY)
        for peer in peers:
            await peer.hear("event")
        assert len(made) == 1


# --- server-sent events --------------------------------------------------------------------------


async def test_events_over_http() -> None:
    house = House()
    house.publish(CatalogueChanged(), ServiceChanged("web", "up"), CatalogueChanged())
    async with house.open() as client:
        headers = {"Last-Event-ID": "1"}
        async with client.get("/api/events", headers=headers, params={"type": "catalogue,instance"}) as answer:
            assert answer.headers["Content-Type"] == "text/event-stream"
            assert await answer.content.readuntil(b"\n\n") == b": 3\n\n"
            first = await answer.content.readuntil(b"\n\n")
            assert first.startswith(b'id: 3\nevent: catalogue\ndata: {"id":3,')
            house.publish(ServiceChanged("web", "up"), READY)
            assert (await answer.content.readuntil(b"\n\n")).startswith(b"id: 5\nevent: instance\n")
        for query in ("since=x", "since=-1", "type=weather", f"since={'9' * 30}"):
            async with client.get(f"/api/events?{query}") as refused:
                assert refused.status == 400


async def test_events_over_http_for_a_key_of_some_models() -> None:
    house = House(Caller("k", "k", "observe", ("qw*",)))
    house.publish(CatalogueChanged(), Placement("gemma", "stop", ""), READY)
    async with house.open() as client, client.get("/api/events?since=0") as answer:
        await answer.content.readuntil(b"\n\n")
        assert (await answer.content.readuntil(b"\n\n")).startswith(b"id: 3\n")
    async with House(Caller(scope="infer")).open() as client, client.get("/api/events") as refused:
        assert refused.status == 403


def test_a_frame_is_that_of_the_protocol() -> None:
    for size in (0, 125, 126, 65535, 65536, 100_000):
        made = frame(b"x" * size)
        assert made[0] == 0x81 and made.endswith(b"x" * size)
        short = made[1]
        length = short if short < 126 else int.from_bytes(made[2:4] if short == 126 else made[2:10], "big")
        assert length == size and len(made) == size + (2 if size < 126 else 4 if size < 65536 else 10)
