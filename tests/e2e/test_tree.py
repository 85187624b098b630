"""Every command, typed against one daemon: over its socket and over HTTP, in every output; and every exit code.

What a command prints as JSON has the shape that is written down in `llamactl/cli/schemas/`, from where the manual has
it. After a change that is meant: `RENEW_SCHEMAS=1 python -m pytest tests/e2e/test_tree.py` writes them, and `python
-m llamactl.cli.documents` the manual; look at what changed before it is committed: within a version of a schema
fields are added, and nothing else.
"""

import ast
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import psutil
import pytest

from llamactl.catalogue.starter import NAME
from llamactl.cli.documents import ROOT
from llamactl.cli.documents.tree import read_tree
from llamactl.core.errors import LoadFailed, NotRunning
from llamactl.core.finding import PutDown, Remove, SetMode, ok, problem, warning
from llamactl.rpc.calls import AddModel, ShowMetrics, StartModel
from llamactl.rpc.remote import Remote
from tests.e2e.running import PATIENCE, Daemon, Home, until
from tests.e2e.shapes import Shape, differences, shape
from tests.e2e.typed import Said, typed
from tests.engines import FAKE

SCHEMAS = ROOT / "llamactl/cli/schemas"
RENEW = bool(os.environ.get("RENEW_SCHEMAS")) and not os.environ.get("CI")

SCENARIO = """
version
daemon status
daemon start
daemon reload
daemon log-level
status
ps -a
start alpha --dry-run
start alpha
wait alpha --for idle
pin alpha
unpin alpha
restart alpha --force
restart alpha --no-wait --drain 0
wait alpha
chat alpha hello
devices
fit alpha
why alpha
logs alpha
logs
models ls
models show alpha
models verify alpha
models command alpha
models set alpha ctx_size=4096
models show alpha
models unset alpha ctx_size
models alias alpha a
models alias alpha a --rm
models clone alpha gamma
models rename gamma delta
models variants set delta:fast temperature=0.2 --strip seed
models variants ls
models variants unset delta:fast temperature
models variants rm delta:fast
models defaults set threads_http=4
models defaults show
models defaults unset threads_http
models rm delta --yes
models add {place}/extra.gguf
models scan {place}/more
models export > {place}/exported.json
models import {place}/exported.json --dry-run
models import {place}/exported.json
models rm extra found --yes
presets set fast threads=2
presets save slow --from alpha
presets ls
presets show fast
presets apply fast alpha
presets unapply alpha
presets unset fast threads
presets export > {place}/presets.json
presets rm fast
presets rm slow
presets import {place}/presets.json
presets rm fast
presets rm slow
templates ls
templates unset alpha
templates default
requests ls
requests show {request}
events -n 100
metrics show
metrics history --since 1m
metrics export --format json --since 1m
keys create ci --scope observe
keys ls
keys rotate ci
keys revoke ci
rpc start 127.0.0.1:{port}
rpc ls
rpc logs 127.0.0.1:{port}
rpc stop
requests cancel {running}
stop endless --force
stop alpha --dry-run
stop alpha --no-wait
wait alpha --for stopped
stop alpha
start alpha --no-wait
stop alpha --force
start broken
why broken
config show
config get residency.ttl
config set residency.ttl 20m
config unset residency.ttl
templates default alpha
templates default --none
db check
db backup {place}/copy.db --force
db vacuum
config path
config validate
config validate {place}/ours.toml
config import {place}/llama-server-config.json --dry-run
config import {place}/llama-server-config.json
quickstart --model {place}/alpha.gguf
stop alpha
daemon install-unit --user
rpc logs 127.0.0.1:1
api --list
llamactl
"""

ALONE = """
doctor
daemon stop
daemon stop --left-behind
"""
"""What is about this machine, typed where no daemon runs."""

