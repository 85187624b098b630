"""What each call does, with the real parts behind it; only the llama-servers are fakes."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import anyio
import msgspec
import pytest

from llamactl import __version__
from llamactl.catalogue import Catalogue
from llamactl.config.directories import Directories
from llamactl.config.sections import Config, Http, Models
from llamactl.config.values import FilePath
from llamactl.core.devices import Device
from llamactl.core.errors import BadRequest, LlamactlError, LoadFailed, NotFound, NotRunning, Refused, TimedOut
from llamactl.core.events import CatalogueChanged, InstanceChanged, Numbered, Placement, ServiceChanged
from llamactl.core.instance import state
from llamactl.core.model import HOST, Model
from llamactl.core.restart import Policy
from llamactl.core.sample import Gpu
from llamactl.core.scheduler import Limits
from llamactl.core.shape import Shape
from llamactl.daemon.analysis import Analyst
from llamactl.daemon.budget import Budget
from llamactl.daemon.control import Control
from llamactl.daemon.control.database import DatabaseCalls
from llamactl.daemon.control.events import EventCalls
from llamactl.daemon.control.fit import FitCalls
from llamactl.daemon.control.keys import KeyCalls
from llamactl.daemon.control.logs import LogCalls
from llamactl.daemon.control.metrics import MetricCalls
from llamactl.daemon.control.requests import RequestCalls
from llamactl.daemon.control.surroundings import SurroundingsCalls
from llamactl.daemon.control.workers import WorkerCalls
from llamactl.daemon.discovery import Discovery
from llamactl.daemon.history import History
from llamactl.daemon.keyring import Keyring
from llamactl.daemon.launch import Assumed, Launch
from llamactl.daemon.lending import Lending
from llamactl.daemon.measuring import sampler
from llamactl.daemon.needs import Needs
from llamactl.daemon.reload import Current
from llamactl.daemon.services import Service, Services
from llamactl.daemon.workers import Workers
from llamactl.hub import Hub
from llamactl.llamaserver.api import Generation, Props
from llamactl.llamaserver.capabilities import Capabilities
from llamactl.llamaserver.locate import Engine as Executable
from llamactl.logs import runs
from llamactl.metrics.gpus import Gpus
from llamactl.metrics.prometheus import Prometheus
from llamactl.proxy.door import Door
from llamactl.proxy.record import Journal
from llamactl.rpc import calls
from llamactl.rpc.calls import CALLS, Call, InstanceRow, Lost, ModelRow, Snapshot
from llamactl.rpc.client import Client
from llamactl.rpc.server import Stream
from llamactl.store import Database
from llamactl.supervisor import Supervisor
from llamactl.web.guests import Guests
from tests.catalogue.files import SIZE, gguf
from tests.catalogue.models import language_model, projector
from tests.rpc.far import serving
from tests.supervisor.fakes import Engine, Habits, now

pytestmark = pytest.mark.anyio

FLAGS = frozenset(("--ctx-size", "--threads", "--temp", "--jinja", "--no-jinja", "--chat-template"))
URLS = ["http://127.0.0.1:8134"]


class Finder(Launch):
    """Finds the engine that it is given, or none."""

    def __init__(self, config: Config, db: Database) -> None:
        super().__init__(lambda: config, db.server.get, db.presets.get)
        self.found: Executable | None = Executable("/opt/llama-server", "PATH")
        self.able = Capabilities("6123 (79c1160b)", 6123, FLAGS, templates=("chatml", "llama3"))

    async def engine(self, model: Model | None = None, assumed: Assumed = Assumed()) -> tuple[Executable, Capabilities]:
        if self.found is None:
            raise NotFound("no llama-server anywhere", "pip install …")
        return self.found, self.able


class Office:
    """A `Control` and the parts that it speaks for."""

    def __init__(self, place: Path, db: Database, models: Models = Models()) -> None:
        directories = Directories(
            config_file=place / "config.toml", data=place / "data", log=place / "log", runtime=place / "run"
        )
        self.engine = Engine()
        config = Config(directories=directories, models=models)
        self.finder = Finder(config, db)
        self.hub = Hub()
        self.catalogue = Catalogue(db.models, self.hub.publish)
        limits = Limits(budget={HOST: 3 * SIZE}, max_models=2)
        self.supervisor = Supervisor(self.engine, self.hub, limits, lambda model: {HOST: model.size}, clock=now)
        self.written = config
        """What is read when the configuration is read again."""
        current = Current(config, lambda: self.written, self.hub)
        discovery = Discovery(current, self.catalogue)
        self.budget = budget = Budget(lambda: config.residency, lambda: 3 * SIZE)
        needs = Needs(self.finder.values, db.footprints, budget, lambda pid: 0, db.changes)
        analyst = Analyst(self.finder, needs, self.catalogue, db.fits)
        lending = Lending(
            self.catalogue,
            budget,
            self.finder.executable,
            lambda model: model.settings.get("rpc"),
            lambda name: False,
            needs.changed,
        )
        workers = Workers(current, Policy, self.finder.executable, lending.learn, lambda address: None, lambda: False)
        self.journal = Journal()
        self.history = History(current, self.journal, db.requests, self.hub)
        self.cards: tuple[Gpu, ...] = ()
        """What drivers tell of."""
        fit = FitCalls(self.catalogue, self.supervisor, analyst, budget, lending, lambda: self.cards)
        gpus = Gpus(list, time.monotonic, place)
        self.sampler = sampler(self.hub, db.samples, self.supervisor, discovery, gpus, None)
        self.control = Control(
            current,
            self.hub,
            self.catalogue,
            self.supervisor,
            self.finder,
            discovery,
            URLS,
            db.presets,
            db.server,
            db.exits.of,
            lambda _: Props(total_slots=4, default_generation_settings=Generation(2048)),
            lambda _: 12.5,
            [
                fit,
                SurroundingsCalls(lambda: self.cards),
                DatabaseCalls(db.path),
                WorkerCalls(workers, lending, directories.worker_runs),
                KeyCalls(db.keys, Keyring(db.keys, Door(self.supervisor, self.catalogue.asked, ""), Guests(), print)),
                RequestCalls(self.catalogue, self.history, db.requests, self.journal.capture, self.cancelled),
                LogCalls(config, lambda _: None, lambda name: self.catalogue.resolve(name).name),
                EventCalls(self.hub, db.events, self.supervisor.instances),
                MetricCalls(current, self.sampler, db.samples, Prometheus(lambda: self.sampler.latest, dict)),
            ],
        )
        self.control.services = self.services = Services(
            [Service("supervisor", self.supervisor.run, vital=True)], self.hub, now
        )

    def cancelled(self, id: str) -> bool:
        return any(record.id == id.encode() for record in self.journal.under_way)

    async def ask(self, call: Call[Any]) -> Any:
        return await self.control.answer(call)

    async def rows(self, *, all: bool = False) -> dict[str, str]:
        """States by name."""
        return {row.name: row.state for row in await self.ask(calls.ListInstances(all=all))}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A directory with two models."""
    for name in ("qwen", "gemma"):
        gguf(tmp_path / "models" / f"{name}.gguf")
    return tmp_path / "models"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "llamactl.db") as db:
        yield db


