"""The contract: each question with its answer."""

from typing import Any, get_origin

import msgspec
import pytest

from llamactl.core.database import Copied, Health, Vacuumed
from llamactl.core.errors import NotFound, Problem
from llamactl.core.events import (
    AlertCleared,
    AlertRaised,
    CatalogueChanged,
    ConfigChanged,
    Event,
    InstanceChanged,
    InstanceDoubted,
    KeyMisused,
    LogLines,
    Numbered,
    Placement,
    RequestsFinished,
    SamplesTaken,
    ServiceChanged,
)
from llamactl.core.facts import Facts
from llamactl.core.imported import Note
from llamactl.core.instance import Backoff, Exit, Failed, Loading, Phase, Ready, Starting, Stopped, Stopping
from llamactl.core.model import ScanReport, Unusable
from llamactl.core.parts import Parts
from llamactl.core.requests import ModelRequest
from llamactl.core.sample import Disk, Gpu, Host, Sample, Served
from llamactl.core.series import Range
from llamactl.core.surroundings import Node, Surroundings
from llamactl.rpc import calls
from llamactl.rpc.calls import CALLS, Call, InstanceRow, ModelRow, ServiceRow

PROBLEM = NotFound("no such file", "llamactl models scan", retry_after=1.5).problem()
EXIT = Exit("killed by signal 9", signal=9, lines=("last", "words"))
INSTANCE = InstanceRow(
    name="qwen",
    state="failed",
    pid=42,
    age=1.5,
    load_seconds=0.25,
    memory={"host": 1 << 33, "cuda0": 5},
    leases=1,
    waiting=2,
    pinned=True,
    ttl=9.0,
    requests=3,
    restarts=2,
    next_try=1.5,
    wedged=300.0,
    problem=PROBLEM,
)
MODEL = ModelRow(
    name="qwen",
    path="/m/qwen.gguf",
    size=1 << 40,
    aliases=("q",),
    state="ready",
    parameters=1 << 33,
    modalities=("text", "image"),
)
SERVICES = [ServiceRow(name="door", state="restarting", age=2.0, restarts=3, reason="no port")]
STATUS = calls.DaemonStatus(
    version="1", pid=1, uptime=2.0, http=["http://[::1]:1"], config="/c", data="/d", log="/l", models=1,
    services=SERVICES, last_event=9, restart_for=("http.port",),
)  # fmt: skip
LOGGER = calls.LoggerSettings(
    console_level="info", file_level="debug", errors_level="warn", max_size=1 << 20, max_files=86400.0,
    file=True, console=False,
)  # fmt: skip
DETAIL = calls.ModelDetail(
    name="qwen", path="/m/qwen.gguf", size=7, aliases=("q",), state="ready", missing=True,
    facts=Facts(architecture="qwen3", heads=(1, 2)), fingerprint="ab", drafts="/m/draft.gguf",
    settings=[
        calls.SettingRow(name="ctx_size", group="model", value=8192, origin="configuration", unit="tokens"),
        calls.SettingRow(name="mmap", group="memory", value=False, origin="model"),
        calls.SettingRow(name="temperature", group="sampling", value=0.5, origin="preset"),
        calls.SettingRow(name="hf_token", group="model", value=None, origin="model"),
    ],
)  # fmt: skip
SCAN = ScanReport(
    added=("a",), changed=("b",), moved=("d",), missing=("c",), unusable=(Unusable("/x", "it is empty"),), known=4
)
PRESET = calls.PresetRow(name="fast", settings={"threads": 2, "jinja": False, "hf_token": None}, models=("qwen",))
PORTABLE = calls.Portable(
    models=[calls.PortableModel(name="a", path="/a", size=7, aliases=("b",), settings={"threads": 2}, preset="fast")],
    presets={"fast": {"threads": 2}},
    secrets={"a": ("hf_token",)},
)
TEMPLATES = calls.TemplateList(
    built_in=("chatml",), directory="/t", files=("x.jinja",), default_model="a", problem=PROBLEM,
    uses=[calls.TemplateUse(model="a", template="chatml", origin="model")],
)  # fmt: skip

