"""`llamactl config`: the file shown and changed, without a daemon."""

import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from llamactl.config.describe import describe
from llamactl.config.example import example
from llamactl.core.errors import BadRequest
from llamactl.rpc.calls import Reloaded
from tests.cli.conftest import Llamactl
from tests.cli.stub import STATUS, Stub


@pytest.fixture
def file(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file, which is not there yet; and no variable says anything."""
    monkeypatch.delenv("LLAMACTL_HTTP_PORT")
    return home / "config_home" / "llamactl" / "config.toml"


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


# --- show and get --------------------------------------------------------------------------------


def test_show_has_every_key(llamactl: Llamactl, file: Path) -> None:
    said = llamactl("config", "show", "-v")
    assert [line.split()[0] for line in said.out.splitlines()[1:]] == [each.key for each in describe()]
    assert said.err == "" and "ORIGIN" not in said.out
    assert llamactl("config", "show", "-o", "name").out.split() == [each.key for each in describe()]


def test_show_leaves_out_what_is_left_to_llama_server(llamactl: Llamactl, file: Path) -> None:
    write(file, "[llama_server]\nctx_size = 5\n")
    said = llamactl("config", "show")
    values = {line.split()[0]: line.split(None, 1)[1] for line in said.out.splitlines()[1:]}
    assert (values["llama_server.ctx_size"], values["residency.ttl"]) == ("5", '"15m"')
    assert "llama_server.top_k" not in values and values["llama_server.path"] == "(not set)"
    assert said.err.endswith("are left to llama-server: llamactl config show -v\n")


def test_secrets_are_never_shown(llamactl: Llamactl, file: Path) -> None:
    said = [llamactl("config", "set", "llama_server.hf_token", "hunter2")]
    assert "hunter2" in file.read_text()
    said += [llamactl("config", "show", *flags) for flags in ([], ["-v"], ["--origin"], ["--json"])]
    said += [llamactl("config", "get", "llama_server.hf_token", *flags) for flags in ([], ["--json"])]
    write(file, "[llama_server]\nhf_token = ['hunter2']\n")
    said += [llamactl("config", command) for command in ("validate", "show")]
    assert not any("hunter2" in each.out + each.err for each in said)
    assert "(hidden)" in said[1].out and said[5].code == 5


def test_show_says_where_a_value_comes_from(llamactl: Llamactl, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(file, "[http]\n\nport = 1\nhost = 'h'\n")
    monkeypatch.setenv("LLAMACTL_HTTP_HOST", "localhost")
    rows = {
        line.split()[0]: line.split(None, 2)[1:] for line in llamactl("config", "show", "--origin").out.splitlines()
    }
    assert rows["http.port"] == ["1", f"{file}, line 3"]
    assert rows["http.host"] == ['"localhost"', "LLAMACTL_HTTP_HOST in the environment"]
    assert rows["http.listen"] == ["[]", "default"]
    items = {item["key"]: item for item in llamactl("config", "show", "--json").json()["items"]}
    assert items["http.port"] == {
        "key": "http.port",
        "value": 1,
        "origin": {"source": "file", "path": str(file), "line": 3, "variable": None},
    }
    assert items["residency.ttl"]["value"] == 900.0 and items["residency.memory"]["value"] is None


def test_show_of_a_file_that_is_wrong(llamactl: Llamactl, file: Path) -> None:
    write(file, "[http]\nprot = 1\n")
    said = llamactl("config", "show")
    assert said.code == 2 and said.err.startswith(f"llamactl: {file}, line 2: unknown key http.prot")


def test_get(llamactl: Llamactl, file: Path) -> None:
    write(file, "[models]\ndirectories = ['/a', '/b']\n")
    assert llamactl("config", "get", "models.directories").out == "/a:/b\n"
    assert llamactl("config", "get", "residency.ttl").out == "15m\n"
    assert llamactl("config", "get", "residency.memory").out == "\n"
    json = llamactl("config", "get", "residency.ttl", "--json").json()
    assert (json["schema"], json["key"], json["value"]) == ("llamactl.config-key/v1", "residency.ttl", 900.0)


@pytest.mark.parametrize("command", [["get", "http.prot"], ["set", "http.prot", "1"], ["unset", "http.prot"]])
def test_a_key_that_does_not_exist(llamactl: Llamactl, file: Path, command: list[str]) -> None:
    said = llamactl("config", *command)
    assert said.code == 2 and said.err == "llamactl: unknown key http.prot\n  try: did you mean http.port?\n"
    assert llamactl("config", *command, "--json").json()["error"]["exit"] == 2
    assert not file.exists()


# --- set and unset -------------------------------------------------------------------------------


def test_set_makes_the_file_for_this_user_only(llamactl: Llamactl, file: Path) -> None:
    said = llamactl("config", "set", "residency.ttl", "30m")
    assert (said.code, said.out, said.err) == (0, "", f'residency.ttl = "30m" in {file}\n')
    assert file.read_text() == '[residency]\nttl = "30m"\n'
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert llamactl("config", "get", "residency.ttl").out == "30m\n"
    assert "already" in llamactl("config", "set", "residency.ttl", "30m").err


def test_set_and_unset_leave_the_rest_as_it_is(llamactl: Llamactl, file: Path) -> None:
    text = "# mine\n[http]  # the door\nport = 1 # one\n\n# two\n[models]\nwatch = false\n"
    write(file, text)
    assert llamactl("config", "set", "http.max_body", "1GiB").code == 0
    assert file.read_text() == text.replace("# one\n", '# one\nmax_body = "1GiB"\n')
    assert llamactl("config", "unset", "http.max_body").code == 0
    assert file.read_text() == text
    assert "is not in" in llamactl("config", "unset", "http.max_body").err
    assert llamactl("config", "set", "http.port", "2").code == 0
    assert file.read_text() == text.replace("port = 1", "port = 2")


@pytest.mark.parametrize("described", describe(), ids=lambda described: described.key)
def test_every_key_can_be_set_to_what_get_says(llamactl: Llamactl, file: Path, described: object) -> None:
    key = getattr(described, "key", "")
    value = llamactl("config", "get", key).out.removesuffix("\n")
    assert llamactl("config", "set", key, value).code == 0
    assert llamactl("config", "get", key).out == f"{value}\n"
    assert file.read_text().count(" = ") == 1
    assert llamactl("config", "unset", key).code == 0


def test_a_value_may_begin_with_a_dash_and_come_from_a_pipe(
    llamactl: Llamactl, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert llamactl("config", "set", "residency.ttl", "-1").code == 0
    assert llamactl("config", "get", "residency.ttl").out == "-1\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO("qwen\n"))
    assert llamactl("config", "set", "models.default", "-").code == 0
    assert llamactl("config", "get", "models.default").out == "qwen\n"


def test_relative_paths_are_those_of_the_shell(
    llamactl: Llamactl, file: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    assert llamactl("config", "set", "models.directories", "models:/b").code == 0
    assert llamactl("config", "get", "models.directories").out == f"{home}/models:/b\n"


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("http.port", "70000", "http.port: expected a whole number from 0 to 65535, got '70000'"),
        ("access.anonymous", "all", "access.anonymous: expected auto, none, infer or observe, got 'all'"),
        ("models.watch", "maybe", "models.watch: expected true or false, got 'maybe'"),
        ("residency.ttl", "soon", "residency.ttl: not a duration: 'soon'"),
        ("residency.drain", "-1", "residency.drain: a duration cannot be negative here"),
        ("http.port", "", "http.port: nothing is no value for it"),
    ],
)
def test_a_bad_value_is_refused_with_those_that_are_allowed(
    llamactl: Llamactl, file: Path, key: str, value: str, says: str
) -> None:
    write(file, "# mine\n")
    said = llamactl("config", "set", key, value)
    assert said.code == 2 and said.err.startswith(f"llamactl: {says}")
    assert file.read_text() == "# mine\n"


def test_a_file_that_is_wrong_elsewhere_is_not_written(llamactl: Llamactl, file: Path) -> None:
    text = "[http]\nprot = 1\nport = 'x'\n"
    write(file, text)
    said = llamactl("config", "set", "http.host", "localhost")
    assert said.code == 2 and f"{file}, line 2: unknown key http.prot" in said.err and "config edit" in said.err
    assert file.read_text() == text
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


def test_what_is_wrong_can_be_put_right(llamactl: Llamactl, file: Path) -> None:
    write(file, "[http]\nport = 'x'\n")
    assert llamactl("config", "set", "http.port", "1").code == 0
    write(file, "[http]\nport = 'x'\n")
    assert llamactl("config", "unset", "http.port").code == 0
    write(file, "[http\n")
    assert llamactl("config", "set", "http.port", "1").code == 2


def test_another_file(llamactl: Llamactl, file: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = home / "other.toml"
    assert llamactl("config", "set", "http.port", "5", "--config", str(other)).code == 0
    assert other.read_text() == "[http]\nport = 5\n" and not file.exists()
    monkeypatch.setenv("LLAMACTL_CONFIG", str(other))
    assert llamactl("config", "get", "http.port").out == "5\n"
    assert llamactl("config", "path").out == f"{other}\n"
    assert llamactl("config", "get", "http.port", "--config", str(home / "none.toml")).code == 2


def test_a_variable_that_wins_is_told(llamactl: Llamactl, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMACTL_RESIDENCY_TTL", "1h")
    assert (
        "LLAMACTL_RESIDENCY_TTL in the environment wins over it" in llamactl("config", "set", "residency.ttl", "5").err
    )


def test_a_daemon_that_has_read_the_file_is_to_read_it_again(llamactl: Llamactl, file: Path, stub: Stub) -> None:
    stub.answers["daemon.status"] = msgspec.structs.replace(STATUS, config=str(file))
    assert "until: llamactl daemon reload\n" in llamactl("config", "set", "residency.ttl", "5").err
    assert "until:" not in llamactl("config", "set", "residency.ttl", "5").err  # nothing has changed
    assert "until: llamactl daemon restart\n" in llamactl("config", "set", "http.port", "5").err
    assert "until: llamactl daemon restart\n" in llamactl("config", "unset", "http.port").err
    said = {"schema": "llamactl.config-change/v1", "file": str(file), "keys": ["residency.ttl"], "changed": True}
    change = ("config", "set", "residency.ttl", "--json")
    assert llamactl(*change, "6").json() == {**said, "reload": True, "restart": False}
    assert llamactl("config", "set", "http.port", "7", "--json").json()["restart"] is True
    stub.answers["daemon.status"] = STATUS  # of another file
    told = llamactl("config", "set", "residency.ttl", "7")
    assert told.code == 0 and "until:" not in told.err
    assert llamactl(*change, "8").json() == {**said, "reload": False, "restart": False}
    stub.answers.pop("daemon.status")  # it hangs up
    assert llamactl(*change, "9").json() == {**said, "reload": None, "restart": None}


def test_now_has_the_daemon_read_it_again(llamactl: Llamactl, file: Path, stub: Stub) -> None:
    stub.answers["daemon.status"] = msgspec.structs.replace(STATUS, config=str(file))
    stub.answers["daemon.reload"] = Reloaded(changed=("residency.ttl",), restart_for=("http.port",))
    said = llamactl("config", "set", "--now", "residency.ttl", "5")
    assert said.code == 0
    assert "taken over: residency.ttl" in said.err and "http.port: only after llamactl daemon restart" in said.err
    assert llamactl("config", "set", "--now", "residency.ttl", "5", "--json").json()["reload"] is False
    assert llamactl("config", "unset", "--now", "residency.ttl").code == 0
    assert [method for method, _ in stub.asked].count("daemon.reload") == 3
    stub.answers["daemon.reload"] = BadRequest("/etc/llamactl/config.toml, line 3: no")
    said = llamactl("config", "set", "--now", "residency.ttl", "6")
    assert said.code == 2 and "line 3" in said.err and "6" in file.read_text()
    stub.answers["daemon.status"] = STATUS
    assert "reads another file" in llamactl("config", "set", "--now", "residency.ttl", "7").err


def test_now_without_a_daemon(llamactl: Llamactl, file: Path) -> None:
    said = llamactl("config", "set", "--now", "residency.ttl", "5")
    assert said.code == 0 and "no daemon is running" in said.err


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_file_that_may_not_be_written(llamactl: Llamactl, file: Path) -> None:
    write(file, "")
    file.parent.chmod(0o500)
    said = llamactl("config", "set", "http.port", "1")
    file.parent.chmod(0o700)
    assert said.code == 6 and "may not write" in said.err


# --- path, validate ------------------------------------------------------------------------------


def test_path(llamactl: Llamactl, file: Path) -> None:
    assert llamactl("config", "path").out == f"{file}\n"
    assert llamactl("config", "path", "--json").json()["exists"] is False


def test_validate(llamactl: Llamactl, file: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert llamactl("config", "validate").code == 0
    write(file, "[http]\nport = 1\n")
    said = llamactl("config", "validate", "--json").json()
    assert said["valid"] is True and str(file) in said["files"]
    write(file, "[http]\nport = 'x'\nprot = 1\n[nothing]\n")
    said = llamactl("config", "validate")
    assert said.code == 2
    assert all(f"{file}, line {number}: " in said.err for number in (2, 3, 4))
    assert llamactl("config", "validate", "--json").json()["error"]["code"] == "bad_request"
    other = home / "other.toml"
    other.write_text("[http]\nport = 2\n")
    assert llamactl("config", "validate", str(other)).code == 0
    assert llamactl("config", "validate", str(home / "none.toml")).code == 2
    file.unlink()
    monkeypatch.setenv("LLAMACTL_HTTP_PORT", "x")
    assert "LLAMACTL_HTTP_PORT in the environment" in llamactl("config", "validate").err


# --- edit ----------------------------------------------------------------------------------------


@pytest.fixture
def editor(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script to fill in; `$1` is the file to edit, temporary ones lie in `temporary`."""
    script = home / "my editor"
    script.touch(0o755)
    (home / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(home / "temporary"))
    monkeypatch.setenv("EDITOR", "false")
    monkeypatch.setenv("VISUAL", f"'{script}'")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return script


def edits(editor: Path, *lines: str) -> None:
    editor.write_text("\n".join(["#!/bin/sh", "set -e", *lines, ""]))


def left_behind(editor: Path) -> list[Path]:
    return list((editor.parent / "temporary").iterdir())


def test_edit(llamactl: Llamactl, file: Path, editor: Path) -> None:
    write(file, "# mine\n[http]\nport = 1\n")
    edits(editor, 'test "$(stat -c %a "$1" 2>/dev/null || echo 600)" = 600', 'sed -i.bak s/1/2/ "$1"; rm -f "$1.bak"')
    said = llamactl("config", "edit")
    assert (said.code, said.err) == (0, f"changed http.port in {file}\n")
    assert file.read_text() == "# mine\n[http]\nport = 2\n"
    assert left_behind(editor) == []


def test_edit_begins_with_the_example(llamactl: Llamactl, file: Path, editor: Path) -> None:
    edits(editor, f"cp \"$1\" '{file.parent.parent.parent}/seen'")
    said = llamactl("config", "edit")
    assert (said.code, said.err) == (0, "nothing was changed\n")
    assert (file.parent.parent.parent / "seen").read_text() == example()
    assert not file.exists() and left_behind(editor) == []
    edits(editor, "echo '# mine' >> \"$1\"")
    assert "changed nothing but remarks" in llamactl("config", "edit").err
    assert file.read_text() == f"{example()}# mine\n"


def test_an_edit_that_is_wrong_is_kept(llamactl: Llamactl, file: Path, editor: Path) -> None:
    write(file, "[http]\nport = 1\n")
    edits(editor, "printf '[http]\\nport = x\\n' > \"$1\"")
    said = llamactl("config", "edit")
    (kept,) = left_behind(editor)
    assert said.code == 2 and f"{kept}, line 2" in said.err and f"your edit is kept: {kept}" in said.err
    assert kept.read_text() == "[http]\nport = x\n" and stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert file.read_text() == "[http]\nport = 1\n"


def test_a_file_that_changed_meanwhile_is_not_written_over(llamactl: Llamactl, file: Path, editor: Path) -> None:
    write(file, "[http]\nport = 1\n")
    edits(editor, f"echo '# other' >> '{file}'", "echo '# mine' >> \"$1\"")
    said = llamactl("config", "edit")
    (kept,) = left_behind(editor)
    assert said.code == 5 and str(kept) in said.err
    assert file.read_text() == "[http]\nport = 1\n# other\n"


def test_an_editor_that_fails(llamactl: Llamactl, file: Path, editor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edits(editor, "exit 3")
    said = llamactl("config", "edit")
    assert said.code == 1 and "ended with 3" in said.err
    assert left_behind(editor) == [], "nothing was typed"
    edits(editor, "echo '# mine' >> \"$1\"", "exit 3")
    said = llamactl("config", "edit")
    (kept,) = left_behind(editor)
    assert said.code == 1 and f"your edit is kept: {kept}" in said.err
    edits(editor, 'rm "$1"')
    said = llamactl("config", "edit")
    assert said.code == 2 and "no configuration file" in said.err
    monkeypatch.setenv("VISUAL", "/nowhere/editor")
    assert llamactl("config", "edit").code == 4
    assert not file.exists()


# --- import --------------------------------------------------------------------------------------


def test_import(llamactl: Llamactl, file: Path, home: Path) -> None:
    write(file, "# mine\n[models]\ndirectories = ['/a']\n")
    given = home / "llama-server-config.json"
    given.write_text('{"port": 9000, "basePath": "/b", "threads": -1, "serverPath": "/nowhere/x", "gpu_layers": 0}')
    tried = llamactl("config", "import", str(given), "--dry-run")
    assert tried.code == 0 and "would be taken over" in tried.err and file.read_text().count("\n") == 3
    said = llamactl("config", "import", str(given))
    assert said.code == 0 and "3 keys taken over" in said.err
    outcomes = {line.split()[1]: line.split()[0] for line in said.out.splitlines()[1:]}
    assert outcomes == {
        "port": "taken",
        "basePath": "translated",
        "threads": "translated",
        "serverPath": "left",
        "gpu_layers": "taken",
    }
    assert file.read_text().startswith("# mine\n[models]\n")
    assert llamactl("config", "get", "models.directories").out == "/a:/b\n"
    assert llamactl("config", "get", "http.port").out == "9000\n"
    assert llamactl("config", "get", "llama_server.gpu_layers").out == "0\n"
    json = llamactl("config", "import", str(given), "--json").json()
    assert json["changed"] is False and json["keys"]["http.port"] == 9000
    assert json["notes"][0] == {"what": "port", "outcome": "taken", "became": "http.port = 9000"}


def test_import_from_a_pipe(llamactl: Llamactl, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"port": 9000, "hf_token": "hunter2"}')))
    said = llamactl("config", "import", "-")
    assert said.code == 0 and "2 keys taken over" in said.err and "hunter2" not in said.out + said.err
    assert llamactl("config", "get", "http.port").out == "9000\n" and "hunter2" in file.read_text()


def test_import_of_what_is_partly_wrong(llamactl: Llamactl, file: Path, home: Path) -> None:
    given = home / "app-config.json"
    given.write_text('{"maxConcurrentModels": 2, "logLevel": "loud"}')
    assert llamactl("config", "import", str(given)).code == 10
    assert llamactl("config", "get", "residency.max_models").out == "2\n"
    assert llamactl("config", "import", str(home / "none")).code == 4
    (home / "x.txt").write_text("x")
    assert llamactl("config", "import", str(home / "x.txt")).code == 2


def test_import_says_what_is_to_be_done_about_models_and_no_secret(llamactl: Llamactl, file: Path, home: Path) -> None:
    given = home / "swap.yaml"
    given.write_text("models:\n  a: {cmd: 'llama-server -m /a --api-key hunter2', env: ['HF_TOKEN=hunter2']}\n")
    text, json = llamactl("config", "import", str(given)), llamactl("config", "import", str(given), "--json")
    assert f"1 model in it: llamactl models import {given}" in text.err
    assert json.json()["models"] == ["a"]
    assert "hunter2" not in text.out + text.err + json.out
    assert not file.exists()


# --- speed ---------------------------------------------------------------------------------------

SLOW = {"aiohttp", "anyio", "asyncio", "peewee", "psutil", "tomlkit", "yaml", "ssl", "urllib.request"}


@pytest.mark.parametrize("command", ["path", "get http.port", "show --json", "validate"])
def test_loads_nothing_slow(file: Path, command: str) -> None:
    write(file, "[http]\nport = 1\n")
    program = "import sys; from llamactl.cli.app import run; run(sys.argv[1:]); sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program, "config", *command.split()], capture_output=True, text=True)
    assert "llamactl.cli.config" in done.stderr.split() and not SLOW & set(done.stderr.split())