@pytest.fixture
async def office(tmp_path: Path, db: Database) -> AsyncIterator[Office]:
    """Nothing in its catalogue yet."""
    office = Office(tmp_path, db)
    async with anyio.create_task_group() as group:
        await group.start(office.services.run)
        yield office
        office.services.stop()


@pytest.fixture
async def stocked(office: Office, models: Path) -> Office:
    await office.ask(calls.ScanModels((str(models),)))
    return office


# --- the contract --------------------------------------------------------------------------------


async def test_there_is_one_handler_for_each_call(office: Office) -> None:
    assert office.control.handlers.keys() == set(CALLS.values())
    handlers = [cast(Any, handler).__func__ for handler in office.control.handlers.values()]
    assert len(set(handlers)) == len(CALLS)


# --- the daemon ----------------------------------------------------------------------------------


async def test_another_configuration(office: Office, models: Path) -> None:
    assert (await office.ask(calls.Status())).restart_for == ()
    there = Models(directories=(FilePath(str(models)),))
    office.written = msgspec.structs.replace(office.written, models=there, http=Http(port=1))
    done = await office.ask(calls.Reload())
    assert done == calls.Reloaded(changed=("models.directories",), restart_for=("http.port",))
    assert (await office.ask(calls.Status())).restart_for == ("http.port",)
    assert len((await office.ask(calls.ScanModels())).added) == 2


async def test_how_the_daemon_is(stocked: Office, tmp_path: Path) -> None:
    status = await stocked.ask(calls.Status())
    assert (status.version, status.pid, status.http, status.models) == (__version__, os.getpid(), URLS, 2)
    assert (status.config, status.data, status.log) == tuple(
        str(tmp_path / name) for name in ("config.toml", "data", "log")
    )
    assert [(row.name, row.state) for row in status.services] == [("supervisor", "up")]
    assert 0 <= status.uptime < 10
    assert status.last_event == stocked.hub.last > 0


async def test_a_shutdown_is_answered_and_then_happens(stocked: Office) -> None:
    await stocked.ask(calls.StartModel("qwen"))
    assert await stocked.ask(calls.Shutdown()) is None
    assert stocked.engine.running == ["qwen"]
    await anyio.sleep(1)
    assert stocked.engine.running == []
    assert [row.state for row in stocked.services.rows()] == ["down"]


