"""What each command asks, and what it makes of the answer."""

import os
import select
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest

from llamactl.cli.session import session
from llamactl.core.errors import LoadFailed
from llamactl.core.facts import Facts
from llamactl.core.model import ScanReport
from llamactl.core.shape import Shape
from llamactl.daemon.process import PidFile
from llamactl.rpc.calls import Check, InstanceRow, ModelDetail, ServiceRow, Verification
from tests.cli.conftest import Llamactl
from tests.cli.stub import QWEN, STATUS, Stub, model

NAMES = ["qwen3:8b", "qwen3:4b", "gemma-2b", "org/phi"]


@pytest.fixture
def catalogue(stub: Stub) -> Stub:
    stub.answers["models.list"] = [model(name) for name in NAMES]
    stub.answers["instances.start"] = lambda name, wait=True: InstanceRow(name=name, state="ready", load_seconds=1.0)
    stub.answers["instances.stop"] = lambda name, drain=None: InstanceRow(name=name, state="stopped")
    return stub


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["gemma-2b"], ["gemma-2b"]),
        (["alias"], ["alias"]),  # the daemon knows
        (["qwen3:*"], ["qwen3:8b", "qwen3:4b"]),
        (["*b", "gemma-2b"], ["qwen3:8b", "qwen3:4b", "gemma-2b"]),
        (["org/*"], ["org/phi"]),
        (["qwen3:[48]b"], ["qwen3:8b", "qwen3:4b"]),
        (["*4b", "alias"], ["qwen3:4b", "alias"]),
        (["?emma*"], ["gemma-2b"]),
    ],
)
def test_globs(catalogue: Stub, llamactl: Llamactl, patterns: list[str], names: list[str]) -> None:
    assert session.models(patterns) == names
    assert llamactl("start", *patterns).code == 0
    assert [asked["name"] for method, asked in catalogue.asked if method == "instances.start"] == names


def test_a_glob_that_matches_nothing(catalogue: Stub, llamactl: Llamactl) -> None:
    said = llamactl("stop", "nothing*", "qwen3:8b")
    assert said.code == 4 and "'nothing*'" in said.err and "llamactl models ls" in said.err
    assert [method for method, _ in catalogue.asked] == ["models.list"]


def test_plain_names_ask_for_no_list(catalogue: Stub, llamactl: Llamactl) -> None:
    assert llamactl("stop", "gemma-2b").code == 0
    assert [method for method, _ in catalogue.asked] == ["instances.stop"]


def test_all(catalogue: Stub, llamactl: Llamactl) -> None:
    assert llamactl("stop", "--all", "-o", "name").out.split() == NAMES


def test_no_name(catalogue: Stub, llamactl: Llamactl) -> None:
    assert llamactl("start").code == llamactl("stop").code == 2
    assert catalogue.asked == []


def test_start_says_how_long_it_took(catalogue: Stub, llamactl: Llamactl) -> None:
    assert llamactl("start", "gemma-2b").err == "gemma-2b is ready after 1.0 s\n"
    assert llamactl("start", "gemma-2b", "-q").err == ""
    assert llamactl("start", "gemma-2b", "--json").json()["items"][0]["state"] == "ready"


def test_start_without_waiting(catalogue: Stub, llamactl: Llamactl) -> None:
    assert llamactl("start", "gemma-2b", "--no-wait").code == 0
    assert catalogue.asked == [("instances.start", {"name": "gemma-2b", "wait": False})]


@pytest.mark.parametrize(("flags", "drain"), [([], None), (["--force"], 0.0), (["--drain", "1m"], 60.0)])
def test_patience_of_a_stop(catalogue: Stub, llamactl: Llamactl, flags: list[str], drain: float | None) -> None:
    assert llamactl("stop", "gemma-2b", *flags).code == 0
    assert catalogue.asked[0][1].get("drain") == drain


@pytest.mark.parametrize(
    "command", [["stop", "a", "--drain"], ["start", "a", "--timeout"], ["daemon", "stop", "--timeout"]]
)
def test_durations(catalogue: Stub, llamactl: Llamactl, command: list[str]) -> None:
    said = llamactl(*command, "soon")
    assert said.code == 2 and "'soon'" in said.err