FIT = calls.FitReport(
    model="qwen", source="arithmetic", context=8192, slots=4, trained=40960,
    devices=[
        calls.FitDevice(name="host", need=9, projected=Parts(weights=5, kv=3), measured=7, free=5, budget=6),
        calls.FitDevice(name="CUDA0", need=0, projected=Parts()),
    ],
    added={"ctx_size": 8192}, recommended={"ctx_size": 4096, "tensor_split": "3,1"}, evicts=("a", "b"), problem=PROBLEM,
)  # fmt: skip
DEVICE = calls.DeviceRow(name="CUDA0", description="NVIDIA", total=9, free=8, budget=7, reserved=2, models=("qwen",))
WORKER = calls.WorkerRow(
    address="127.0.0.1:50052", state="backoff", age=1.5, pid=42, restarts=2, models=("qwen",), log="/log",
    problem=PROBLEM,
)  # fmt: skip
SAMPLE = Sample(
    at=5,
    host=Host(cpu=1.5, load=(1.0, 2.0, 3.0), memory_total=9, memory_available=5, swap_total=0, swap_used=0,
              disks=(Disk(path="/", total=3, used=1, free=2),)),
    gpus=(Gpu(id="GPU-1", name="RTX", vendor="nvidia", processes={7: 5}),),
    models=(Served(model="qwen", pid=7, gpu_memory={"CUDA0": 5}, live=1.5),),
)  # fmt: skip

REQUEST = ModelRequest(
    id="r-1", at=1.5, model="qwen", endpoint="chat/completions", client="::1", key="ab", status=200,
    error="client_left", queued=0.5, loading=1.5, first=2.5, duration=3.5, prompt_tokens=7, generation_rate=40.5,
    finish="stop",
)  # fmt: skip
KEY = calls.KeyRow(id="abcd", name="editor", scopes=("infer",), models=("q*",), expires=2.5, last_used=1.5)

CONFIGURATION = calls.Configuration(
    file="/c",
    keys=[calls.ConfigRow("http.port", 8134, "8134"), calls.ConfigRow("models.directories", ["/m"], '["/m"]')],
)

WRITTEN = calls.ConfigWritten(file="/c", changed=("residency.ttl",), restart_for=("http.port",))