async def test_which_engine_is_used(office: Office) -> None:
    row = await office.ask(calls.Engine())
    assert row == calls.EngineRow(path="/opt/llama-server", version="6123 (79c1160b)", origin="PATH")


async def test_no_engine_is_an_answer_too(office: Office) -> None:
    office.finder.found = None
    row = await office.ask(calls.Engine())
    assert row.problem is not None
    assert (row.problem.code, row.problem.message, row.path) == ("not_found", "no llama-server anywhere", "")


# --- the catalogue -------------------------------------------------------------------------------


async def test_devices_are_as_free_as_their_drivers_say(office: Office) -> None:
    office.budget.found([Device(name="CUDA0", total=24, free=20), Device(name="CUDA1", total=8, free=7)])
    known = Gpu(id="1", name="RTX", vendor="nvidia", device="CUDA0", memory_total=24, memory_used=9)
    office.cards = (known, Gpu(id="2", name="RTX", vendor="nvidia", device="CUDA1"))
    free = {row.name: row.free for row in await office.ask(calls.ListDevices())}
    assert (free["CUDA0"], free["CUDA1"]) == (15, 7)


async def test_models_are_added_listed_and_removed(office: Office, models: Path) -> None:
    path = str(models / "qwen.gguf")
    expected = ModelRow(name="qwen", path=path, size=SIZE)
    assert await office.ask(calls.AddModel(path)) == expected
    assert await office.ask(calls.AddModel(path)) == expected
    assert (await office.ask(calls.AddModel(path, "mine"))).name == "mine"
    assert [row.name for row in await office.ask(calls.ListModels())] == ["mine", "qwen"]
    assert await office.ask(calls.RemoveModel("mine")) is None
    assert await office.ask(calls.ListModels()) == [expected]
    assert Path(path).exists()