def test_partly_done(catalogue: Stub, llamactl: Llamactl) -> None:
    def start(name: str, wait: bool = True) -> InstanceRow:
        if name != "qwen3:8b":
            raise LoadFailed(f"{name} is corrupt", "llamactl logs")
        return QWEN

    catalogue.answers["instances.start"] = start
    said = llamactl("start", "gemma-2b", "qwen3:8b")
    assert said.code == 10
    assert said.err == "llamactl: gemma-2b is corrupt\n  try: llamactl logs\nqwen3:8b is ready\n"
    json = llamactl("start", "gemma-2b", "qwen3:8b", "--json")
    assert json.code == 10 and len(json.json()["items"]) == 1 and "is corrupt" not in json.err
    error = {"code": "partly_done", "message": "gemma-2b is corrupt", "hint": "llamactl logs", "exit": 10}
    assert json.json()["error"] == error
    lines = llamactl("start", "gemma-2b", "qwen3:8b", "-o", "jsonl").out.splitlines()
    assert [*map(msgspec.json.decode, lines)][1] == {"error": error}
    none = llamactl("start", "gemma-2b", "org/phi", "--json")
    assert none.code == 1 and none.json()["error"]["message"] == "gemma-2b is corrupt; org/phi is corrupt"
    assert llamactl("start", "gemma-2b", "org/phi").code == 1
    assert llamactl("start", "gemma-2b").code == 1


def test_start_that_takes_too_long(catalogue: Stub, llamactl: Llamactl) -> None:
    catalogue.answers["instances.start"] = lambda **_: time.sleep(0.3)
    said = llamactl("start", "gemma-2b", "--timeout", "50ms")
    assert said.code == 8 and "goes on loading" in said.err


@pytest.mark.parametrize("alias", [("load", "a"), ("unload", "a"), ("models", "list"), ("models", "remove", "a")])
def test_aliases(catalogue: Stub, llamactl: Llamactl, alias: tuple[str, ...]) -> None:
    catalogue.answers["models.remove"] = None
    assert llamactl(*alias).code == 0