ANSWERS: dict[type[Call[Any]], list[object]] = {
    calls.Status: [STATUS],
    calls.ShowSurroundings: [
        Surroundings(
            uid=1,
            user="a",
            groups=("render",),
            files=1024,
            gpus=("RTX",),
            memlock=8 << 20,
            nodes=(Node("/dev/kfd", "render", False),),
        ),
        Surroundings(uid=0, user="root"),
    ],
    calls.Shutdown: [None],
    calls.Reexec: [None],
    calls.InstallUnits: [
        calls.UnitFiles(dry_run=True, units=[calls.UnitFile("/etc/x", "new")], next=["systemctl daemon-reload"])
    ],
    calls.Reload: [calls.Reloaded(), calls.Reloaded(changed=("residency.ttl",), restart_for=("http.port",))],
    calls.ShowConfig: [CONFIGURATION],
    calls.SetConfig: [WRITTEN],
    calls.ReadConfig: [
        calls.ConfigText(file="/c", text="[http]\n", revision="ab"),
        calls.ConfigText(file="/c", text=None, revision="ab"),
    ],
    calls.WriteConfig: [WRITTEN],
    calls.CheckConfig: [calls.ConfigChecked(("/c",))],
    calls.ImportConfig: [
        calls.ConfigImported(
            format="app-config.json",
            keys={"http.port": 1},
            notes=(Note("port", "taken", "http.port = 1"), Note("colour", "left", why="unknown")),
            written=WRITTEN,
        )
    ],
    calls.CheckDatabase: [
        Health(path="/d", version="2.0", current="2.0", size=1, wal_size=0, free=0, models=2),
        Health(path="/d", version=None, current="2.0", size=1, wal_size=0, free=0, models=None, problems=("torn",)),
    ],
    calls.BackupDatabase: [Copied(path="/d", file="/b", size=1)],
    calls.VacuumDatabase: [Vacuumed(path="/d", before=2, after=1, complete=False)],
    calls.Engine: [calls.EngineRow(path="/bin/x", version="1", origin="PATH"), calls.EngineRow(problem=PROBLEM)],
    calls.ListModels: [[], [MODEL]],
    calls.AddModel: [MODEL],
    calls.AddModels: [[], [MODEL]],
    calls.ShowStarter: [
        calls.StarterRow(name="s"),
        calls.StarterRow(name="s", fetching="unpacking it", done=1, total=2),
    ],
    calls.FetchStarter: [MODEL],
    calls.RemoveModel: [None],
    calls.ShowModel: [DETAIL],
    calls.SetModel: [MODEL],
    calls.RenameModel: [MODEL],
    calls.CloneModel: [MODEL],
    calls.AliasModel: [MODEL],
    calls.ShapeModel: [MODEL],
    calls.VerifyModel: [calls.Verification(name="a", sound=False, checks=[calls.Check(check="size", ok=None)])],
    calls.ModelCommand: ["llama-server --model /m/qwen.gguf"],
    calls.FitModel: [FIT],
    calls.ListDevices: [[], [DEVICE]],
    calls.ScanModels: [SCAN, ScanReport()],
    calls.ExportModels: [PORTABLE],
    calls.ImportModels: [calls.ImportReport(), calls.ImportReport(added=("a",), absent=("b",))],
    calls.ListPresets: [[], [PRESET]],
    calls.ShowPreset: [PRESET],
    calls.SavePreset: [PRESET],
    calls.SetPreset: [PRESET],
    calls.PutPresets: [[PRESET]],
    calls.ApplyPreset: [[MODEL]],
    calls.RemovePreset: [(), ("a",)],
    calls.ShowDefaults: [DETAIL.settings],
    calls.SetDefaults: [[]],
    calls.ReadLogs: [
        [],
        [calls.LogRow(model=None, time=1.5, level="warn", line="x")],
    ],
    calls.ShowLogger: [LOGGER],
    calls.SetLogger: [LOGGER],
    calls.ListTemplates: [TEMPLATES],
    calls.SetTemplates: [[MODEL]],
    calls.ListInstances: [[], [INSTANCE, InstanceRow(name="a", state="stopped")]],
    calls.StartModel: [INSTANCE],
    calls.StopModel: [INSTANCE],
    calls.RestartModel: [INSTANCE],
    calls.PinModel: [INSTANCE],
    calls.UnpinModel: [INSTANCE],
    calls.WaitModel: [INSTANCE],
    calls.PlanStart: [
        calls.Plan(name="qwen", state="stopped", need={"host": 5}, free={"host": 2}, evicts=["gemma"]),
        calls.Plan(name="qwen", state="stopped", need={"host": 5}, free={"host": 2}, problem=PROBLEM),
    ],
    calls.WhyModel: [
        calls.Explanation(instance=INSTANCE),
        calls.Explanation(
            instance=INSTANCE,
            decision="evicted for gemma",
            exits=[
                calls.ExitRow(at=1.5, state="ready", kind="signal", reason="killed", signal=9, pause=2.0),
                calls.ExitRow(at=1.0, state="stopping", kind="asked", reason="stopped", code=0, why="idle"),
            ],
            log="/log",
            lines=["last", "words"],
        ),
    ],
    calls.ListRequests: [[], [REQUEST]],
    calls.ShowRequest: [REQUEST],
    calls.ShowBodies: [calls.Bodies(asked="{}", answered="[", asked_size=2, answered_size=99)],
    calls.CancelRequest: [None],
    calls.CreateKey: [calls.NewKey(key=KEY, text="llk_abcd_secret")],
    calls.ListKeys: [[], [KEY]],
    calls.RevokeKey: [KEY],
    calls.RotateKey: [calls.NewKey(key=KEY, text="llk_abcd_secret")],
    calls.StartWorker: [WORKER],
    calls.StopWorkers: [(), ("127.0.0.1:50052",)],
    calls.ListWorkers: [[], [WORKER]],
    calls.ReadWorker: [calls.WorkerLines(["x"], "a.log:2")],
    calls.ListEvents: [[], [Numbered(7, 1.5, CatalogueChanged(added=("a",)))]],
    calls.ShowMetrics: [SAMPLE],
    calls.ShowHistory: [
        calls.History(
            start=1.0,
            end=2.5,
            step=60.0,
            interval=2.0,
            series=[
                calls.SeriesRow(kind="gpu", name="CUDA0", points=[calls.PointRow(1.0, {"usage": Range(1, 2, 3, 4)})])
            ],
        )
    ],
    calls.ExportMetrics: ["llamactl_uptime_seconds 9\n"],
    calls.Watch: [calls.Snapshot(last_event=7, instances=[INSTANCE])],
}