async def test_what_is_no_model_is_not_added(office: Office, tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_text("hello")
    with pytest.raises(LlamactlError, match=r"a\.gguf"):
        await office.ask(calls.AddModel(str(tmp_path / "a.gguf")))
    assert await office.ask(calls.ListModels()) == []


async def test_several_are_added_all_or_none(office: Office, models: Path, tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_text("hello")
    qwen, gemma, bad = (
        calls.NewFile(str(path)) for path in (models / "qwen.gguf", models / "gemma.gguf", tmp_path / "a.gguf")
    )
    with pytest.raises(BadRequest, match=r"a\.gguf is not usable because .*; none of the 3 was added"):
        await office.ask(calls.AddModels((qwen, gemma, bad)))
    with pytest.raises(Refused, match=r"x would be the name of .*qwen.* and of .*gemma.*; none of the 2 was added"):
        await office.ask(calls.AddModels((calls.NewFile(qwen.path, "x"), calls.NewFile(gemma.path, "x"))))
    assert await office.ask(calls.ListModels()) == []
    rows = await office.ask(calls.AddModels((qwen, calls.NewFile(gemma.path, "g"), qwen)))
    assert [row.name for row in rows] == ["qwen", "g", "qwen"]
    assert [row.name for row in await office.ask(calls.ListModels())] == ["g", "qwen"]


async def test_the_list_says_what_each_model_does(stocked: Office) -> None:
    await stocked.ask(calls.StartModel("qwen"))
    assert {row.name: row.state for row in await stocked.ask(calls.ListModels())} == {
        "gemma": "stopped",
        "qwen": "ready",
    }


async def test_scanning_where_one_is_told_to(office: Office, models: Path) -> None:
    report = await office.ask(calls.ScanModels((str(models),)))
    assert report.added == ("gemma", "qwen")
    assert (await office.ask(calls.ScanModels((str(models),)))).known == 2


async def test_scanning_where_downloads_lie_if_nothing_else_is_said(office: Office, tmp_path: Path) -> None:
    gguf(tmp_path / "data" / "models" / "phi.gguf")
    assert (await office.ask(calls.ScanModels())).added == ("phi",)


async def test_scanning_where_it_is_configured_unless_one_is_told_where(
    tmp_path: Path, db: Database, models: Path
) -> None:
    gguf(tmp_path / "elsewhere" / "phi.gguf")
    office = Office(tmp_path, db, Models(directories=(FilePath(str(tmp_path / "elsewhere")),)))
    assert (await office.ask(calls.ScanModels((str(models),)))).added == ("gemma", "qwen")
    assert (await office.ask(calls.ScanModels())).added == ("phi",)


async def test_a_model_that_runs_is_not_removed(stocked: Office) -> None:
    await stocked.ask(calls.StartModel("qwen"))
    with pytest.raises(Refused, match="qwen is ready"):
        await stocked.ask(calls.RemoveModel("qwen"))
    assert stocked.catalogue.resolve("qwen")
    await stocked.ask(calls.StopModel("qwen"))
    await stocked.ask(calls.RemoveModel("qwen"))
    assert await stocked.rows(all=True) == {"gemma": "stopped"}


async def test_what_is_known_of_a_model_is_shown(office: Office, tmp_path: Path) -> None:
    path = language_model(tmp_path / "m" / "qwen.gguf", tokens=9)
    language_model(tmp_path / "m" / "tiny-draft.gguf", tokens=9)
    other = projector(tmp_path / "m" / "mmproj-qwen.gguf")
    office.finder.found = None
    row = await office.ask(calls.AddModel(str(path)))
    assert (row.architecture, row.context_length, row.vocabulary) == ("llama", 4096, 9)
    assert row.modalities == ("text", "image") and not row.missing
    detail = await office.ask(calls.ShowModel("qwen"))
    assert (detail.facts.title, detail.facts.vocabulary, len(detail.fingerprint)) == ("qwen", 9, 32)
    assert detail.drafts == str(tmp_path / "m" / "tiny-draft.gguf")
    assert [(one.name, one.value, one.origin) for one in detail.settings] == [("mmproj", str(other), "found beside it")]
    await office.ask(calls.SetModel("qwen", {"mmproj_auto": "off"}))
    assert [one.name for one in (await office.ask(calls.ShowModel("qwen"))).settings] == ["mmproj_auto"]
    path.unlink()
    await office.ask(calls.ScanModels((str(tmp_path / "m"),)))
    assert (await office.ask(calls.ShowModel("qwen"))).missing


async def test_a_model_is_given_other_names(stocked: Office) -> None:
    assert (await stocked.ask(calls.AliasModel("qwen", ("q", "org/q:1")))).aliases == ("q", "org/q:1")
    assert (await stocked.ask(calls.StartModel("org/q:1"))).name == "qwen"
    assert (await stocked.ask(calls.AliasModel("q", remove=("q",)))).aliases == ("org/q:1",)
    rows = await stocked.ask(calls.ListInstances(all=True))
    assert {row.name: row.aliases for row in rows} == {"gemma": (), "qwen": ("org/q:1",)}
    with pytest.raises(Refused, match="org/q:1 is an alias of qwen"):
        await stocked.ask(calls.AliasModel("gemma", ("org/q:1",)))


async def test_requests_for_a_model_are_shaped(stocked: Office) -> None:
    """By name, by alias and by variant; the empty variant is for all others."""
    await stocked.ask(calls.AliasModel("qwen", ("q",)))
    await stocked.ask(calls.ShapeModel("qwen", strip=("seed",)))
    row = await stocked.ask(calls.ShapeModel("q:fast", set={"temperature": 0, "seed": 1}))
    assert (row.name, row.variants) == ("qwen", ("fast",))
    asked = stocked.catalogue.asked
    assert asked("qwen:fast") == asked("q:fast")
    assert (asked("q:fast").name, asked("q:fast").shapes) == ("qwen", {"": Shape({"temperature": 0, "seed": 1})})
    assert asked("q").shapes[""] == Shape(strip=("seed",))
    for name in ("qwen:slow", "gemma:fast", "nobody:fast", "qwen:"):
        with pytest.raises(NotFound):
            asked(name)
    with pytest.raises(NotFound, match="seed"):
        await stocked.ask(calls.ShapeModel("gemma", unset=("seed",)))
    assert (await stocked.ask(calls.ShowModel("qwen"))).shapes.keys() == {"", "fast"}
    await stocked.ask(calls.ShapeModel("q:fast", remove=True))
    await stocked.ask(calls.ShapeModel("qwen", unset=("seed",)))
    assert stocked.catalogue.resolve("qwen").shapes == {}
    with pytest.raises(NotFound, match="shape"):
        await stocked.ask(calls.ShapeModel("qwen:fast", remove=True))


async def test_a_model_of_that_name_goes_before_a_variant(stocked: Office) -> None:
    await stocked.ask(calls.ShapeModel("qwen:fast", set={"temperature": 0}))
    await stocked.ask(calls.RenameModel("gemma", "qwen:fast"))
    assert stocked.catalogue.asked("qwen:fast").shapes == {}


async def test_a_model_is_verified(stocked: Office, models: Path) -> None:
    sound = await stocked.ask(calls.VerifyModel("qwen"))
    assert sound.sound and [check.check for check in sound.checks] == [
        "files", "size", "header", "fingerprint", "settings"
    ]  # fmt: skip
    model = stocked.catalogue.resolve("qwen")
    stocked.catalogue.change(msgspec.structs.replace(model, settings={"nonsense": 1}))
    found = await stocked.ask(calls.VerifyModel("qwen"))
    assert not found.sound
    assert "nonsense" in found.checks[-1].detail
    (models / "gemma.gguf").unlink()
    found = await stocked.ask(calls.VerifyModel("gemma", deep=True))
    assert [(check.check, check.ok) for check in found.checks] == [("files", False), ("settings", True)]


# --- instances -----------------------------------------------------------------------------------


async def test_only_what_runs_failed_or_is_waited_for_is_listed(stocked: Office) -> None:
    assert await stocked.rows() == {}
    assert await stocked.rows(all=True) == {"gemma": "stopped", "qwen": "stopped"}
    await stocked.ask(calls.StartModel("qwen"))
    assert await stocked.rows() == {"qwen": "ready"}
    stocked.engine.server("qwen").crash()
    await anyio.sleep(0.1)
    assert await stocked.rows() == {"qwen": "backoff"}
    assert list(await stocked.rows(all=True)) == ["gemma", "qwen"]
    stocked.supervisor.pin("gemma")
    assert list(await stocked.rows()) == ["gemma", "qwen"]


async def test_one_that_is_waited_for_is_listed(stocked: Office, models: Path) -> None:
    gguf(models / "phi.gguf")
    await stocked.ask(calls.ScanModels((str(models),)))
    leases = [await stocked.supervisor.lease(stocked.catalogue.resolve(name)) for name in ("qwen", "gemma")]
    await stocked.ask(calls.StartModel("phi", wait=False))
    await anyio.sleep(1)
    assert await stocked.rows() == {"gemma": "ready", "phi": "stopped", "qwen": "ready"}
    for lease in leases:
        lease.release()


async def test_a_start_is_answered_when_the_model_is_ready(stocked: Office) -> None:
    row = await stocked.ask(calls.StartModel("qwen"))
    assert isinstance(row, InstanceRow)
    assert (row.name, row.state, row.pid, row.memory) == ("qwen", "ready", 1000, {HOST: SIZE})
    assert row.load_seconds == pytest.approx(1.0, abs=0.03)
    assert row.age is not None
    assert (row.leases, row.requests, row.problem) == (0, 1, None)


async def test_a_start_is_answered_at_once_for_who_does_not_wait(stocked: Office) -> None:
    row = await stocked.ask(calls.StartModel("qwen", wait=False))
    assert row.state == "starting"
    await anyio.sleep(0.5)
    assert await stocked.rows() == {"qwen": "loading"}


async def test_a_stop_and_a_restart_are_answered_as_they_have_begun(stocked: Office) -> None:
    await stocked.ask(calls.StartModel("qwen"))
    assert (await stocked.ask(calls.RestartModel("qwen", wait=False))).state != "ready"
    await stocked.ask(calls.WaitModel("qwen"))
    assert (await stocked.ask(calls.StopModel("qwen", wait=False))).state != "ready"


async def test_a_start_that_fails_says_why_and_so_does_the_row(stocked: Office) -> None:
    stocked.engine.habits["qwen"] = Habits(refused="no such flag")
    with pytest.raises(LoadFailed) as caught:
        await stocked.ask(calls.StartModel("qwen"))
    [row] = await stocked.ask(calls.ListInstances())
    assert (row.state, row.problem, row.pid) == ("failed", caught.value.problem(), None)
    assert (row.context, row.slots, row.rate) == (None, None, None)


async def test_a_row_says_what_can_be_asked_of_it(stocked: Office) -> None:
    await stocked.ask(calls.StartModel("qwen"))
    [row] = await stocked.ask(calls.ListInstances())
    assert (row.context, row.slots, row.rate) == (2048, 4, 12.5)


async def test_a_model_that_is_not_there(stocked: Office) -> None:
    for call in (calls.StartModel("quen"), calls.StopModel("quen"), calls.RemoveModel("quen")):
        with pytest.raises(NotFound, match="quen"):
            await stocked.ask(call)


@pytest.fixture
def aliased(db: Database) -> None:
    db.models.put(Model(name="long-name", path="/m/long.gguf", size=SIZE, aliases=("short",)))


async def test_a_model_goes_by_its_aliases_too(aliased: None, office: Office) -> None:
    assert (await office.ask(calls.StartModel("short"))).name == "long-name"
    assert await office.rows() == {"long-name": "ready"}
    assert (await office.ask(calls.StopModel("short"))).state == "stopped"
    await office.ask(calls.RemoveModel("short"))
    assert await office.rows(all=True) == {}


@pytest.mark.parametrize(("drain", "takes"), [(None, 30.0), (5.0, 5.0), (0.0, 0.0)])
async def test_a_stop_gives_leases_as_much_time_as_is_said_or_configured(
    stocked: Office, drain: float | None, takes: float
) -> None:
    await stocked.supervisor.lease(stocked.catalogue.resolve("qwen"))
    began = now()
    row = await stocked.ask(calls.StopModel("qwen", drain))
    assert row.state == "stopped"
    assert now() - began == pytest.approx(takes + 0.01)


async def test_stopping_what_does_not_run_is_no_error(stocked: Office) -> None:
    assert (await stocked.ask(calls.StopModel("qwen"))).state == "stopped"


# --- places in memory ----------------------------------------------------------------------------


async def test_a_pin_is_kept_with_the_model(stocked: Office) -> None:
    assert (await stocked.ask(calls.PinModel("qwen"))).pinned
    assert stocked.catalogue.resolve("qwen").pinned
    await stocked.ask(calls.StartModel("qwen"))
    await stocked.ask(calls.StopModel("qwen"))
    assert (await stocked.ask(calls.StartModel("qwen"))).pinned
    assert not (await stocked.ask(calls.UnpinModel("qwen"))).pinned
    assert "pinned" not in stocked.catalogue.resolve("qwen").settings


async def test_settings_of_ours_count_from_the_next_start(stocked: Office) -> None:
    model = stocked.catalogue.resolve("qwen")
    stocked.catalogue.change(msgspec.structs.replace(model, settings={"ttl": 600.0, "pinned": True}))
    row = await stocked.ask(calls.StartModel("qwen"))
    assert row.pinned and row.ttl is None
    assert (await stocked.ask(calls.UnpinModel("qwen"))).ttl == pytest.approx(600.0)


async def test_a_plan(stocked: Office) -> None:
    plan = await stocked.ask(calls.PlanStart("qwen"))
    assert (plan.need, plan.free, plan.evicts, plan.problem) == ({HOST: SIZE}, {HOST: 3 * SIZE}, [], None)
    await stocked.ask(calls.StartModel("qwen"))
    assert (await stocked.ask(calls.PlanStart("qwen"))).state == "ready"


async def test_a_restart_keeps_the_pin_of_this_run(stocked: Office) -> None:
    await stocked.ask(calls.StartModel("qwen"))
    stocked.supervisor.pin("qwen")
    first = stocked.supervisor.instance("qwen").phase
    row = await stocked.ask(calls.RestartModel("qwen"))
    assert row.state == "ready" and row.pinned
    assert stocked.supervisor.instance("qwen").phase != first


async def test_what_it_sees_of_the_machine(office: Office) -> None:
    office.cards = (Gpu(id="GPU-0", name="RTX 4090", vendor="nvidia"),)
    seen = await office.ask(calls.ShowSurroundings())
    assert (seen.uid, seen.gpus) == (os.geteuid(), ("RTX 4090",))


async def test_the_database_is_looked_after_while_it_is_used(office: Office, tmp_path: Path) -> None:
    health = await office.ask(calls.CheckDatabase())
    assert (health.problems, health.version) == ((), health.current)
    copied = await office.ask(calls.BackupDatabase(str(tmp_path / "copy.db")))
    assert copied.size == (tmp_path / "copy.db").stat().st_size > 0
    with pytest.raises(Refused, match="there already"):
        await office.ask(calls.BackupDatabase(copied.file))
    with pytest.raises(BadRequest, match="not an absolute path"):
        await office.ask(calls.BackupDatabase("copy.db"))
    assert not (await office.ask(calls.VacuumDatabase())).complete, "it is in use"


async def test_waiting(stocked: Office) -> None:
    with pytest.raises(TimedOut):
        await stocked.ask(calls.WaitModel("qwen", timeout=2.0))
    assert (await stocked.ask(calls.StartModel("qwen", wait=False))).state == "starting"
    assert (await stocked.ask(calls.WaitModel("qwen"))).state == "ready"


async def test_nobody_waits_for_what_has_failed_unless_it_is_started_again(stocked: Office) -> None:
    stocked.engine.habits["qwen"] = Habits(refused="no such flag")
    with pytest.raises(LoadFailed):
        await stocked.ask(calls.StartModel("qwen"))
    with pytest.raises(NotRunning, match="qwen has failed"):
        await stocked.ask(calls.WaitModel("qwen"))
    assert (await stocked.ask(calls.WaitModel("qwen", "failed"))).state == "failed"
    del stocked.engine.habits["qwen"]
    await stocked.ask(calls.StartModel("qwen", wait=False))
    assert (await stocked.ask(calls.WaitModel("qwen"))).state == "ready"


# --- watching ------------------------------------------------------------------------------------


async def test_a_watch_is_the_present_and_then_every_event(stocked: Office) -> None:
    await stocked.ask(calls.StartModel("gemma"))
    stream = await stocked.ask(calls.Watch())
    assert isinstance(stream, Stream)
    await stocked.ask(calls.StartModel("qwen"))
    assert isinstance(stream.first, Snapshot)
    assert [(row.name, row.state) for row in stream.first.instances] == [("gemma", "ready")]
    seen = []
    for number in range(1, 5):
        numbered = await anext(stream.then)
        assert isinstance(numbered, Numbered)
        event = numbered.event
        assert isinstance(event, InstanceChanged | Placement)
        assert numbered.id == stream.first.last_event + number
        seen.append((event.model, event.action if isinstance(event, Placement) else state(event.phase)))
    assert seen == [("qwen", "start"), ("qwen", "starting"), ("qwen", "loading"), ("qwen", "ready")]
    stream.close()
    stocked.hub.publish(CatalogueChanged())
    with anyio.move_on_after(1):
        pytest.fail(f"after the end came {await anext(stream.then)}")


async def test_a_watch_goes_on_where_another_ended(stocked: Office, db: Database) -> None:
    """Without a gap or a double one, whether or not more happens while the old ones are read."""
    for number in range(1200):
        stocked.hub.publish(CatalogueChanged((str(number),)))
    first = stocked.hub.last - 1199
    db.events.put_now([Numbered(first + number, 0.0, CatalogueChanged((str(number),))) for number in range(1200)])
    stream = await stocked.ask(calls.Watch(since=first + 9))
    assert stream.first.last_event == first + 1199
    seen = [await anext(stream.then) for _ in range(600)]
    late = stocked.hub.publish(ServiceChanged("web", "up"))
    db.events.put_now([late])
    seen += [await anext(stream.then) for _ in range(591)]
    last = stocked.hub.publish(CatalogueChanged(("last",)))
    seen.append(await anext(stream.then))
    assert [each.id for each in seen] == [*range(first + 10, last.id + 1)]
    await stream.then.aclose()
    stream.close()


async def test_a_watch_of_some_types_only(stocked: Office) -> None:
    stream = await stocked.ask(calls.Watch(types=("service", "alert")))
    stocked.hub.publish(CatalogueChanged())
    wanted = stocked.hub.publish(ServiceChanged("web", "up"))
    assert await anext(stream.then) == wanted
    await stream.then.aclose()
    stream.close()
    for call in (calls.Watch(types=("servic",)), calls.ListEvents(types=("servic",))):
        with pytest.raises(BadRequest, match="'servic'"):
            await stocked.ask(call)


async def test_who_comes_back_too_late_is_told_what_is_kept_no_more(stocked: Office, db: Database) -> None:
    stocked.hub.last = stocked.hub.kept = 20
    db.events.put_now([Numbered(number, 0.0, CatalogueChanged()) for number in (19, 20)])
    stream = await stocked.ask(calls.Watch(since=5))
    assert await anext(stream.then) == Lost(13)
    assert [(await anext(stream.then)).id for _ in range(2)] == [19, 20]
    await stream.then.aclose()
    stream.close()
    of_another_life = await stocked.ask(calls.Watch(since=500))
    assert await anext(of_another_life.then) == Lost(18)
    await of_another_life.then.aclose()
    of_another_life.close()


async def test_listing_events(stocked: Office, db: Database) -> None:
    put = [Numbered(number, 0.0, CatalogueChanged()) for number in range(1, 8)]
    db.events.put_now(put)
    assert await stocked.ask(calls.ListEvents(since=2, limit=3)) == put[2:5]
    assert await stocked.ask(calls.ListEvents(limit=3)) == put[-3:]
    assert await stocked.ask(calls.ListEvents(types=("alert",))) == []


async def test_a_slow_watcher_is_told_what_it_lost_before_it_goes_on(stocked: Office) -> None:
    stream = await stocked.ask(calls.Watch())
    for _ in range(1003):
        stocked.hub.publish(CatalogueChanged())
    first = stream.first.last_event
    assert await anext(stream.then) == Lost(3)
    numbered = await anext(stream.then)
    assert isinstance(numbered, Numbered)
    assert numbered.id == first + 4
    following = await anext(stream.then)
    assert isinstance(following, Numbered)
    assert following.id == first + 5
    await stream.then.aclose()
    stream.close()


def test_a_watcher_who_does_not_read_loses_events_and_slows_nobody(tmp_path: Path, db: Database) -> None:
    """The whole way, through a real socket: its buffer fills first, then the queue."""
    number, event = 20_000, CatalogueChanged(added=("x" * 100,))
    office = Office(tmp_path, db)
    with serving(tmp_path / "s", office.control.answer, os.getuid()) as far, Client([str(far.path)], 10) as client:
        snapshot, notices = client.watch()
        for _ in range(number // 1000):
            far.publish(office.hub, *[event] * 1000)
        expected, lost = snapshot.last_event + 1, 0
        while expected <= snapshot.last_event + number:
            notice = next(notices)
            if isinstance(notice, Lost):
                lost += notice.lost
                expected += notice.lost
            else:
                assert notice.id == expected
                expected += 1
        assert lost > 0


# --- requests -----------------------------------------------------------------------------------


async def test_requests_under_way_and_ended(office: Office) -> None:
    journal = office.journal
    for number in range(3):
        journal.end(journal.begin(b"e-%d" % number, "completions", "qwen" if number else "gemma", "::1"))
    await anyio.to_thread.run_sync(asyncio.run, office.history._turn())  # the store writes for asyncio only
    latest = journal.begin(b"e-3", "completions", "qwen", "::1")
    latest.key = "ab"
    journal.end(latest)
    journal.begin(b"u-1", "completions", "qwen", "::1").answered(200, events=True)

    async def ids(**filters: Any) -> list[str]:
        return [one.id for one in await office.ask(calls.ListRequests(**filters))]

    assert await ids() == ["u-1", "e-3", "e-2", "e-1", "e-0"]
    assert await ids(limit=2) == ["u-1", "e-3", "e-2"]
    assert await ids(limit=0) == ["u-1"]
    assert await ids(model="gemma") == ["e-0"]
    assert await ids(model="gone") == []
    assert await ids(key="ab") == ["e-3"]
    assert await ids(status=200) == ["u-1"]
    assert await ids(since=4e9) == []
    for name in ("u-1", "e-3", "e-0"):
        assert (await office.ask(calls.ShowRequest(name))).id == name
    with pytest.raises(NotFound, match="x-1"):
        await office.ask(calls.ShowRequest("x-1"))


async def test_a_request_can_be_cancelled_while_it_is_under_way(office: Office) -> None:
    record = office.journal.begin(b"u-1", "completions", "qwen", "::1")
    await office.ask(calls.CancelRequest("u-1"))
    office.journal.end(record)
    with pytest.raises(NotFound, match="under way"):
        await office.ask(calls.CancelRequest("u-1"))


async def test_bodies_of_a_request(office: Office) -> None:
    office.journal.capture.configure(1, 100)
    office.journal.end(office.journal.begin(b"e-1", "completions", "qwen", "::1"))
    with pytest.raises(NotFound, match="not captured"):
        await office.ask(calls.ShowBodies("e-1"))
    office.journal.capture.begin(b"e-1", b'{"api_key":"secret"}').take(b"\xff")
    bodies = await office.ask(calls.ShowBodies("e-1"))
    assert bodies == calls.Bodies(asked='{"api_key":"***"}', answered="\ufffd", asked_size=20, answered_size=1)


# --- what a worker wrote -------------------------------------------------------------------------

ADDRESS = "127.0.0.1:50052"


async def test_what_a_worker_wrote_is_told_and_gone_on_with(office: Office, tmp_path: Path) -> None:
    directory = tmp_path / "log" / "workers" / "127.0.0.1%3A50052"
    directory.mkdir(parents=True)
    run = directory / runs.name_of(1)
    run.write_text("one\ntwo api_key=hunter2hunter2\nhal")
    assert (await office.ask(calls.ReadWorker(address=ADDRESS, limit=2))).lines == ["two api_key=***", "hal"]
    found = await office.ask(calls.ReadWorker(address=ADDRESS, follow=True))
    assert found.lines == ["one", "two api_key=***"]
    with run.open("a") as file:
        file.write("f api_key=hunter2hunter2\n")
    found = await office.ask(calls.ReadWorker(address=ADDRESS, after=found.place))
    assert found.lines == ["half api_key=***"]
    assert await office.ask(calls.ReadWorker(address=ADDRESS, after=found.place)) == calls.WorkerLines([], found.place)
    (directory / runs.name_of(2)).write_text("next\n")
    run.unlink()
    assert (await office.ask(calls.ReadWorker(address=ADDRESS, after=found.place))).lines == ["next"]


@pytest.mark.parametrize("address", ["..", "../x:1", "a/b:1", "", "localhost", "a:1/..", "127.0.0.1:50052\n"])
async def test_nothing_but_a_worker_is_read(office: Office, address: str) -> None:
    with pytest.raises(BadRequest, match="not the address of a worker"):
        await office.ask(calls.ReadWorker(address=address))


async def test_a_worker_that_wrote_nothing_and_a_place_that_is_none(office: Office) -> None:
    with pytest.raises(NotFound, match="no log of a worker"):
        await office.ask(calls.ReadWorker(address=ADDRESS))
    for place in ("x", "x:", ":-1", "../../x.log:0x1", "x.log:²"):
        with pytest.raises(BadRequest, match="not a place"):
            await office.ask(calls.ReadWorker(address=ADDRESS, after=place))
    found = await office.ask(calls.ReadWorker(address=ADDRESS, after="../../../config.toml:0"))
    assert found.lines == []