LOOKS = {"api", "doctor"} | {"ps", "devices", "status", "version", "why", "fit", "logs", "events"}
LOOKS |= {f"models {verb}" for verb in ("ls", "show", "verify", "command", "variants ls", "defaults show")}
LOOKS |= {f"{noun} ls" for noun in ("presets", "templates", "requests", "keys", "rpc")}
LOOKS |= {"presets show", "requests show", "metrics show", "metrics history", "config show", "config get", "db check"}
LOOKS |= {"daemon status", "daemon log-level", "start --dry-run", "stop --dry-run"}
"""What may be asked again in other outputs."""

FAILS = {"start broken": 1, "doctor": 1, "rpc logs 127.0.0.1:1": 4}
ELSEWHERE = {
    "completion": "prints a script",
    "config edit": "test_config",
    "daemon reexec": "prints what daemon status does",
    "daemon restart": "prints what daemon status does",
    "daemon run": "is the daemon",
    "metrics dashboard": "prints JSON that is Grafana's",
    "templates set": "needs an engine that takes templates",
    "top": "draws, and prints nothing",
}


FINDINGS = [
    ok("daemon", "it runs"),
    warning("memlock-low", "little", "a limit", "ulimit -l unlimited", SetMode("/x", 0o600)),
    problem("socket-stale", "it is left", "a crash", "rm /x", Remove("/x")),
    problem("orphan-running", "it runs", repair=PutDown("/x")),
]
"""What doctor may find, on whatever machine: of its own, one sees a part."""

WORKER = """\
#!{python} -IS
import socket, sys
if "--help" not in sys.argv:
    print("listening", flush=True)
    listener = socket.create_server((sys.argv[2], int(sys.argv[4])))
    while True:
        listener.accept()
"""

QUIET = {"alerts_cpu": "0", "alerts_memory": "0", "alerts_disk": "0"}
"""Whether there are alerts depends on what else the machine does."""


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with tempfile.TemporaryDirectory(prefix="ll") as place:
        home = Home(Path(place))
        for name, script in (("llama-server", f'#!/bin/sh\nexec {FAKE} "$@"\n'), ("ggml-rpc-server", WORKER)):
            (home.place / name).write_text(script.format(python=sys.executable))
            (home.place / name).chmod(0o755)
        engine = {"llama_server_path": str(home.place / "llama-server")}
        home.env["PIP_INDEX_URL"] = "http://127.0.0.1:9/simple"
        daemon = Daemon(home, metrics_interval="0.5s", **QUIET, residency_memory="8GiB", **engine).wait_until_up()
        home.add("alpha")
        home.add("endless", tokens=10_000, token_interval=0.02)
        home.add("broken", crash_at="start", error_lines=["error: it is broken"])
        home.model("extra")
        with home.model("huge").open("ab") as file:
            file.truncate(1 << 40)  # of which nothing is on the disk
        home.tell(AddModel(str(home.place / "huge.gguf"), "huge"))
        (home.place / "more").mkdir()
        home.model("found").rename(home.place / "more" / "found.gguf")
        (home.place / "data/llamactl/templates").mkdir()
        (home.place / "data/llamactl/templates/t.jinja").write_text("{{ messages }}")
        (home.place / "llama-server-config.json").write_text('{"port": 0}')
        (home.place / "ours.toml").write_text("[residency]\nttl = '5m'\n")
        with pytest.raises(LoadFailed):
            home.tell(StartModel("broken"))
        home.env["KEY"] = typed(home, "keys", "create", "all", "--scope", "admin", "--json").json()["text"]
        yield daemon
        daemon.end()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


# --- schemas -------------------------------------------------------------------------------------

COMMANDS = {" ".join(command.words) for command in read_tree().leaves()}


def the_command(words: list[str]) -> str:
    """Which one it is; one that only tells what would be done prints something else, and counts as another."""
    found = next(" ".join(words[:end]) for end in (3, 2, 1) if " ".join(words[:end]) in COMMANDS)
    return found + " --dry-run" * ("--dry-run" in words)


