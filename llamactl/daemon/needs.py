"""How much memory each model needs: measured, else by llama-fit-params, else by arithmetic."""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import anyio.to_thread
import msgspec
from anyio.abc import TaskStatus

from llamactl.catalogue import gguf
from llamactl.core.devices import Device
from llamactl.core.errors import LlamactlError, LoadFailed
from llamactl.core.events import InstanceChanged
from llamactl.core.eviction import exceeds
from llamactl.core.exits import OF_MEMORY
from llamactl.core.facts import Facts
from llamactl.core.footprint import RELEVANT, Footprint, Parts, Subject, learned, project, together, totals
from llamactl.core.footprint.fitting import options
from llamactl.core.footprint.setup import spelled_out
from llamactl.core.instance import Backoff, Failed, Phase, Ready
from llamactl.core.model import HOST, Model, Setting
from llamactl.daemon.budget import Budget
from llamactl.hub import Hub
from llamactl.llamaserver import devices, memory
from llamactl.llamaserver.locate import Engine
from llamactl.llamaserver.process import LlamaServer
from llamactl.store import Footprints

log = logging.getLogger(__name__)

Source = Literal["measured", "fit-params", "arithmetic"]

VERBOSE = 4
"""The verbosity at which llama-server names its buffers. It costs no time that could be measured, and 17 KB of log for
each request instead of 1: so it is asked for only while nothing is known."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a model would be loaded, and what it would take then.

    `added` are settings that nobody made, chosen so that it fits; `settings` has them too. `need` is bytes per device
    to reckon with, from `source`; `measured` says whether a run of it was. `projected` is what arithmetic says in any
    case. `key` stands for all that matters.
    """

    key: str
    settings: dict[str, Setting]
    added: dict[str, Setting]
    subject: Subject
    projected: dict[str, Parts]
    need: dict[str, int]
    source: Source
    measured: bool = False


