"""From what is measured to an event and a call of the webhook."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import anyio
import msgspec
import pytest

from llamactl.config.sections import Alerts
from llamactl.config.values import Duration, SecretUrl
from llamactl.core.events import AlertCleared, AlertRaised, Numbered
from llamactl.core.sample import Disk, Gpu, Host, Sample
from llamactl.daemon.alerting import Alerting, post, rules, values
from llamactl.hub import Hub

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Hook(HTTPServer):
    """Answers with the next of `statuses`, then with 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Told)
        self.statuses: list[int] = []
        self.told: list[Any] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/services/T0/hunter2"


class Told(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append((self.path, msgspec.json.decode(body)))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as hook:
        thread = threading.Thread(target=hook.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield hook
        hook.shutdown()
        thread.join()


ALERT = Numbered(7, 1.5, AlertRaised("cpu_usage", 95.0, 90.0, " %"))


def test_the_limits_are_those_of_the_configuration() -> None:
    found = {rule.series: rule.limit for rule in rules(Alerts())}
    assert found == {
        "cpu_usage": 90, "memory_usage": 85, "disk_usage": 95, "gpu_usage": 90, "gpu_temperature": 85,
        "gpu_memory_usage": 90, "gpu_power_usage": 300,
    }  # fmt: skip
    off = Alerts(cpu=0, memory=0, disk=0, gpu_temperature=0, gpu_memory=0, gpu_power=0, margin=10.0)
    [rule] = rules(off)
    assert (rule.series, rule.limit, rule.margin, rule.hold) == ("gpu_usage", 90.0, 9.0, 10.0)


def test_what_is_watched_of_a_sample() -> None:
    gpu = Gpu(
        id="1", name="G", vendor="nvidia", device="CUDA0", temperature=70.0, memory_used=3, memory_total=4, power=99
    )
    disk = Disk(path="/", total=100, used=12, free=88)
    host = Host(cpu=50.0, load=None, memory_total=4, memory_available=1, swap_total=0, swap_used=0, disks=(disk,))
    found = values(Sample(at=1, host=host, gpus=(gpu,), models=()))
    assert found == {
        "cpu_usage": 50.0, "memory_usage": 75.0, "disk_usage:/": 12.0, "gpu_usage:CUDA0": None,
        "gpu_temperature:CUDA0": 70.0, "gpu_memory_usage:CUDA0": 75.0, "gpu_power_usage:CUDA0": 99.0,
    }  # fmt: skip
    assert {name.partition(":")[0] for name in found} == {rule.series for rule in rules(Alerts())}


async def test_an_alert_is_an_event_and_told_to_the_webhook(hook: Hook) -> None:
    now = 0.0
    hub = Hub()
    alerting = Alerting(hub, lambda: now)
    alerting.configure(Alerts(hold=Duration(0.0), webhook=SecretUrl(hook.url)))
    async with anyio.create_task_group() as group:
        await group.start(alerting.run)
        with hub.watch() as watcher:
            alerting.take({"cpu_usage": 95.0})
            alerting.take({"cpu_usage": 96.0})
            now = 8.0
            alerting.take({"cpu_usage": 50.0})
            told = [(await anext(watcher)).event for _ in range(2)]
        assert told == [AlertRaised("cpu_usage", 95.0, 90.0, " %"), AlertCleared("cpu_usage", 50.0, 90.0, " %", 8.0)]
        with anyio.fail_after(10):
            while len(hook.told) < 2:  # noqa: ASYNC110  # another thread
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    (path, first), (_, second) = hook.told
    assert path == "/services/T0/hunter2"
    assert first["schema"] == "llamactl.alert/v1"
    assert (first["type"], first["series"], first["value"], first["limit"]) == ("alert", "cpu_usage", 95.0, 90.0)
    assert (second["type"], second["seconds"]) == ("cleared", 8.0)


async def test_a_webhook_is_tried_again(hook: Hook) -> None:
    hook.statuses = [503, 429]
    await post(hook.url, ALERT, pause=0.01)
    assert len(hook.told) == 3


async def test_it_is_not_when_it_says_no_or_never_answers(hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    hook.statuses = [404]
    await post(hook.url, ALERT, pause=0.01)
    assert len(hook.told) == 1
    hook.statuses = [500] * 9
    await post(hook.url, ALERT, pause=0.01)
    assert len(hook.told) == 6
    await post("http://127.0.0.1:1/hunter2?key=hunter2", ALERT, pause=0.01)
    assert "alert 7 is not told to the webhook at 127.0.0.1: HTTP 404" in caplog.text
    assert "Connection refused" in caplog.text
    assert len(caplog.records) == 3
    assert "hunter2" not in caplog.text