PHASES: list[Phase] = [
    Stopped(), Stopped(1.0, EXIT), Starting(1.0), Loading(1.0, 2), Ready(1.0, 2, 3.0),
    Stopping(1.0, None, "idle"), Failed(1.0, PROBLEM, EXIT, 9.0), Backoff(1.0, 2.0, PROBLEM, EXIT),
]  # fmt: skip
EVENTS: list[Event] = [
    *(InstanceChanged("qwen", phase) for phase in PHASES),
    Placement("qwen", "stop", "evicted for gemma: idle 40 s"),
    LogLines("qwen", "warn", 1.5, ("slow", "slower"), lost=3),
    CatalogueChanged(("a",), ("b",), ("c",), ("d",)),
    ServiceChanged("door", "down", "no port"),
    ConfigChanged(("residency.ttl",), ("http.port",)),
    InstanceDoubted("qwen", None),
    KeyMisused("k1", "revoked", "10.0.0.1", 3),
    KeyMisused("", "unknown"),
    AlertRaised("cpu_usage", 91.5, 90.0, " %"),
    AlertCleared("cpu_usage", None, 90.0, " %", 7.5),
    RequestsFinished((REQUEST,), more=3),
    SamplesTaken(SAMPLE),
]

every_call = pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))


def test_the_examples_here_are_complete() -> None:
    assert ANSWERS.keys() == set(CALLS.values())


def test_no_call_is_left_out_and_no_method_has_two() -> None:
    defined = [kind for kind in vars(calls).values() if isinstance(kind, type) and issubclass(kind, Call)]
    assert {*CALLS.values()} == {kind for kind in defined if kind is not Call}
    assert [call.method for call in CALLS.values()] == [*CALLS]


@every_call
def test_every_call_says_what_it_is_and_what_it_answers(call: type[Call[Any]]) -> None:
    assert call.__doc__
    assert "." in call.method or call is calls.Watch
    for answer in ANSWERS[call]:
        text = msgspec.json.encode(answer)
        assert msgspec.json.decode(text, type=call.answer_type()) == answer


@every_call
def test_no_call_takes_a_parameter_that_it_does_not_know(call: type[Call[Any]]) -> None:
    fields = [field for field in msgspec.structs.fields(call) if field.required]
    empty: dict[Any, object] = {tuple: [], list: [], dict: {}}
    needed = {field.name: empty.get(get_origin(field.type), "/a") for field in fields}
    msgspec.convert(needed, call)
    with pytest.raises(msgspec.ValidationError, match="unknown field `colour`"):
        msgspec.convert(needed | {"colour": "red"}, call)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_a_watcher_gets_back_what_was_published(event: Event) -> None:
    notice = Numbered(7, 1.5, event)
    assert msgspec.json.decode(msgspec.json.encode(notice), type=Numbered) == notice


def test_a_problem_in_a_row_is_a_problem_again() -> None:
    [row] = msgspec.json.decode(msgspec.json.encode([INSTANCE]), type=list[InstanceRow])
    assert isinstance(row.problem, Problem)
    assert row.problem.retry_after == 1.5