def lines(daemon: Daemon, text: str) -> Iterator[tuple[list[str], Path | None]]:
    """The words of each, and where its output goes."""
    place, port = daemon.home.place, free_port()
    for line in text.split("\n")[1:-1]:
        request = typed(daemon.home, "requests", "-n", "1", "-o", "name").out.strip() if "{request}" in line else ""
        with ExitStack() as stack:
            running = ""
            if "{running}" in line:
                stream = stack.enter_context(daemon.stream("endless", daemon.home.env["KEY"]))
                running = stream.headers["X-Request-Id"]
            words, _, file = line.format(place=place, port=port, request=request, running=running).partition(" > ")
            yield shlex.split(words), Path(file) if file else None


class Printed:
    """What was printed of each schema, and by which commands."""

    def __init__(self) -> None:
        self.documents: dict[str, list[Any]] = {}
        self.commands: dict[str, set[str]] = {}

    def take(self, command: str, said: Said) -> None:
        """The lines of what goes on are an object each."""
        for line in said.out.splitlines():
            document = json.loads(line)
            schema = document.pop("schema")
            self.commands.setdefault(schema, set()).add(command)
            self.documents.setdefault(schema, []).append(document)

    @property
    def fields(self) -> dict[str, Shape]:
        return {schema: shape(documents) for schema, documents in self.documents.items()}

    def differences(self) -> list[str]:
        """From what is written down."""
        found = []
        for schema, fields in self.fields.items():
            was = json.loads(file.read_text()) if (file := file_of(schema)).exists() else {"fields": {}}
            known = {path: set(types.split("|")) for path, types in was["fields"].items()}
            found += [f"{schema}: {each}" for each in differences(fields, known)]
            if was.get("commands") != sorted(self.commands[schema]):
                found.append(f"{schema}: printed by {sorted(self.commands[schema])}")
        files = {file.name for file in SCHEMAS.iterdir()}
        return found + [f"{name} of no command" for name in files - {file_of(schema).name for schema in self.fields}]

    def write(self) -> None:
        """What was seen before stays, as not every run sees each null; what is no more is taken out by hand."""
        SCHEMAS.mkdir(exist_ok=True)
        for schema, fields in self.fields.items():
            was = json.loads(file.read_text())["fields"] if (file := file_of(schema)).exists() else {}
            merged = {path: set(types.split("|")) for path, types in was.items()}
            for path, types in fields.items():
                merged.setdefault(path, set()).update(types)
            told = {path: "|".join(sorted(types)) for path, types in sorted(merged.items())}
            document = {"schema": schema, "commands": sorted(self.commands[schema]), "fields": told}
            file.write_text(json.dumps(document, indent=1) + "\n")


def file_of(schema: str) -> Path:
    return SCHEMAS / f"{schema.removeprefix('llamactl.').replace('/', '.')}.json"


def type_all(daemon: Daemon, printed: Printed) -> list[str]:
    """What went wrong."""
    key = {"LLAMACTL_API_KEY": daemon.home.env["KEY"]}
    away = ("-H", daemon.url)
    wrong: list[str] = []
    alone = {"XDG_RUNTIME_DIR": "/nowhere", **key}
    for flags, env, text in (((), key, SCENARIO), (away, alone, SCENARIO), ((), alone, ALONE)):
        for words, file in lines(daemon, text):
            bare = words == ["llamactl"]
            command = "llamactl" if bare else the_command(words)
            expected = FAILS.get(" ".join(words), 0)
            said = typed(daemon.home, *flags, *([] if bare else words), "-o", "json", **env)
            if said.code != expected:
                wrong.append(f"{words}: {said}")
            elif '"schema"' in said.out:
                printed.take(command, said)
            if file is not None:
                file.write_text(said.out)
            if command in LOOKS and not flags:
                in_lines = typed(daemon.home, *words, "-o", "jsonl", **env)
                printed.take(command, in_lines)
                for output in ("table", "wide", "name"):
                    other = typed(daemon.home, "--output", output, *words, **env)
                    if (
                        {other.code, in_lines.code} != {expected}
                        or '{"schema"' in other.out
                        or "Traceback" in other.err
                    ):
                        wrong.append(f"{output}: {words}: {other}")
    return wrong