def test_add(stub: Stub, llamactl: Llamactl, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.answers["models.add"] = lambda path, name=None: model(name or "made-up")
    monkeypatch.chdir(home)
    assert "llamactl start made-up" in llamactl("models", "add", "x.gguf").err
    assert llamactl("models", "add", "~/x.gguf", "--name", "n", "-o", "name").out == "n\n"
    assert [asked["path"] for _, asked in stub.asked] == [f"{home}/x.gguf", f"{home}/x.gguf"]
    stub.answers["models.add_all"] = lambda files: [model(Path(file["path"]).stem) for file in files]
    assert llamactl("models", "add", "x.gguf", "~/y.gguf", "-o", "name").out == "x\ny\n"
    assert stub.asked[2][1] == {"files": [{"path": f"{home}/x.gguf"}, {"path": f"{home}/y.gguf"}]}
    refused = llamactl("models", "add", "x.gguf", "y.gguf", "--name", "n")
    assert refused.code == 2 and "--name is for one file" in refused.err and len(stub.asked) == 3


def test_scan(stub: Stub, llamactl: Llamactl) -> None:
    stub.answers["models.scan"] = ScanReport(added=("a", "b"), moved=("d",), missing=("c",), known=5)
    said = llamactl("models", "scan", "/models", "~/more")
    assert said.out == "+ a\n+ b\n> d\n- c\n"
    assert said.err == "2 new, 0 changed, 1 moved, 1 missing, 0 not usable, 5 known\n"
    assert stub.asked[0][1]["directories"][0] == "/models"
    assert llamactl("models", "scan", "--json").json()["added"] == ["a", "b"]


def test_other_names_of_a_model(stub: Stub, llamactl: Llamactl) -> None:
    stub.answers["models.alias"] = lambda name, add=(), remove=(): model(name, aliases=tuple(add))
    assert "a also goes by b/c:1, d" in llamactl("models", "alias", "a", "b/c:1", "d").err
    assert "a has no alias" in llamactl("models", "alias", "a", "b", "--rm").err
    assert [asked for _, asked in stub.asked] == [{"name": "a", "add": ["b/c:1", "d"]}, {"name": "a", "remove": ["b"]}]


def test_variants(stub: Stub, llamactl: Llamactl) -> None:
    shapes = {"": Shape(strip=("seed",)), "fast": Shape({"temperature": 0.2, "stop": ["x"]}), "plain": Shape()}
    stub.answers["models.list"] = [model("a"), model("b")]
    stub.answers["models.show"] = lambda name: ModelDetail(
        name=name, path="/a", size=7, aliases=(), state="stopped", settings=[], shapes=shapes if name == "a" else {}
    )
    lines = [line.split() for line in llamactl("models", "variants", "ls").out.splitlines()]
    assert ["a", "seed"] in lines
    assert ["a:fast", "temperature=0.2", 'stop=["x"]'] in lines
    [_, fast, _] = llamactl("models", "variants", "ls", "a", "--json").json()["items"]
    assert fast == {"name": "a:fast", "model": "a", "set": {"temperature": 0.2, "stop": ["x"]}, "strip": []}
    assert "variants set NAME:fast" in llamactl("models", "variants", "list", "b").err


def test_changing_variants(stub: Stub, llamactl: Llamactl) -> None:
    stub.answers["models.shape"] = model("a", variants=("fast",))
    fast = ("models", "variants", "set", "a:fast")
    assert llamactl(*fast, "temperature=0.2", 'stop=["x"]', "mode=no json", "--strip", "seed").code == 0
    assert llamactl("models", "variants", "unset", "a:fast", "mode", "seed").code == 0
    assert "a has no shape" in llamactl("models", "variants", "rm", "a").err
    assert llamactl(*fast, "temperature").code == 2
    assert [asked for _, asked in stub.asked] == [
        {"name": "a:fast", "set": {"temperature": 0.2, "stop": ["x"], "mode": "no json"}, "strip": ["seed"]},
        {"name": "a:fast", "unset": ["mode", "seed"]},
        {"name": "a", "remove": True},
    ]


def test_verifying_fails_if_one_is_not_sound(catalogue: Stub, llamactl: Llamactl) -> None:
    checks = {"gemma-2b": True, "qwen3:8b": False, "qwen3:4b": None}
    catalogue.answers["models.verify"] = lambda name, deep=False: Verification(
        name=name, sound=checks[name] is not False, checks=[Check(check="size", ok=checks[name], detail="7 bytes")]
    )
    assert llamactl("models", "verify", "gemma-2b", "qwen3:4b").code == 0
    said = llamactl("models", "verify", "gemma-2b", "qwen3*", "--deep")
    assert said.code == 1 and "qwen3:8b  size   no   7 bytes" in said.out
    assert [asked["deep"] for _, asked in catalogue.asked if "deep" in asked] == [True, True, True]
    said = llamactl("models", "verify", "qwen3:8b", "--json")
    assert said.code == 1 and said.json()["items"][0]["checks"][0]["ok"] is False


def test_what_is_known_of_models_is_shown(stub: Stub, llamactl: Llamactl) -> None:
    about = {"parameters": 8_190_000_000, "quantisation": "Q4_K_M", "context_length": 40960}
    stub.answers["models.list"] = [model("a", **about), model("gone", missing=True)]
    titles, first, second = llamactl("models", "ls").out.splitlines()
    assert titles.split() == ["NAME", "SIZE", "PARAMETERS", "QUANTISATION", "CONTEXT", "STATE"]
    assert first.split() == ["a", "1", "GiB", "8.19B", "Q4_K_M", "40960", "stopped"]
    assert second.split() == ["gone", "1", "GiB", "missing"]
    facts = Facts(architecture="qwen3", layers=36, heads=(32,), kv_heads=(8, 8, 4), licence="apache-2.0")
    stub.answers["models.show"] = ModelDetail(
        name="a", path="/a.gguf", size=7, aliases=(), state="stopped", settings=[], facts=facts
    )
    said = llamactl("models", "show", "a").out
    for line in ("architecture  qwen3", "heads         32, 4 to 8 for keys and values", "licence       apache-2.0"):
        assert line in said
    assert llamactl("models", "show", "a", "--json").json()["facts"]["kv_heads"] == [8, 8, 4]


def test_daemon_status(stub: Stub, llamactl: Llamactl) -> None:
    said = llamactl("daemon", "status")
    assert said.code == 0
    assert said.out.splitlines()[0] == "llamactl 0.0.stub, pid 4711, up 1h01m, on http://127.0.0.1:1"
    down = ServiceRow(name="web", state="restarting", age=1.0, restarts=2, reason="it broke")
    stub.answers["daemon.status"] = msgspec.structs.replace(STATUS, services=[down])
    said = llamactl("daemon", "status")
    assert said.code == 3 and "it broke" in said.out
    assert llamactl("daemon", "status", "--json").json()["services"][0]["restarts"] == 2


def test_no_daemon_to_ask_about(llamactl: Llamactl) -> None:
    assert llamactl("daemon", "status").code == 3
    assert llamactl("daemon", "status", "--json").json()["error"]["exit"] == 3
    assert llamactl("daemon", "stop").code == 0
    assert llamactl("daemon", "stop", "--timeout", "10s").code == 0
    assert llamactl("daemon", "stop", "--json").json() == {"schema": "llamactl.daemon-stop/v1", "ran": False}


def test_a_daemon_that_runs_is_not_started_again(stub: Stub, llamactl: Llamactl) -> None:
    assert "already running (pid 4711)" in llamactl("daemon", "start").err
    assert llamactl("daemon", "start", "--json").json()["pid"] == 4711


def test_a_daemon_elsewhere_is_not_started(llamactl: Llamactl, home: Path) -> None:
    assert llamactl("daemon", "start", "-H", f"unix://{home}/none.sock").code == 5


def test_stop_waits_for_the_process(stub: Stub, llamactl: Llamactl) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        stub.answers["daemon.status"] = msgspec.structs.replace(STATUS, pid=other.pid)
        said = llamactl("daemon", "stop", "--timeout", "0.05")
        assert said.code == 8 and f"kill {other.pid}" in said.err
        stub.answers["daemon.stop"] = lambda: other.kill()
        said = llamactl("daemon", "stop")
        assert said.code == 0 and said.err == "the daemon has stopped\n"


def test_a_daemon_that_goes_away(stub: Stub, llamactl: Llamactl) -> None:
    stub.answers.clear()
    said = llamactl("ps")
    assert said.code == 7 and "went away" in said.err


def test_logs(llamactl: Llamactl, home: Path) -> None:
    directory = home / "state_home/llamactl/log/models/qwen3%3A8b"
    directory.mkdir(parents=True)
    (directory / "20260101T000000-000000001.log").write_text("old\n")
    (directory / "20260102T000000-000000001.log").write_text("".join(f"line {number}\n" for number in range(100)))
    assert llamactl("logs", "qwen3:8b").out.splitlines() == [f"line {number}" for number in range(50, 100)]
    assert llamactl("logs", "qwen3:8b", "-n", "1").out == "line 99\n"
    assert llamactl("logs", "qwen3:8b", "-n", "0").out == ""
    assert llamactl("logs", "qwen3:8b", "--previous").out == "old\n"
    assert llamactl("logs", "qwen3:8b", "-n1", "--json").json() == {
        "schema": "llamactl.log/v1",
        "model": "qwen3:8b",
        "time": "2026-01-02T00:00:00.000Z",
        "level": "info",
        "line": "line 99",
    }
    assert llamactl("logs", "other").code == 4


def test_logs_of_the_daemon_that_answers(stub: Stub, llamactl: Llamactl, home: Path) -> None:
    """The system's daemon keeps them elsewhere than this user's would."""
    runs = home / "var" / "models" / "a"
    runs.mkdir(parents=True)
    (runs / "1.log").write_text("from there\n")
    assert llamactl("logs", "a").code == 4
    stub.answers["daemon.status"] = msgspec.structs.replace(STATUS, log=str(home / "var"))
    assert llamactl("logs", "a").out == "from there\n"


def test_logs_are_followed_into_the_next_run(home: Path) -> None:
    runs = home / "state_home/llamactl/log/models/a"
    runs.mkdir(parents=True)
    (runs / "1.log").write_text("old\n")
    command = [sys.executable, "-m", "llamactl", "logs", "a", "-n", "0", "-f"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            with (runs / "1.log").open("a", buffering=1) as log:
                while not select.select([process.stdout], [], [], 0.05)[0]:
                    log.write("new\n")  # until it looks
                assert process.stdout.readline() == b"new\n"
                log.write("last\n")
            (runs / "2.log").write_text("next run\n")
            said = list(iter(process.stdout.readline, b"next run\n"))
        finally:
            process.kill()
    assert set(said[:-1]) <= {b"new\n"} and said[-1] == b"last\n"


def test_what_the_system_service_left_is_looked_at_by_root(
    home: Path, llamactl: Llamactl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is not root is told that it was not."""
    own, system = home / "runtime_dir" / "llamactl", home / "system"
    assert llamactl("daemon", "stop", "--left-behind").err == f"nothing was left running by a daemon of {own}\n"
    (system / "sockets").mkdir(parents=True)
    monkeypatch.setattr(os, "geteuid", lambda: 1)
    said = llamactl("daemon", "stop", "--left-behind").err.splitlines()
    assert said[0] == f"nothing was left running by a daemon of {own}" and "sudo llamactl daemon stop" in said[1]
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    if os.getuid() != 0:
        monkeypatch.setattr("llamactl.daemon.leftovers._as_owner", lambda directory: nullcontext())
    said = llamactl("daemon", "stop", "--left-behind").err.splitlines()
    assert said == [f"nothing was left running by a daemon of {own} and {system}"]
    with PidFile(system / "llamactl.pid"):
        refused = llamactl("daemon", "stop", "--left-behind")
    assert refused.code == 5 and f"a daemon is already running (pid {os.getpid()})" in refused.err
