"""The edge of the command line: global flags, help, exit codes, errors in text and JSON."""

import ast
import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from llamactl.cli import app
from llamactl.cli.app import _OWN, _PLAIN, _VALUED, _hoist, commands
from llamactl.core.errors import BY_CODE, LlamactlError, Refused, Unreachable
from tests.cli.conftest import Llamactl
from tests.cli.stub import QWEN, Stub, model
from tests.cli.web import Handler, serve

COMMAND = [sys.executable, "-m", "llamactl"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ps", "ps"),
        ("ps --json", "--json ps"),
        ("ps -o json -q", "-o json -q ps"),
        ("ps --output=json", "--output=json ps"),
        ("ps -ojson", "-ojson ps"),
        ("models ls -H unix:///x -y", "-H unix:///x -y models ls"),
        ("-v models --color never ls", "-v --color never models ls"),
        ("start a -- --json -o", "start a -- --json -o"),
        ("start a -q -- -q", "-q start a -- -q"),
        ("logs a -n 5 -f", "logs a -n 5 -f"),
        ("chat m -", "chat m -"),
        ("ps -aq", "-q ps -a"),
        ("ps -qa -yv", "-q -y -v ps -a"),
        ("ps -qaojson", "-q -ojson ps -a"),
        ("logs -fqo jsonl a", "-q -o jsonl logs -f a"),
        ("logs -qfn5 a", "-q logs -fn5 a"),
        ("logs -fqn 5 a", "-q logs -fn 5 a"),
        ("ps -avH unix:///x", "-v -H unix:///x ps -a"),
        ("-qv ps", "-q -v ps"),
        ("config set residency.ttl -1", "config set residency.ttl -1"),
        ("config set models.default -yes", "config set models.default -yes"),
        ("ps -- -aq", "ps -- -aq"),
        ("", ""),
    ],
)
def test_global_flags_stand_anywhere(typed: str, meant: str) -> None:
    front, rest = _hoist(typed.split())
    assert [*front, *rest] == meant.split()


def test_all_short_options_are_known_to_clusters() -> None:
    def options(command: Any) -> Iterator[Any]:
        yield from command.params
        for each in getattr(command, "commands", {}).values():
            yield from options(each)

    short = {
        name[1:]: not option.is_flag
        for option in options(typer.main.get_command(commands()))
        for name in option.opts
        if name[0] == "-" and name[1] != "-"
    }
    ours = {name[1:]: name in _VALUED for name in (*_PLAIN, *_VALUED) if name[1] != "-"}
    assert {**_OWN, **ours} == {**short, "h": False} and not _OWN.keys() & ours.keys()


def test_flags_in_one_word(llamactl: Llamactl, stub: Stub) -> None:
    assert llamactl("ps", "-aqo", "name").out == llamactl("-q", "ps", "-a", "-o", "name").out != ""
    assert stub.asked[0] == stub.asked[1]
    assert llamactl("ps", "-qx").code == 2


def test_a_flag_without_its_value(llamactl: Llamactl) -> None:
    said = llamactl("ps", "-o")
    assert said.code == 2
    assert "-o" in said.err and "requires an argument" in said.err


@pytest.mark.parametrize(
    "flags", [["--json"], ["-o", "json"], ["-ojson"], ["--output=json"], ["-o", "jsonl", "--json"]]
)
def test_output_as_json(llamactl: Llamactl, stub: Stub, flags: list[str]) -> None:
    after, before = llamactl("ps", *flags), llamactl(*flags, "ps")
    assert after.code == before.code == 0
    assert after.json() == before.json()
    assert after.json()["schema"] == "llamactl.instances/v1"


@pytest.mark.parametrize(
    "typed",
    ["nonsense", "models nonsense", "ps --nonsense", "-o yaml ps", "chat", "logs --nonsense", "logs a -n x", "start"],
)
@pytest.mark.parametrize("json", [[], ["--json"]])
def test_usage_errors(llamactl: Llamactl, typed: str, json: list[str]) -> None:
    said = llamactl(*typed.split(), *json)
    assert said.code == 2
    if not json:
        assert said.out == ""
        assert said.err
    else:
        error = said.json()["error"]
        assert error["exit"] == 2 and error["code"] == "bad_request" and error["message"] and error["hint"]


