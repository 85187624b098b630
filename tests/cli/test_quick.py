"""What is answered without loading anything: it is what the command line would have answered."""

import os
import pty
import subprocess
import sys
import termios
from collections.abc import Callable
from functools import partial

import pytest

from llamactl.cli import quick
from llamactl.core.errors import Problem, Refused
from llamactl.rpc.calls import InstanceRow
from tests.cli.conftest import Llamactl
from tests.cli.stub import FAILED, QWEN, Stub

RUN = """
import sys
from llamactl.cli import main
sys.argv = ["llamactl", *sys.argv[1:]]
try:
    main()
finally:
    sys.stdout.flush()
    sys.stderr.write("loaded " + " ".join(sys.modules))
"""
HEAVY = {"typer", "rich", "msgspec", "json", "re", "pathlib", "socket", "typing"}

ODD = InstanceRow(
    name="new/model:1+x@y",
    state="failed",
    age=1e22,
    load_seconds=1e-7,
    memory={"name": 3, "käfig\u2028": 1 << 40},
    ttl=0.1 + 0.2,
    problem=Problem("refused", 'said {"name":"not me"}\n\x7f\u00e9', 'try "this"', 1.5, 5),
)
JSON, NAME = (
    ("--json", "-o json", "-ojson", "--output json", "--output=json"),
    ("-o name", "-oname", "--output name", "--output=name"),
)
PS = [
    line
    for flag in (*JSON, *NAME)
    for verb in ("ps", "ps -a", "ps --all", "ps -aq", "-q ps", "ps --quiet")
    for line in (f"{verb} {flag}", f"{flag} {verb}")
]
PS += ["ps -qao name", "ps -aqojson", "-qo name ps -a", "-qojson ps"]
TYPED = ["--version", "-h", "--help", *(f"completion {shell}" for shell in quick.SHELLS), *PS]


def typed_quickly(*arguments: str) -> tuple[int, bytes, str, set[str]]:
    """Exit code, output, errors, and what was loaded."""
    line = [sys.executable, "-c", RUN, *arguments]
    done = subprocess.run(
        line, env=dict(os.environ), capture_output=True, timeout=60
    )  # readline may hide COLUMNS there
    said, _, loaded = done.stderr.decode().rpartition("loaded ")
    return done.returncode, done.stdout, said, {name.partition(".")[0] for name in loaded.split()}


@pytest.fixture
def rows(stub: Stub) -> Stub:
    stub.answers["instances.list"] = lambda all=False: [QWEN, FAILED, ODD][: 3 if all else 2]
    return stub


@pytest.mark.parametrize("typed", TYPED)
def test_says_the_same(llamactl: Llamactl, rows: Stub, typed: str) -> None:
    slow = llamactl(*typed.split())
    assert slow.code == 0 and slow.out and not slow.err
    assert quick._answer(tuple(typed.split())) == slow.out.encode()


@pytest.mark.parametrize(
    "typed", ["--version", "--help", "completion fish", "ps -o name", "ps --json", "-o name ps -a", "ps -aqo name"]
)
def test_loads_nothing(llamactl: Llamactl, rows: Stub, typed: str) -> None:
    slow = llamactl(*typed.split())
    code, out, err, loaded = typed_quickly(*typed.split())
    assert (code, out.decode(), err) == slow
    assert not loaded & HEAVY


def test_nothing_runs(llamactl: Llamactl, stub: Stub) -> None:
    stub.answers["instances.list"] = []
    for typed in ("ps -o name", "ps --json"):
        assert quick._answer(tuple(typed.split())) == llamactl(*typed.split()).out.encode()


def test_a_name_that_is_quoted(stub: Stub) -> None:
    stub.answers["instances.list"] = [InstanceRow(name='a"b', state="ready")]
    assert quick._answer(("ps", "-o", "name")) is None


@pytest.mark.parametrize("columns", [79, 80])
def test_help_fits_the_terminal(columns: int) -> None:
    """On a terminal, which turns each newline into two characters."""
    said = []
    for line in (["-m", "llamactl", "--help"], ["-c", "from llamactl.cli.app import run; run(['--help'])"]):
        near, far = pty.openpty()
        termios.tcsetwinsize(far, (24, columns))
        environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        subprocess.run([sys.executable, *line], stdout=far, env=environment, timeout=60, check=True)
        os.close(far)
        said.append(b"".join(iter(partial(_read, near), b"")))
        os.close(near)
    assert said[0] == said[1] and b"Usage" in said[0]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""  # nobody writes any more


def test_without_the_files(llamactl: Llamactl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "_read", lambda path: None)
    assert llamactl("--help").code == 0
    said = llamactl("completion", "fish")
    assert said.code == 4 and "for fish" in said.err


def no_daemon(stub: Stub) -> None:
    stub.path.unlink()
    os.environ["LLAMACTL_HOST"] = str(stub.path)


def refuses(stub: Stub) -> None:
    stub.answers["instances.list"] = Refused("not now", "llamactl later")


def hangs_up(stub: Stub) -> None:
    del stub.answers["instances.list"]


def on_the_network(_: Stub) -> None:
    os.environ["LLAMACTL_HOST"] = "http://127.0.0.1:9"


def nowhere(_: Stub) -> None:
    os.environ["LLAMACTL_HOST"] = "box:8134"


@pytest.mark.parametrize("fails", [no_daemon, refuses, hangs_up, on_the_network, nowhere])
def test_what_fails_is_said_as_ever(
    llamactl: Llamactl, stub: Stub, fails: Callable[[Stub], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMACTL_HOST", "")
    fails(stub)
    for typed in ("ps --json", "ps -o name"):
        assert quick._answer(tuple(typed.split())) is None
        slow = llamactl(*typed.split())
        assert slow.code not in (0, 1)
    if fails is refuses:
        code, out, err, _ = typed_quickly("ps", "-o", "name")
        assert (code, out.decode(), err) == slow


@pytest.mark.parametrize(
    "typed",
    [
        *("ps", "ps -o jsonl", "--version ps", "completion", "completion csh", "ps a -o name", "", "ps ps --json"),
        *("-a ps --json", "ps --json -o name", "ps -o", "ps - --json", "ps -axo name", "ps -ovname", "ps -vo name"),
        *("ps -- --json", "ps --output= ", "models ps --json", "-o name", "ps -qa"),
    ],
)
def test_anything_else_is_left_to_the_rest(stub: Stub, typed: str) -> None:
    assert quick._answer(tuple(typed.split())) is None


def test_the_host_that_the_environment_names(llamactl: Llamactl, rows: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMACTL_HOST", f"unix://{rows.path}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
    assert quick._answer(("ps", "-o", "name")) == b"qwen3:8b\nbroken\n"


def test_output_that_nobody_takes(rows: Stub) -> None:
    for command, code in (("--version >/dev/full", 1), ("ps --json >&-", 0)):
        line = f"{sys.executable} -m llamactl {command}"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (code, ""), command
        assert done.stderr == ("llamactl: cannot write: No space left on device\n" if code else "")
