"""What a service manager hears of a daemon while it lives, in virtual time."""

import anyio
import pytest

from llamactl.core.errors import LlamactlError
from llamactl.core.events import CatalogueChanged, InstanceChanged
from llamactl.core.instance import Instance, Loading, Ready, Stopped
from llamactl.daemon.notify import Notify
from llamactl.daemon.reporting import EXTENSION, report, summary
from llamactl.hub import Hub

pytestmark = pytest.mark.anyio

READY = InstanceChanged("a", Ready(1.0, 2, 1.0))


class Recorder(Notify):
    """A watchdog of 30 s; `said` is what was told, and when."""

    def __init__(self) -> None:
        super().__init__({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "30000000"}, 7)
        self.said: list[tuple[float, str]] = []
        self._began = anyio.current_time()

    def _tell(self, patience: float = 0.0, /, **what: object) -> None:
        self.said += [(round(anyio.current_time() - self._began), f"{name}={value}") for name, value in what.items()]

    def told(self, name: str) -> list[tuple[float, str]]:
        return [(when, what.partition("=")[2]) for when, what in self.said if what.startswith(f"{name}=")]


class Life:
    def __init__(self) -> None:
        self.notify, self.hub, self.end = Recorder(), Hub(), anyio.Event()
        self.counted = 0
        self.sick = False

    def status(self) -> str:
        self.counted += 1
        return f"status {self.counted}"

    async def check(self, patience: float) -> None:
        assert patience == 5, "for each of two, and as long again until the next look: within two thirds of 30 s"
        if self.sick:
            raise LlamactlError("the front door does not answer")

    async def live(self) -> None:
        await report(self.notify, self.hub, self.status, self.check, self.end.wait)


async def test_the_status_follows_what_happens() -> None:
    life = Life()
    async with anyio.create_task_group() as group:
        group.start_soon(life.live)
        await anyio.sleep(1)
        life.hub.publish(READY)
        await anyio.sleep(1)
        life.hub.publish(CatalogueChanged(added=("b",)))
        await anyio.sleep(1)
        group.cancel_scope.cancel()
    assert life.notify.told("READY") == [(0, "1")]
    assert life.notify.told("STATUS") == [(0, "status 1"), (1, "status 2"), (2, "status 3")]


async def test_the_watchdog_is_fed_as_long_as_all_is_well(caplog: pytest.LogCaptureFixture) -> None:
    life = Life()
    async with anyio.create_task_group() as group:
        group.start_soon(life.live)
        await anyio.sleep(25)
        life.sick = True
        await anyio.sleep(20)
        life.sick = False
        await anyio.sleep(10)
        group.cancel_scope.cancel()
    assert [when for when, _ in life.notify.told("WATCHDOG")] == [0, 10, 20, 50]
    assert "the front door does not answer" in caplog.text


async def test_an_end_that_takes_long() -> None:
    life = Life()
    async with anyio.create_task_group() as group:
        group.start_soon(life.live)
        await anyio.sleep(5)
        life.end.set()
        await anyio.sleep(12)
        group.cancel_scope.cancel()
    assert life.notify.told("STOPPING") == [(5, "1")]
    assert life.notify.told("EXTEND_TIMEOUT_USEC") == [(when, f"{EXTENSION:.0f}000000") for when in (5, 10, 15)]
    assert [when for when, _ in life.notify.told("WATCHDOG")] == [0], "who stops is not watched"


async def test_nobody_wants_to_hear() -> None:
    life = Life()
    await report(Notify({}, 7), life.hub, life.status, life.check, life.end.wait)
    assert life.counted == 0


@pytest.mark.parametrize(
    ("models", "phases", "text"),
    [
        (0, [], "0 models; http://h:1, unix:///s"),
        (1, [Stopped()], "1 model; http://h:1, unix:///s"),
        (
            4,
            [Ready(1.0, 2, 1.0), Loading(1.0, 2), Ready(1.0, 2, 1.0), Stopped()],
            "4 models, 1 loading, 2 ready; http://h:1, unix:///s",
        ),
    ],
)
def test_summary(models: int, phases: list[Ready | Loading | Stopped], text: str) -> None:
    instances = [Instance(model=str(number), phase=phase) for number, phase in enumerate(phases)]
    assert summary(models, instances, ["http://h:1", "unix:///s"]) == text