@pytest.mark.parametrize("kind", BY_CODE.values())
def test_errors_of_the_daemon(llamactl: Llamactl, stub: Stub, kind: type[LlamactlError]) -> None:
    stub.answers["models.remove"] = kind("it went wrong", "try this")
    text, json = llamactl("models", "rm", "a"), llamactl("models", "rm", "a", "--json")
    assert text.code == json.code == kind.exit
    assert text.out == "" and text.err == "llamactl: it went wrong\n  try: try this\n"
    assert json.err == ""
    assert json.json() == {
        "error": {"code": kind.code, "message": "it went wrong", "hint": "try this", "exit": kind.exit}
    }


def test_every_error_of_the_command_line_has_a_next_command() -> None:
    """Those of the daemon have theirs from where they are raised."""
    kinds = {kind.__name__ for kind in BY_CODE.values()} | {"PartlyDone", "Interrupted"}
    bare = {
        f"{path.stem}: {ast.unparse(node)}"
        for path in (Path(app.__file__).parent).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds
        if len(node.args) < 2
    }
    # Whatever the system has against our output.
    assert bare == {"""app: LlamactlError(f"{error.filename or 'cannot write'}: {error.strerror}")"""}


@pytest.mark.parametrize(
    "text", ["[http\n", "[models]\nwatch = 'x'\n", "[residency]\ndrain = -1\n", "[http]\nport = 1\nport = 2\n"]
)
def test_a_configuration_that_is_wrong_can_be_edited(llamactl: Llamactl, home: Path, text: str) -> None:
    file = Path(llamactl("config", "path").out.strip())
    file.parent.mkdir(parents=True)
    file.write_text(text)
    for command in ("show", "validate"):
        said = llamactl("config", command)
        assert said.code == 2 and said.err.endswith("  try: llamactl config edit\n")


def test_no_daemon(llamactl: Llamactl, home: Path) -> None:
    said = llamactl("ps")
    assert said.code == 7
    assert str(home) in said.err and "llamactl daemon start" in said.err
    assert llamactl("ps", "--json").json()["error"]["code"] == Unreachable.code


def test_no_daemon_is_no_error_for_the_short_status(llamactl: Llamactl) -> None:
    said = llamactl()
    assert said.code == 0
    assert "llamactl quickstart" in said.out and len(said.out.splitlines()) == 4
    nothing: dict[str, object] = {"running": False, "version": None, "http": [], "models": None, "instances": []}
    assert llamactl("--json").json() == {"schema": "llamactl.summary/v1", **nothing}


def test_short_status(llamactl: Llamactl, stub: Stub) -> None:
    said = llamactl()
    assert said.code == 0
    assert said.out.splitlines()[0] == "llamactl 0.0.stub on http://127.0.0.1:1, 2 models in the catalogue"
    assert "qwen3:8b" in said.out


