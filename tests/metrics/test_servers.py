"""When llama-servers are asked, and when not."""

import socket
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from llamactl.core.errors import NotRunning
from llamactl.llamaserver.api import Answer
from llamactl.llamaserver.counters import Counted
from llamactl.metrics.servers import Running, Servers, connections


class Stage:
    """One llama-server, and a clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.asked: list[str] = []
        self.asleep = self.gone = False
        self.values = {"requests_processing": 0, "tokens_predicted_total": 0}
        self.server = {"model": "qwen", "pid": 7, "endpoint": "/s", "leases": 0, "requests": 0}
        self.servers = Servers(lambda: self.now, self.ask, self.sleeps)

    async def ask(self, endpoint: str, path: str) -> Answer:
        self.asked.append(path)
        if self.gone:
            raise NotRunning("gone")
        text = "".join(f"llamacpp:{name} {value}\n" for name, value in self.values.items())
        return Answer(200, text.encode(), 7)

    async def sleeps(self, endpoint: str) -> bool:
        return self.asleep

    async def look(self, later: float = 2.0, **server: Any) -> Counted | None:
        """So much later; how often it was asked is in `asked`."""
        self.now += later
        self.server |= server
        self.asked.clear()
        return (await self.servers.look([Running(**self.server)])).get("qwen")  # type: ignore[arg-type]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture
def stage() -> Stage:
    return Stage()


pytestmark = pytest.mark.anyio


async def test_who_has_nothing_to_do_is_asked_once(stage: Stage) -> None:
    assert await stage.look() is not None and stage.asked == ["/metrics"]
    for _ in range(5):
        assert await stage.look() is not None and stage.asked == []


async def test_who_works_is_asked_each_two_seconds_and_once_more(stage: Stage) -> None:
    await stage.look()
    for number in range(4):
        stage.values = {"requests_processing": 1, "tokens_predicted_total": 10 * number}
        found = await stage.look(2.0, leases=1, requests=1)
        assert stage.asked == ["/metrics"] and found is not None
        await stage.look(1.0)
        assert stage.asked == [], "somebody asks more often"
        stage.now -= 1.0
    assert found is not None and found.rates == {"tokens_predicted_total": 5.0}
    found = await stage.look(2.0, leases=0)
    assert stage.asked == ["/metrics"], "it has said that something was being done"
    stage.values["requests_processing"] = 0
    await stage.look()
    assert stage.asked == ["/metrics"]
    found = await stage.look()
    assert stage.asked == [] and found is not None and found.rates == {"tokens_predicted_total": 0.0}


async def test_a_request_that_came_and_went_between_two_looks(stage: Stage) -> None:
    await stage.look()
    stage.values["tokens_predicted_total"] = 8
    found = await stage.look(2.0, requests=1)
    assert stage.asked == ["/metrics"] and found is not None and found.rates == {"tokens_predicted_total": 4.0}


async def test_who_sleeps_is_left_asleep(stage: Stage) -> None:
    stage.asleep = True
    assert await stage.look() is None and stage.asked == [], "adopted from an earlier daemon"
    stage.asleep = False
    await stage.look()
    await stage.look(2.0, requests=1)
    stage.asleep = True
    await stage.look(2.0, requests=2)
    assert stage.asked == [], "it did one more and fell asleep at once"


async def test_who_does_not_answer_keeps_what_it_said(stage: Stage) -> None:
    before = await stage.look()
    stage.gone = True
    assert await stage.look(2.0, leases=1, requests=1) == before
    assert stage.servers.bodies() == {"qwen": b"llamacpp:requests_processing 0\nllamacpp:tokens_predicted_total 0\n"}
    assert await stage.look(2.0, pid=8) is None, "another process has not said anything yet"


async def test_what_is_no_more_is_forgotten(stage: Stage) -> None:
    await stage.look()
    assert await stage.servers.look([]) == {}
    assert stage.servers.bodies() == {}


def test_connections_are_counted(tmp_path: Path) -> None:
    path = str(tmp_path / "x.sock")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(path)
        listener.listen()
        assert connections([path]) == {path: 0}
        client.connect(path)
        accepted, _ = listener.accept()
        with accepted:
            assert connections([path, "/other"]) == {path: 1, "/other": 0}
    assert connections([path], tmp_path / "none") == {}