def test_every_command_prints_what_is_written_down(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llamactl.doctor.examine.examine", lambda case: FINDINGS)
    monkeypatch.setattr("llamactl.config.sockets.SYSTEM", "/nowhere")  # whose daemon is not to be stopped

    def measured() -> bool:
        try:
            return daemon.home.tell(ShowMetrics()).host.cpu is not None
        except NotRunning:
            return False

    until(measured)
    wrong: list[str] = []
    printed = Printed()
    # One that stays connected: else each would wait until what happened before is kept, which takes a second of many.
    with Remote(daemon.url, key=daemon.home.env["KEY"]):
        wrong += type_all(daemon, printed)
    if RENEW:
        printed.write()
    assert "\n".join(wrong + printed.differences()) == ""


def test_every_command_is_among_them() -> None:
    typed_here = {the_command(line.split()) for line in (SCENARIO + ALONE).split("\n") if line not in ("", "llamactl")}
    assert COMMANDS - typed_here <= ELSEWHERE.keys()


def kinds(argument: ast.expr | None) -> set[str]:
    """What a call of `render` may name as the kind of a document."""
    nodes = [] if argument is None else ast.walk(argument)
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_document_that_may_be_printed_is_written_down() -> None:
    trees = [ast.parse(path.read_text()) for path in (ROOT / "llamactl/cli").rglob("*.py") if path.name != "render.py"]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    shows = [
        node
        for node in calls
        if isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "render"
        and node.func.attr in ("data", "for_program", "rows", "schema")
    ]
    assert [ast.unparse(node) for node in shows if not kinds(node.args[0])] == [], "its kind is to be read off it"
    written = {file.name.removesuffix(".v1.json") for file in SCHEMAS.iterdir()}
    assert {kind for node in shows for kind in kinds(node.args[0])} == written


# --- exit codes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (0, "ps"),
        (1, "start broken"),
        (2, "ps --nonsense"),
        (2, "set"),
        (3, "wait broken"),
        (4, "why nobody"),
        (5, "models rm alpha --no-input"),
        (6, "-H {url} ps"),
        (7, "-H http://127.0.0.1:1 ps"),
        (8, "wait alpha --for failed --timeout 0.05"),
        (9, "start huge"),
        (10, "stop alpha nobody -q"),
    ],
)
def test_exit_codes(daemon: Daemon, code: int, line: str) -> None:
    """The same in text and as JSON, wherever the flag stands."""
    words = line.format(url=daemon.url).split()
    text, before, after = (
        typed(daemon.home, *with_flag) for with_flag in (words, ["--json", *words], [*words, "-ojson"])
    )
    assert text.code == before.code == after.code == code, (text, before)
    if code:
        error = after.json()["error"]
        assert error.keys() == {"code", "message", "hint", "exit"} and error["exit"] == code and error["hint"]
        assert before.json()["error"]["code"] == error["code"]
        assert text.out == "" and error["message"] in text.err.replace("Error: ", "") and after.err == ""


