"""Presets, templates and whole catalogues, from the command line to the llama-server that is started with them."""

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.conftest import Begin
from tests.e2e.running import Daemon, Home, until
from tests.e2e.test_settings import command_line, shown
from tests.engines import FAKE
from tests.llamaserver.builds import NEWEST, OLD, unpacked


def props(daemon: Daemon, model: str) -> dict[str, Any]:
    """What the llama-server of a running model says of itself, asked directly."""
    [process] = [one for one in daemon.home.processes("llama-server") if model in one.cmdline()]
    line = process.cmdline()
    asked = json.loads(_get(line[line.index("--host") + 1], "/props"))
    assert isinstance(asked, dict)
    return asked


def _get(socket_path: str, path: str, body: object = None) -> bytes:
    import http.client
    import socket

    connection = http.client.HTTPConnection("localhost", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(10)
    connection.sock.connect(socket_path)
    data = None if body is None else json.dumps(body)
    connection.request("GET" if data is None else "POST", path, data, {"Content-Type": "application/json"})
    with closing(connection), connection.getresponse() as answer:
        return answer.read()


@pytest.fixture
def real(begin: Begin, real_engine: str, tiny: Path, home: Home) -> Daemon:
    """A daemon with a real llama-server and the model `tiny`."""
    del real_engine
    daemon = begin(llama_server_path="", llama_server_ctx_size="256", llama_server_threads="1")
    home.run("models", "add", str(tiny), "--name", "tiny")
    return daemon


def test_a_preset_reaches_the_process(real: Daemon, home: Home) -> None:
    home.run("presets", "set", "long", "ctx_size=512", "parallel=1")
    home.run("presets", "apply", "long", "tiny")
    assert shown(home, "tiny")["ctx_size"] == (512, "preset long")
    home.run("start", "tiny")
    assert props(real, "tiny")["default_generation_settings"]["n_ctx"] == 512


def test_a_template_reaches_the_process(real: Daemon, home: Home) -> None:
    prompts = {}
    ours = home.place / "ours.jinja"
    ours.write_text("{% for message in messages %}<{{ message.content }}>{% endfor %}")
    for template in ("llama3", str(ours)):
        home.run("templates", "set", "tiny", template)
        home.run("start", "tiny")
        [process] = home.processes("llama-server")
        line = process.cmdline()
        body = {"messages": [{"role": "user", "content": "hi"}]}
        prompts[template] = json.loads(_get(line[line.index("--host") + 1], "/apply-template", body))["prompt"]
        home.run("stop", "tiny")
    assert prompts[str(ours)] == "<hi>"
    assert "<|start_header_id|>user" in prompts["llama3"], "not the name of the template taken for its text"
    answer = real.ask("/api/model-templates").json()
    assert answer["success"] and answer["data"]["model_templates"] == {"tiny": str(ours)}
    refused = real.ask("/api/model-templates", {"model_templates": {}})
    assert refused.status == 401 and not refused.json()["success"]
    assert "llamactl keys create" in refused.json()["error"]["details"]
    assert "tiny" in home.run("templates").stdout


def test_what_stands_behind_a_model(home: Home, begin: Begin) -> None:
    daemon = begin(llama_server_threads="3", llama_server_ctx_size="1024")
    home.add("alpha")
    home.add("beta")
    home.run("models", "set", "alpha", "batch_size=64", "ctx_size=2048")
    home.run("presets", "save", "warm", "--from", "alpha")
    home.run("presets", "set", "warm", "threads=2")
    home.run("models", "defaults", "set", "jinja=off", "slots_enabled=off")
    home.run("models", "unset", "alpha", "batch_size")
    home.run("presets", "apply", "warm", "*")
    assert shown(home, "alpha") == {
        "ctx_size": (2048, "model"),
        "batch_size": (64, "preset warm"),
        "threads": (2, "preset warm"),
        "slots_enabled": (False, "server defaults"),
        "jinja": (False, "server defaults"),
    }
    assert shown(home, "beta")["ctx_size"] == (2048, "preset warm")
    daemon.chat("beta")
    line = " ".join(command_line(home, "beta"))
    for part in ("--ctx-size 2048", "--threads 2", "--batch-size 64", "--no-jinja", "--no-slots"):
        assert part in line
    assert home.json("presets", "rm", "warm", code=5)["error"]["message"].endswith("alpha, beta")
    assert home.json("presets", "unapply", "alpha")["items"][0]["name"] == "alpha"
    said = home.run("presets", "unset", "warm", "batch_size").stderr
    assert "beta" in said
    assert home.json("presets", "rm", "warm", "--force")["models"] == ["beta"]
    assert shown(home, "beta")["ctx_size"] == (1024, "configuration")
    daemon.end()
    begin()
    assert shown(home, "beta")["slots_enabled"] == (False, "server defaults"), "kept in the database"


def test_a_catalogue_travels(home: Home, daemon: Daemon, tmp_path: Path) -> None:
    del daemon
    home.add("alpha")
    home.add("org/beta:q4")
    home.run("presets", "set", "fast", "threads=2")
    home.run("models", "set", "alpha", "ctx_size=4096", "custom_params=--ubatch-size 64")
    home.run("presets", "apply", "fast", "alpha")
    exported = home.run("models", "export")
    before = json.loads(exported.stdout)
    assert before["schema"] == "llamactl.catalogue/v1"
    ini = home.run("models", "export", "alpha", "--format", "ini").stdout
    assert "[alpha]" in ini and "threads = 2" in ini and "ubatch-size = 64" in ini

    home.run("models", "set", "alpha", "ctx_size=512")
    refused = home.run("--json", "models", "import", "-", input=exported.stdout, check=False)
    assert refused.returncode == 5 and "another ctx_size" in refused.stdout
    for name in ("alpha", "org/beta:q4"):
        home.run("models", "rm", name)
    until(lambda: (home.runtime / "names").read_text() == "preset\tfast\n")
    home.run("presets", "rm", "fast")
    (tmp_path / "all.json").write_text(exported.stdout)
    dry = home.json("models", "import", str(tmp_path / "all.json"), "--dry-run")
    assert dry["added"] == ["alpha", "org/beta:q4"] and home.json("models")["items"] == []
    home.run("models", "import", str(tmp_path / "all.json"))
    assert json.loads(home.run("models", "export").stdout) == before
    again = home.json("models", "import", str(tmp_path / "all.json"))
    assert (again["added"], again["unchanged"]) == ([], ["alpha", "org/beta:q4"])
    # What completions read.
    until(lambda: (home.runtime / "names").read_text() == "model\talpha\nmodel\torg/beta:q4\npreset\tfast\n")


def test_two_builds_side_by_side(
    home: Home, begin: Begin, tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    runs = tmp_path_factory.getbasetemp().parent
    temporary = runs.parent if "popen" in tmp_path_factory.getbasetemp().name else runs
    old, new = unpacked(OLD, temporary), unpacked(NEWEST, temporary)
    for build in (old, new):
        if isinstance(build, str):
            pytest.skip(build)
    assert not isinstance(old, str) and not isinstance(new, str)
    begin(llama_server_path=new.engine.path, llama_server_ctx_size="256", llama_server_threads="1")
    home.run("models", "add", str(tiny), "--name", "newer")
    home.run("models", "clone", "newer", "older")
    home.run("models", "set", "older", f"server_path={old.engine.path}", "load_mode=none")
    home.run("models", "set", "newer", "load_mode=none")
    assert "--no-mmap" in home.run("models", "command", "older").stdout
    assert "--load-mode none" in home.run("models", "command", "newer").stdout
    assert home.json("models", "set", "older", "reasoning_effort=high", code=5)["error"]["message"].endswith(
        "has no --reasoning-effort"
    )
    home.run("models", "set", "newer", "reasoning_effort=high")
    started = home.run("start", "older", "newer", check=False)
    if "(ILL)" in started.stderr:
        pytest.skip(f"the newest build was made for another processor: {started.stderr}")
    assert started.returncode == 0, started.stderr
    running = {Path(process.exe()) for process in home.processes("llama-server") if _is_server(process)}
    assert running == {Path(build.engine.path).resolve() for build in (old, new)}


def _is_server(process: psutil.Process) -> bool:
    return Path(process.exe()).name == "llama-server"


def test_a_llama_server_of_its_own(home: Home, daemon: Daemon, tmp_path: Path) -> None:
    home.add("alpha")
    own = tmp_path / "own-llama-server"
    shutil.copy(FAKE, own)
    refused = home.json("models", "set", "alpha", f"server_path={own}x", code=4)["error"]
    assert "server_path of alpha" in refused["message"] and "models unset alpha server_path" in refused["hint"]
    own.write_text(f'#!/bin/sh\nexec {FAKE} "$@"\n')
    own.chmod(0o755)
    home.run("models", "set", "alpha", f"server_path={own}")
    assert home.json("models", "command", "alpha")["command"].startswith(str(own))
    assert daemon.chat("alpha").status == 200
    own.unlink()
    home.run("stop", "alpha")
    failed = daemon.chat("alpha")
    assert failed.status == 503 and "models unset alpha server_path" in failed.error["message"]
    home.run("models", "unset", "alpha", "server_path")
    home.run("start", "alpha")
