"""llama-servers without processes. What they do depends on the time alone, and that is virtual."""

from math import inf

import anyio
import msgspec
import trio

from llamactl.core.errors import LoadFailed
from llamactl.core.instance import Exit
from llamactl.core.model import Model

now = trio.current_time

CRASHED = Exit("segmentation fault", signal=11, kind="signal")
OBEYED = Exit("ended when told to", code=0, kind="asked")
KILLED = Exit("killed", signal=9, kind="asked")


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """How a fake behaves; all times in seconds, `inf` is never.

    `refused`: why it cannot even be launched. `launching`: what the launcher takes. From then on count
    `loading` until it serves, `writing` as long as it writes to its output (a byte a second), and `crashing`
    until it dies by itself. `answering`: what one look at its health takes. `deaf`: how many SIGTERMs it
    ignores; `lingering`: from the first that it obeys until it is gone.
    """

    refused: str = ""
    launching: float = 0.0
    loading: float = 1.0
    writing: float = 0.0
    crashing: float = inf
    answering: float = 0.0
    deaf: float = 0
    lingering: float = 0.01


class FakeServer:
    """A `supervisor.Server`, and what was done to it: `looks` and `signals` with their times."""

    def __init__(self, model: Model, pid: int, habits: Habits) -> None:
        self.model = model
        self.pid = pid
        self.endpoint = f"/run/{model.name}-{pid}.sock"
        self.looks: list[float] = []
        self.signals: list[tuple[str, float]] = []
        self.closed = False
        self.caught = False
        self.born = now()
        self.ends = self.born + habits.crashing
        self._exit = CRASHED
        self._habits = habits
        self._news = anyio.Event()

    @property
    def running(self) -> bool:
        return now() < self.ends

    async def healthy(self) -> bool:
        self.looks.append(now())
        await anyio.sleep(self._habits.answering)
        return self.running and now() - self.born >= self._habits.loading

    def progress(self) -> int:
        return int(min(now() - self.born, self._habits.writing))

    def loaded(self) -> int:
        """As fast as it loads."""
        loading = self._habits.loading
        return int(self.model.size * min(1.0, (now() - self.born) / loading)) if loading else self.model.size

    def ending(self) -> bool:
        return self.caught

    async def wait(self) -> Exit:
        while self.running:
            with anyio.move_on_after(self.ends - now()):
                await self._news.wait()
        return self._exit

    def terminate(self) -> None:
        self.signals.append(("SIGTERM", now()))
        if len(self.signals) > self._habits.deaf:
            self._end(self._habits.lingering, OBEYED)

    def kill(self) -> None:
        self.signals.append(("SIGKILL", now()))
        self._end(0.0, KILLED)

    def crash(self) -> None:
        self._end(0.0, CRASHED)

    def close(self) -> None:
        assert not self.running, "closed while it ran"
        self.closed = True

    def _end(self, within: float, exit: Exit) -> None:
        if now() + within < self.ends:
            self.ends, self._exit = now() + within, exit
            self._news.set()
            self._news = anyio.Event()


class Engine:
    """A `Launcher` of fakes: `launches` are the names it was asked for, `servers` what it started."""

    def __init__(self, **habits: Habits) -> None:
        """`habits` by the name of the model; those not named behave well."""
        self.habits = habits
        self.launches: list[str] = []
        self.servers: list[FakeServer] = []
        self.launched: list[float] = []
        """When each of `servers` was asked for."""

    async def __call__(self, model: Model) -> FakeServer:
        self.launches.append(model.name)
        habits, asked = self.habits.get(model.name, Habits()), now()
        await anyio.sleep(habits.launching)
        if habits.refused:
            raise LoadFailed(habits.refused, "llamactl doctor")
        self.servers.append(FakeServer(model, 1000 + len(self.servers), habits))
        self.launched.append(asked)
        return self.servers[-1]

    def server(self, name: str) -> FakeServer:
        """The latest one of that model."""
        return next(server for server in reversed(self.servers) if server.model.name == name)

    @property
    def running(self) -> list[str]:
        return [server.model.name for server in self.servers if server.running]