def interrupted(daemon: Daemon, waiting: int, *words: str) -> tuple[int, str, str]:
    """What is said by a command that Ctrl-C reaches once so many wait for the model."""
    with subprocess.Popen(
        [sys.executable, "-m", "llamactl", *words],
        env=daemon.home.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until(lambda: psutil.Process(process.pid).net_connections("unix"))
        until(lambda: next(row.waiting for row in daemon.home.instances() if row.name == "slow") >= waiting)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def test_ctrl_c_detaches_and_says_so(daemon: Daemon) -> None:
    daemon.home.add("slow", load_seconds=60.0)
    code, out, err = interrupted(daemon, 1, "start", "slow")
    assert (code, out) == (130, "")
    assert err == "llamactl: not waiting any longer; slow goes on loading\n  try: llamactl ps\n"
    until(lambda: daemon.state("slow") == "loading")
    code, out, err = interrupted(daemon, 2, "start", "slow", "--json")
    assert (code, err, json.loads(out)["error"]["exit"]) == (130, "", 130)
    code, out, err = interrupted(daemon, 2, "wait", "slow", "-q")
    assert (code, out, err) == (130, "", "")
    assert typed(daemon.home, "stop", "slow", "--force").code == 0
    typed(daemon.home, "models", "rm", "slow", "--yes")


# --- what goes on, over HTTP ---------------------------------------------------------------------


@contextmanager
def following(daemon: Daemon, *words: str) -> Iterator[IO[str]]:
    """What a command that goes on writes; Ctrl-C ends it without a word."""
    with subprocess.Popen(
        [sys.executable, "-m", "llamactl", "-H", daemon.url, *words],
        env={**daemon.home.env, "LLAMACTL_API_KEY": daemon.home.env["KEY"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout and process.stderr
        try:
            yield process.stdout
            process.send_signal(signal.SIGINT)
            assert (process.wait(PATIENCE), process.stderr.read()) == (130, "")
        finally:
            process.kill()


def test_what_goes_on_is_followed_from_elsewhere(daemon: Daemon) -> None:
    home, key = daemon.home, {"LLAMACTL_API_KEY": daemon.home.env["KEY"]}
    typed(home, "models", "alias", "alpha", "al")
    assert typed(home, "start", "al").code == 0
    asked = typed(home, "chat", "al", "hello", "-q", **key)
    assert asked.code == 0, asked
    with (
        following(daemon, "logs", "al", "-f", "-n", "1") as lines,
        following(daemon, "logs", "-f", "-n", "1", "-o", "jsonl") as own,
        following(daemon, "requests", "-f", "--model", "al", "-n", "1", "-o", "jsonl") as requests,
    ):
        first = lines.readline()
        assert "listening" in first and json.loads(own.readline())["model"] is None
        before = json.loads(requests.readline())
        assert before["model"] == "alpha"
        typed(home, "chat", "alpha", "again", **key)
        after = json.loads(requests.readline())
        assert (after["model"], after["id"] != before["id"]) == ("alpha", True)
        typed(home, "restart", "alpha", "--force")
        following_lines = iter(lines.readline, "")
        assert any("listening" in line and line != first for line in following_lines), "of the next run"
    local, away = (typed(home, *flags, "logs", "al", "-n", "2", **key) for flags in ((), ("-H", daemon.url)))
    assert local == away and local.out.count("\n") == 2
    here, away = (typed(home, *flags, "logs", "al", "--previous", **key) for flags in ((), ("-H", daemon.url)))
    assert here == away and here.out and here.out != local.out
    assert typed(home, "-H", daemon.url, "logs", "nobody", **key).code == 4
    assert typed(home, "-H", daemon.url, "models", "add", "here.gguf", **key).code == 2
    typed(home, "stop", "alpha")


def test_the_configuration_is_edited_from_elsewhere(daemon: Daemon, tmp_path: Path) -> None:
    home = daemon.home
    file = Path(typed(home, "config", "path").out.strip())
    file.parent.mkdir(parents=True, exist_ok=True)
    found, begun = (
        file.read_text() if file.exists() else "",
        "[alerts]\nwebhook = 'http://127.0.0.1:9/hunter2' # mine\n",
    )
    file.write_text(begun)
    editor = tmp_path / "editor"
    editor.touch(0o755)
    env = {"LLAMACTL_API_KEY": home.env["KEY"], "VISUAL": str(editor), "TMPDIR": str(tmp_path)}
    tempfile.tempdir = None  # it is asked for once, and kept

    def edit(*script: str) -> Said:
        editor.write_text("\n".join(["#!/bin/sh", "set -e", 'test "$(stat -c %a "$1")" = 600', *script, ""]))
        return typed(home, "-H", daemon.url, "config", "edit", **env)

    def left() -> list[Path]:
        return list(tmp_path.glob("llamactl-*.toml"))

    try:
        said = edit('! grep hunter2 "$1"', 'printf "[residency]\\nmax_models = 9\\n" >> "$1"')
        assert (said.code, left()) == (0, []) and "changed residency.max_models in" in said.err
        after = f"{begun}[residency]\nmax_models = 9\n"
        assert file.read_text() == after
        assert typed(home, "-H", daemon.url, "config", "get", "residency.max_models", **env).out == "9\n"
        assert edit("true").err.endswith("nothing was changed\n") and left() == []
        said = edit(f"echo '# other' >> '{file}'", 'echo "# mine" >> "$1"')
        (kept,) = left()
        assert said.code == 5 and f"your edit is kept: {kept}" in said.err and kept.stat().st_mode & 0o777 == 0o600
        assert file.read_text() == f"{after}# other\n" and kept.read_text().endswith("# mine\n")
        kept.unlink()
        said = edit('echo "[http]" >> "$1"', 'echo "prot = 1" >> "$1"')
        (kept,) = left()
        assert said.code == 2 and f"{kept}, line " in said.err and "unknown key http.prot" in said.err
        for command in ("edit", "validate", f"import {home.place}/llama-server-config.json"):
            assert typed(home, "-H", daemon.url, "config", *command.split(), VISUAL=str(editor)).code == 6
    finally:
        file.write_text(found)
        tempfile.tempdir = None


def test_what_is_wrong_is_said_as_it_is_here(daemon: Daemon, tmp_path: Path) -> None:
    home, away = daemon.home, ("-H", daemon.url)
    env = {"LLAMACTL_API_KEY": home.env["KEY"]}
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[http]\nprot = 1\nport = 'x'\n[nothing]\n")
    for words in (
        ("config", "validate", str(wrong)),
        ("config", "validate", str(wrong), "--json"),
        ("config", "import", str(wrong)),
        ("config", "import", str(tmp_path / "none.json")),
    ):
        assert typed(home, *away, *words, **env) == typed(home, *words)
    said = typed(home, *away, "config", "get", "residency.tll", **env)
    assert said.code == 2 and "did you mean residency.ttl?" in said.err
    said = typed(home, *away, "quickstart", **env)
    assert said.code == 1 and "cannot reach the package index http://127.0.0.1:9/" in said.err
    for flags in ((), away):  # what somebody calls so is used
        typed(home, "models", "alias", "alpha", NAME)
        said = typed(home, *flags, "quickstart", **env)
        typed(home, "models", "alias", "alpha", NAME, "--rm")
        assert said.code == 0 and f"{NAME} is ready" in said.err and said.out
    typed(home, "stop", "alpha")
    assert typed(home, *away, "quickstart", "--model", "here.gguf", **env).code == 2
    said = typed(home, "-H", "http://127.0.0.1:1", "quickstart")
    assert said.code == 7 and "on that machine: llamactl daemon start" in said.err


def test_what_a_worker_writes_is_followed_from_elsewhere(daemon: Daemon) -> None:
    run = daemon.home.place / "state/llamactl/log/workers/127.0.0.1%3A9/20260101T000000-000000000.log"
    run.parent.mkdir(parents=True)
    run.write_text("one\ntwo\n")
    with following(daemon, "rpc", "logs", ":9", "-f", "-n", "1") as lines:
        assert lines.readline() == "two\n"
        with run.open("a") as file:
            file.write("three\n")
        assert lines.readline() == "three\n"