class Needs:
    """Calling it with a model is what the supervisor wants: bytes per device, at once.

    `settings` gives what counts for a model, by parameter; `private` bytes of a process that are not in files, `gpu`
    those that it has of each GPU, where something can tell. What it answers is kept until the model is another one, the
    database is written to (`written` counts that), or `changed` is called.
    """

    def __init__(
        self,
        settings: Callable[[Model], Mapping[str, Setting]],
        footprints: Footprints,
        budget: Budget,
        private: Callable[[int], int],
        written: Callable[[], int],
        gpu: Callable[[int], Mapping[str, int]] | None = None,
    ) -> None:
        self._settings = settings
        self._footprints = footprints
        self._budget = budget
        self._private = private
        self._written = written
        self._gpu = gpu
        self._engine = ""
        self._plans: dict[str, tuple[Model, int, Plan]] = {}
        self._read: dict[str, Subject] = {}  # files that the catalogue has not read, by path
        self._running: dict[str, _Running] = {}

    # --- questions --------------------------------------------------------------------------------

    def __call__(self, model: Model) -> dict[str, int]:
        kept = self._kept(model)
        if kept is None or kept.added or exceeds(kept.need, self._budget.last):  # more may be had now, or less
            kept = self._keep(model)
        return kept.need

    def plan(self, model: Model) -> Plan:
        """As it is to be started."""
        return self._kept(model) or self._keep(model)

    def added(self, model: Model) -> dict[str, Setting]:
        """Settings to start it with that nobody made; weaker than all others."""
        plan = self.plan(model)
        quiet = plan.measured or not plan.settings.keys().isdisjoint(("verbosity", "log_verbose"))
        return plan.added if quiet else {**plan.added, "verbosity": VERBOSE}

    def planned(self, model: Model, instead: Mapping[str, Setting]) -> Plan:
        """With other settings: the first of what may be done that fits into the room, else as it is set."""
        try:
            settings = spelled_out({**self._settings(model), **instead})
        except LlamactlError:  # whoever starts it will be told
            settings = {**model.settings, **instead}
        subject = self._subject(model, settings)
        first: Plan | None = None
        for added in options(subject, settings, self.devices(settings)):
            plan = self._one(model, subject, settings, added)
            if not exceeds(plan.need, self._budget.last):
                return plan
            first = first or plan
        assert first is not None
        return first

    def devices(self, settings: Mapping[str, Setting]) -> list[Device]:
        """The GPUs, and what workers lend, that a model with these settings is shared among."""
        return self._budget.of(settings.get("rpc"))

    # --- what is learned --------------------------------------------------------------------------

    def changed(self) -> None:
        """The configuration is another one now."""
        self._plans.clear()

    async def engine(self, engine: Engine) -> None:
        """Which llama-server runs the models; where it is another than before, it is asked for the GPUs it finds."""
        build = engine.build
        if build and build != self._engine:  # one that is gone: whoever runs it will be told
            self._budget.found(await devices.look(engine))
            self._engine = build
            self._plans.clear()

    async def look(self, model: Model) -> None:
        """Read the files that are loaded with it, and its own if nobody has yet. To be called before it is started."""
        try:
            settings = self._settings(model)
        except LlamactlError:
            return
        paths = [str(settings.get(name, "")) for name in ("model_draft", "mmproj")]
        if model.facts is None:
            paths.append(model.path)
        for path in paths:
            if path and path not in self._read:
                self._read[path] = await anyio.to_thread.run_sync(_read, path)
                self._plans.pop(model.name, None)

    def analysed(self, plan: Plan, projected: Footprint) -> None:
        """What llama-fit-params says of this plan."""
        beside = {device: Parts(overhead=parts.overhead) for device, parts in plan.projected.items()}
        self._footprints.put(plan.key, "fit-params", together([projected, beside]))

    def grew(self, model: Model, shortage: memory.Shortage) -> dict[str, int]:
        """A load of it died of memory: it needs more than was thought. Returns what it is reckoned to need now."""
        plan = self.plan(model)
        device = shortage.device if shortage.device in plan.need else _fullest(plan.need)
        self._footprints.put(plan.key, "corrected", learned.corrected(plan.need, device, shortage.asked))
        return self.plan(model).need

    def started(self, model: Model, server: LlamaServer) -> None:
        """It is running: it is measured when it is ready, and once more before it is told to end."""
        running = self._running[model.name] = _Running(server, self.plan(model))
        server.before_end = lambda: self._ends(model.name, running)

    async def adopted(self, model: Model, server: LlamaServer) -> None:
        """An earlier daemon has started it, as it would be started now, and it serves."""
        if not self.plan(model).added:  # else it is not known which of them it was started with
            self.started(model, server)
            await self._measure(self._running[model.name])

    async def run(self, hub: Hub, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Measure what becomes ready, and correct what died of memory while it was loading; until cancelled."""
        with hub.watch() as watcher:
            task_status.started()
            async for numbered in watcher:
                if isinstance(numbered.event, InstanceChanged):
                    await self._follow(numbered.event.model, numbered.event.phase)

    # --- inside -----------------------------------------------------------------------------------

    async def _follow(self, name: str, phase: Phase) -> None:
        if isinstance(phase, Ready):
            running = self._running.get(name)
            if running is not None and running.server.pid == phase.pid:
                await self._measure(running)
        elif isinstance(phase, Backoff | Failed) and phase.problem.code == LoadFailed.code:
            exit, plan = phase.exit, self._plans.get(name)
            if exit is not None and exit.kind in OF_MEMORY and plan is not None:
                with _telling():
                    self.grew(plan[0], memory.shortage(exit.lines) or memory.Shortage())

    async def _measure(self, running: "_Running") -> None:
        running.said = await anyio.to_thread.run_sync(running.server.beginning)
        self._learn(running, await anyio.to_thread.run_sync(self._seen, running.server.pid))

    def _kept(self, model: Model) -> Plan | None:
        kept = self._plans.get(model.name)
        if kept is None or kept[1] != self._written() or (kept[0] is not model and kept[0] != model):
            return None
        return kept[2]

    def _keep(self, model: Model) -> Plan:
        plan = self.planned(model, {})
        self._plans[model.name] = (model, self._written(), plan)
        return plan

    def _ends(self, name: str, running: "_Running") -> None:
        if running.said is not None:
            self._learn(running, self._seen(running.server.pid))
        if self._running.get(name) is running:
            del self._running[name]

    def _learn(self, running: "_Running", seen: Mapping[str, int]) -> None:
        """What it takes at this moment. What it does not say of its buffers it said of them in an earlier run."""
        if not seen:
            return  # it is gone
        lines, key = running.said or [], running.plan.key
        with _telling():
            known = self._footprints.of(key, "measured")
            buffers = memory.buffers(lines) or (known[-1] if known else {})
            host = seen[HOST] + memory.mapped(lines)
            taken = learned.taken(buffers, running.plan.projected, {**seen, HOST: host})
            self._footprints.put(key, "measured", taken)

    def _seen(self, pid: int) -> dict[str, int]:
        """Bytes per device that the process has, of the host's only what is not in files; empty if it is gone."""
        private = self._private(pid)
        return {HOST: private, **(self._gpu(pid) if self._gpu else {})} if private else {}

    def _one(
        self, model: Model, subject: Subject, settings: Mapping[str, Setting], added: Mapping[str, Setting]
    ) -> Plan:
        whole = {**settings, **added}
        key = self._key(model, whole)
        projected = project(subject, whole, self.devices(whole))
        source: Source = "arithmetic"
        need = totals(projected)
        measured = self._footprints.of(key, "measured")
        if known := self._footprints.of(key, "corrected") + measured:
            source, need = "measured", learned.need(known)
        elif analysed := self._footprints.of(key, "fit-params"):
            source, need = "fit-params", totals(analysed[-1])
        return Plan(
            key=key,
            settings=whole,
            added=dict(added),
            subject=subject,
            projected=projected,
            need=need,
            source=source,
            measured=bool(measured),
        )

    def _key(self, model: Model, settings: Mapping[str, Setting]) -> str:
        matter = {name: settings[name] for name in RELEVANT if name in settings}
        gpus = [(device.name, device.total) for device in self.devices(settings)]
        said = msgspec.json.encode([model.path, model.size, sorted(matter.items()), self._engine, gpus])
        return hashlib.blake2b(said, digest_size=16).hexdigest()

    def _subject(self, model: Model, settings: Mapping[str, Setting]) -> Subject:
        draft, projector = (str(settings.get(name, "")) for name in ("model_draft", "mmproj"))
        return Subject(
            size=model.size,
            facts=model.facts or self._other(model.path).facts,
            draft=self._other(draft) if draft else None,
            projector=self._other(projector).size if projector else 0,
        )

    def _other(self, path: str) -> Subject:
        """A file that is loaded beside the model's; its size at least, until `look` has read it."""
        return self._read.get(path) or Subject(size=_size(path))


class _Running:
    def __init__(self, server: LlamaServer, plan: Plan) -> None:
        self.server = server
        self.plan = plan
        self.said: list[str] | None = None  # as it became ready


def _fullest(need: Mapping[str, int]) -> str:
    """The device to blame where nobody says: a GPU, if one is used."""
    return max((name for name in need if name != HOST), key=lambda name: need[name], default=HOST)


def _read(path: str) -> Subject:
    facts: Facts | None = None
    with suppress(LlamactlError):  # llama-server will say what is wrong with it
        facts = gguf.read(Path(path))
    return Subject(size=_size(path), facts=facts)


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


@contextmanager
def _telling() -> Iterator[None]:
    """A load must not fail, nor an end, because what was learned cannot be written down."""
    try:
        yield
    except LlamactlError as error:
        log.warning("what a model takes could not be kept: %s", error.message)