def test_host_names_the_socket(llamactl: Llamactl, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
    assert llamactl("ps").code == 7
    assert llamactl("ps", "-H", f"unix://{stub.path}").code == 0
    monkeypatch.setenv("LLAMACTL_HOST", f"unix://{stub.path}")
    assert llamactl("ps").code == 0
    assert llamactl("ps", "--host", "nonsense").code == 2
    assert llamactl("ps", "--host", "http://127.0.0.1:1").code == 7


@pytest.mark.parametrize("host", ["127.0.0.1:8134", "ftp://x"])
@pytest.mark.parametrize("typed", ["config set residency.ttl 1m", "config show", "logs", "rpc logs", "ps", "chat m hi"])
def test_what_is_no_host_is_not_this_machine(llamactl: Llamactl, home: Path, host: str, typed: str) -> None:
    said = llamactl(*typed.split(), "-H", host)
    assert (said.code, said.out) == (2, "") and f"not a host: {host!r}" in said.err
    assert not Path(llamactl("config", "path").out.strip()).exists()


@pytest.mark.parametrize("typed", ["ps", "chat m hi"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_else_may_listen_there(llamactl: Llamactl, typed: str, scheme: str) -> None:
    """A program that hangs up on what it does not understand, as one with TLS does on HTTP, and the other way round."""

    def hang_up(handler: Handler) -> None:
        handler.wfile.write(b"what?")

    with serve(hang_up) as server:
        url = server.url.replace("http", scheme)
        said = llamactl(*typed.split(), "-H", url)
        version = llamactl("version", "-H", url)
    other = url.replace(scheme, "https" if scheme == "http" else "http")
    assert said.code == 7 and f"no daemon answers at {url}" in said.err and f"try: llamactl -H {other}, if" in said.err
    assert version.code == 0 and f"no daemon answers at {url}" in version.out


def _commands(group: object, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    below = getattr(group, "commands", {})
    return [words, *(found for name, each in below.items() for found in _commands(each, (*words, name)))]


@pytest.mark.parametrize("words", _commands(typer.main.get_command(commands())), ids=" ".join)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(llamactl: Llamactl, words: tuple[str, ...], flag: str) -> None:
    said = llamactl(*words, flag)
    assert said.code == 0
    assert "Usage: llamactl" in said.out and said.err == ""


def test_version(llamactl: Llamactl, stub: Stub) -> None:
    from llamactl import __version__

    assert llamactl("--version").out == f"llamactl {__version__}\n"
    assert llamactl("version", "--json").json() == {
        "schema": "llamactl.version/v1",
        "llamactl": __version__,
        "daemon": "0.0.stub",
    }
    assert "another version" in llamactl("version").err
    assert llamactl("version", "-q").err == ""


def test_interrupted(llamactl: Llamactl, stub: Stub) -> None:
    """Ctrl-C in a waiting start leaves the load alone, and says so."""

    def interrupt(**_: object) -> object:
        signal.raise_signal(signal.SIGINT)  # handled in the main thread, which waits for the answer
        return QWEN

    stub.answers["instances.start"] = interrupt
    said = llamactl("start", "gemma-2b")
    assert said.code == 130
    assert "goes on loading" in said.err
    assert [method for method, _ in stub.asked] == ["instances.start"]


def test_reader_that_leaves(stub: Stub) -> None:
    stub.answers["models.list"] = [model(f"model-{number}") for number in range(5000)]
    with subprocess.Popen([*COMMAND, "models", "ls"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(30) == 0
    assert said == b""


def test_disk_full(stub: Stub) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*COMMAND, "ps"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr == "llamactl: cannot write: No space left on device\n"


def test_closed_output(stub: Stub) -> None:
    done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *COMMAND, "ps"], stderr=subprocess.PIPE, timeout=30)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("flags", [[], ["-o", "json"]])
def test_what_is_in_no_encoding(llamactl: Llamactl, flags: list[str]) -> None:
    said = llamactl("why", "\udcff", *flags)
    assert said.code == 2 and "'\\\\udcff'" in (said.out if flags else said.err.replace("\\", "\\\\"))


def test_help_is_as_wide_as_the_terminal(llamactl: Llamactl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert max(map(len, llamactl("start", "--help").out.splitlines())) <= 40


@pytest.mark.parametrize(
    ("answer", "flags", "code"), [("y\n", [], 0), ("n\n", [], 5), ("", ["-y"], 0), ("", ["--no-input"], 5)]
)
def test_asking_before_a_model_is_taken_out(
    llamactl: Llamactl, stub: Stub, monkeypatch: pytest.MonkeyPatch, answer: str, flags: list[str], code: int
) -> None:
    """At a terminal; a script means what it says."""
    stub.answers["models.remove"] = None
    at_terminal = io.StringIO(answer)
    monkeypatch.setattr(at_terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", at_terminal)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert llamactl("models", "rm", "gemma-2b", *flags).code == code
    assert [method for method, _ in stub.asked] == ["models.remove"] * (not code)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert llamactl("models", "rm", "gemma-2b").code == 0


def test_what_could_not_be_taken_out_does_not_keep_the_others_in(llamactl: Llamactl, stub: Stub) -> None:
    def remove(name: str) -> LlamactlError | None:
        return None if name == "gemma-2b" else Refused(f"{name} runs", "llamactl stop")

    stub.answers["models.remove"] = remove
    said = llamactl("models", "rm", "qwen3:8b", "gemma-2b", "-o", "json")
    told = said.json()
    assert (said.code, told["items"], told["error"]["code"]) == (10, ["gemma-2b"], "partly_done")
    assert "qwen3:8b runs" in told["error"]["message"]
    said = llamactl("models", "rm", "qwen3:8b", "gemma-2b")
    assert (said.code, "gemma-2b is no longer" in said.err, "qwen3:8b runs" in said.err) == (10, True, True)
    assert llamactl("models", "rm", "qwen3:8b").code == 5
