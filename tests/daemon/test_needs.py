"""What a model needs: measured, analysed, reckoned; corrected, kept, forgotten."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from llamactl.config.sections import Residency
from llamactl.config.values import Size
from llamactl.core.devices import Device
from llamactl.core.errors import LlamactlError, LoadFailed, UpstreamDied
from llamactl.core.events import InstanceChanged
from llamactl.core.exits import Kind
from llamactl.core.footprint import project
from llamactl.core.instance import Backoff, Exit, Failed, Loading, Ready
from llamactl.core.model import HOST, Model, Setting
from llamactl.core.parts import Parts, totals
from llamactl.daemon.budget import Budget
from llamactl.daemon.needs import VERBOSE, Needs
from llamactl.hub import Hub
from llamactl.llamaserver.locate import Engine
from llamactl.llamaserver.memory import MIB, Shortage
from llamactl.store import Database
from tests.core.footprint.facts import EIGHT, GIB, KV_PER_TOKEN, subject

pytestmark = pytest.mark.anyio

SAID = [
    "load_tensors:   CPU_Mapped model buffer size =  8100.00 MiB",
    "llama_context: constructing llama_context",
    "llama_kv_cache:        CPU KV buffer size =  1024.00 MiB",
    "sched_reserve:        CPU compute buffer size =   150.00 MiB",
]
MODEL = Model(name="eight", path="/m/eight.gguf", size=8 * GIB, facts=EIGHT, settings={"ctx_size": 8192})


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Server:
    """As much of a `LlamaServer` as is looked at."""

    def __init__(self, lines: list[str], pid: int = 7) -> None:
        self.pid = pid
        self.lines = lines
        self.before_end: Any = None

    def beginning(self) -> list[str]:
        return self.lines


class Place:
    def __init__(self, db: Database, room: int = 100 * GIB) -> None:
        self.room = room
        self.private = {7: 10 * MIB}
        self.held: dict[int, dict[str, int]] = {}
        self.behind: dict[str, Any] = {}
        self.hub = Hub()
        self.budget = Budget(lambda: Residency(margin=Size(0)), lambda: self.room)
        self.db = db
        self.needs = self.anew()

    def anew(self) -> Needs:
        """As after a restart of the daemon."""
        return Needs(
            lambda model: {**self.behind, **model.settings},
            self.db.footprints,
            self.budget,
            lambda pid: self.private.get(pid, 0),
            self.db.changes,
            lambda pid: self.held.get(pid, {}),
        )

    async def run(self, server: Server, model: Model = MODEL) -> None:
        """It is started and becomes ready, and is measured by then."""
        before = len(self.samples(model))
        self.needs.started(model, server)  # type: ignore[arg-type]
        self.hub.publish(InstanceChanged(model.name, Loading(1.0, server.pid)))
        self.hub.publish(InstanceChanged(model.name, Ready(2.0, server.pid, 1.0)))
        with anyio.fail_after(10):
            while len(self.samples(model)) == before:  # noqa: ASYNC110
                await anyio.sleep(0.001)

    def samples(self, model: Model = MODEL) -> list[dict[str, Parts]]:
        return self.db.footprints.of(self.needs.plan(model).key, "measured")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "llamactl.db") as db:
        yield db


@pytest.fixture
async def place(db: Database) -> AsyncIterator[Place]:
    place = Place(db)
    async with anyio.create_task_group() as group:
        await group.start(place.needs.run, place.hub)
        yield place
        group.cancel_scope.cancel()


async def test_reckoned_while_nothing_is_known(place: Place) -> None:
    assert place.needs(MODEL) == totals(project(subject(), {"ctx_size": 8192}))
    assert place.needs.plan(MODEL).source == "arithmetic"
    assert place.needs.added(MODEL) == {"verbosity": VERBOSE}, "so that it names its buffers"


async def test_measured_when_it_is_ready(place: Place) -> None:
    overhead = project(subject(), {"ctx_size": 8192})[HOST].overhead
    await place.run(Server(SAID))
    assert place.samples() == [{HOST: Parts(weights=8100 * MIB, kv=1024 * MIB, compute=150 * MIB, overhead=overhead)}]
    assert place.needs(MODEL) == {HOST: (8100 + 1024 + 150) * MIB + overhead}
    assert place.needs.plan(MODEL).source == "measured"
    assert place.needs.added(MODEL) == {}, "quiet from now on"
    assert place.anew()(MODEL) == place.needs(MODEL)


async def test_what_it_has_of_a_gpu_counts(place: Place) -> None:
    place.budget.found([Device(name="CUDA0", total=24 * GIB, free=24 * GIB)])
    place.needs.changed()
    reckoned = place.needs(MODEL)["CUDA0"]
    place.held[7] = {"CUDA0": reckoned + 100 * MIB}
    await place.run(Server([]))
    assert place.needs(MODEL)["CUDA0"] == reckoned + 100 * MIB
    assert place.needs.plan(MODEL).source == "measured"


async def test_measured_when_it_is_adopted(place: Place) -> None:
    server = Server(SAID)
    await place.needs.adopted(MODEL, server)  # type: ignore[arg-type]
    assert place.needs.plan(MODEL).source == "measured"
    assert len(place.samples()) == 1
    server.before_end()
    assert len(place.samples()) == 2
    place.private.clear()
    await place.needs.adopted(MODEL, Server(SAID))  # type: ignore[arg-type]
    assert len(place.samples()) == 2, "it is gone"


async def test_measured_again_before_it_ends(place: Place) -> None:
    server = Server(SAID)
    await place.run(server)
    first = place.needs(MODEL)[HOST]
    place.private[7] = (1024 + 150 + 500) * MIB
    server.before_end()
    assert place.needs(MODEL) == {HOST: (8100 + 1024 + 150 + 500) * MIB} != {HOST: first}
    quiet = Server([])
    place.private[7] = 0
    await_nothing = len(place.samples())
    place.needs.started(MODEL, quiet)  # type: ignore[arg-type]
    quiet.before_end()
    assert len(place.samples()) == await_nothing, "it was never ready, or is gone"


async def test_a_quiet_run_is_measured_by_what_an_earlier_one_said(place: Place) -> None:
    await place.run(Server(SAID))
    await place.run(Server([]))
    assert [sample[HOST].weights for sample in place.samples()] == [8100 * MIB] * 2


async def test_of_another_process_nothing_is_learned(place: Place) -> None:
    place.needs.started(MODEL, Server(SAID, pid=8))  # type: ignore[arg-type]
    place.hub.publish(InstanceChanged("eight", Ready(2.0, 7, 1.0)))
    place.private[9] = 1
    await place.run(Server(SAID, pid=9))
    assert len(place.samples()) == 1


async def test_what_matters_makes_another_key(place: Place) -> None:
    def like(**settings: Any) -> Model:
        return Model(name="other", path=MODEL.path, size=MODEL.size, facts=EIGHT, settings=settings)

    keys = [
        place.needs.plan(model).key
        for model in (
            like(ctx_size=8192),
            like(ctx_size=4096),
            like(ctx_size=8192, n_parallel=2),
            like(ctx_size=8192, cache_type_k="q8_0"),
            like(ctx_size=8192, gpu_layers=3),
        )
    ]
    assert len(set(keys)) == len(keys)
    assert place.needs.plan(MODEL).key == keys[0], "the name does not matter"
    assert place.needs.plan(like(ctx_size=8192, temperature=0.5)).key == keys[0], "nor what takes no memory"


async def test_another_engine_is_another_key(place: Place, tmp_path: Path) -> None:
    before = place.needs.plan(MODEL).key
    path = tmp_path / "llama-server"
    path.write_text("#!/bin/sh\necho '  CUDA0: A GPU (24000 MiB, 23000 MiB free)'\n")
    path.chmod(0o755)
    await place.needs.engine(Engine(str(path), "PATH"))
    assert place.needs.plan(MODEL).key != before
    assert place.needs(MODEL).keys() == {HOST, "CUDA0"}
    assert place.budget.last["CUDA0"] == 23000 * MIB
    path.write_text("#!/bin/sh\necho '  CUDA0: A GPU (24000 MiB, 1000 MiB free)'\n# another\n")
    await place.needs.engine(Engine(str(path), "PATH"))
    assert place.budget([])["CUDA0"] == 23000 * MIB, "by now some of it is ours"


async def test_changed_settings_are_seen(place: Place) -> None:
    plain = Model(name="plain", path="/p", size=1, facts=EIGHT)
    place.behind = {"ctx_size": 8192}
    first = place.needs(plain)
    place.behind = {"ctx_size": 16384}
    assert place.needs(plain) == first
    place.needs.changed()
    assert place.needs(plain)[HOST] > first[HOST] + 7000 * KV_PER_TOKEN
    other = Model(name="plain", path="/p", size=1, facts=EIGHT, settings={"ctx_size": 32768})
    assert place.needs(other)[HOST] > place.needs.plan(plain).need[HOST]


async def test_a_context_that_nobody_set_is_cut_down_to_fit(place: Place) -> None:
    plain = Model(name="plain", path="/p", size=8 * GIB, facts=EIGHT)
    assert place.needs.plan(plain).added == {}
    place.room = 14 * GIB
    place.budget([])
    assert place.needs(plain)[HOST] <= 14 * GIB
    assert place.needs.added(plain) == {"ctx_size": 32768, "verbosity": VERBOSE}
    place.room = 100 * GIB
    place.budget([])
    place.needs(plain)
    assert place.needs.plan(plain).added == {}
    place.room = GIB
    place.budget([])
    assert place.needs(plain)[HOST] > 20 * GIB, "nothing helps: then it is told what it would need"
    assert place.needs.plan(plain).added == {}


async def test_verbosity_that_somebody_set_stays(place: Place) -> None:
    place.behind = {"verbosity": 2}
    assert place.needs.added(MODEL) == {}


async def test_analysed_counts_until_it_is_measured(place: Place) -> None:
    plan = place.needs.plan(MODEL)
    place.needs.analysed(plan, {HOST: Parts(weights=5 * GIB)})
    assert place.needs(MODEL) == {HOST: 5 * GIB + plan.projected[HOST].overhead}
    assert place.needs.plan(MODEL).source == "fit-params"
    await place.run(Server(SAID))
    assert place.needs.plan(MODEL).source == "measured"


async def test_a_death_of_memory_makes_it_need_more(place: Place) -> None:
    first = place.needs(MODEL)[HOST]
    assert place.needs.grew(MODEL, Shortage()) == {HOST: int(first * 1.25)}
    assert place.needs(MODEL) == {HOST: int(first * 1.25)}
    assert place.needs.grew(MODEL, Shortage(HOST, 99 * GIB)) == {HOST: 99 * GIB}
    assert place.needs.added(MODEL) == {"verbosity": VERBOSE}, "it was never measured"
    await place.run(Server(SAID))
    assert place.needs(MODEL)[HOST] == 99 * GIB, "one run that went well does not outweigh it"


@pytest.mark.parametrize("phase", [Backoff, Failed])
async def test_who_dies_of_memory_while_it_loads_is_followed(place: Place, phase: type[Backoff | Failed]) -> None:
    first = place.needs(MODEL)[HOST]
    lines = ("ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 106300440576",)

    def died(error: LlamactlError, kind: Kind) -> None:
        exit = Exit("", lines=lines, kind=kind)
        until = {"until": 2.0} if phase is Backoff else {}
        place.hub.publish(InstanceChanged("eight", phase(since=1.0, problem=error.problem(), exit=exit, **until)))

    died(UpstreamDied("it had served"), "oom_kill")
    died(LoadFailed("for another reason"), "assertion")
    await anyio.wait_all_tasks_blocked()
    assert place.needs(MODEL)[HOST] == first
    died(LoadFailed("too large"), "out_of_memory")
    await anyio.wait_all_tasks_blocked()
    assert place.needs(MODEL)[HOST] >= 99 * GIB


async def test_the_gpu_is_blamed_where_nobody_says(place: Place) -> None:
    place.budget.found([Device(name="CUDA0", total=24 * GIB, free=24 * GIB)])
    first = place.needs(MODEL)
    grown = place.needs.grew(MODEL, Shortage("", 1))
    assert (grown[HOST], grown["CUDA0"]) == (first[HOST], int(first["CUDA0"] * 1.25))


async def test_the_files_beside_it_are_read(place: Place, tmp_path: Path) -> None:
    projector = tmp_path / "mmproj.gguf"
    projector.write_bytes(bytes(3 * MIB))
    model = Model(name="eyes", path="/m", size=8 * GIB, facts=EIGHT, settings={"mmproj": str(projector)})
    bare = Model(name="bare", path="/m", size=8 * GIB, facts=EIGHT)
    assert place.needs(model)[HOST] - place.needs(bare)[HOST] == 3 * MIB * 5 // 4
    projector.write_bytes(bytes(8 * MIB))
    await place.needs.look(model)
    assert place.needs(model)[HOST] - place.needs(bare)[HOST] == 8 * MIB * 5 // 4


async def test_an_answer_is_kept_until_something_is_written(place: Place) -> None:
    asked = itertools.count()

    def settings(model: Model) -> dict[str, Setting]:
        return {"threads": next(asked) + 1}

    needs = Needs(settings, place.db.footprints, place.budget, lambda pid: 0, place.db.changes)
    for _ in range(5):
        needs(MODEL)
    assert next(asked) == 1
    place.db.presets.put("mine", {"ctx_size": 512})
    needs(MODEL)
    assert next(asked) == 3
