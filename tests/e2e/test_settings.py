"""Settings of a model, from the command line to the llama-server that is started with them."""

import os
from pathlib import Path

import pytest

from tests.e2e.conftest import Begin
from tests.e2e.running import Daemon, Home


def shown(home: Home, name: str) -> dict[str, tuple[object, str]]:
    """Value and origin, by setting."""
    rows = home.json("models", "show", name)["settings"]
    return {row["name"]: (row["value"], row["origin"]) for row in rows}


def command_line(home: Home, name: str) -> list[str]:
    """That of the latest start of the fake."""
    return list(home.record(name, "start")[-1]["arguments"])


def test_what_is_set_reaches_the_process(home: Home, begin: Begin) -> None:
    daemon = begin(llama_server_threads="3", llama_server_ctx_size="1024")
    home.add("alpha")
    home.run("models", "set", "alpha", "ctx_size=4096", "gpu-layers=all", "jinja=off")
    assert shown(home, "alpha") == {
        "ctx_size": (4096, "model"),
        "threads": (3, "configuration"),
        "gpu_layers": ("all", "model"),
        "jinja": (False, "model"),
    }
    line = home.json("models", "command", "alpha")["command"]
    assert "--ctx-size 4096" in line
    daemon.chat("alpha")
    started = " ".join(command_line(home, "alpha"))
    for part in ("--ctx-size 4096", "--threads 3", "--gpu-layers all", "--no-jinja"):
        assert part in started
    again = home.run("models", "unset", "alpha", "ctx_size")
    assert "old settings" in again.stderr
    home.run("stop", "alpha")
    daemon.chat("alpha")
    assert "--ctx-size 1024" in " ".join(command_line(home, "alpha"))


def test_settings_outlive_the_daemon(home: Home, begin: Begin) -> None:
    daemon = begin()
    home.add("alpha")
    home.run("models", "set", "alpha", "threads=2")
    daemon.end()
    begin()
    assert shown(home, "alpha") == {"threads": (2, "model")}


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        (["ctx_size=-5"], 2, "0 or more"),
        (["ctx_size=512", "threads=many"], 2, "threads"),
        (["nonsense=1"], 2, "no setting"),
        (["host=0.0.0.0"], 5, "llamactl decides"),
        (["custom_params=--port 1"], 5, "--port"),
        (["mirostat=2"], 5, "has no --mirostat"),
        (["ctx_size"], 2, "KEY=VALUE"),
    ],
)
def test_all_or_nothing(home: Home, daemon: Daemon, settings: list[str], code: int, said: str) -> None:
    del daemon
    home.add("alpha")
    refused = home.json("models", "set", "alpha", *settings, code=code)["error"]
    assert said in refused["message"] + refused["hint"]
    assert shown(home, "alpha") == {}


def test_secrets_are_in_no_command_line_and_no_answer(home: Home, begin: Begin, real_engine: str, tiny: Path) -> None:
    daemon = begin(llama_server_path="", llama_server_ctx_size="256", llama_server_threads="1")
    home.run("models", "add", str(tiny), "--name", "tiny")
    secret = os.urandom(8).hex()
    said = [home.run("models", "set", "tiny", f"hf_token={secret}")]
    said += [home.run("models", "show", "tiny"), home.run("models", "command", "tiny"), home.run("start", "tiny")]
    [process] = home.processes("llama-server")
    assert process.environ()["HF_TOKEN"] == secret
    assert secret not in " ".join(process.cmdline())
    assert not any(secret in done.stdout + done.stderr for done in said)
    assert secret not in daemon.log()


def test_other_names_and_copies(home: Home, daemon: Daemon) -> None:
    home.add("alpha")
    home.run("models", "set", "alpha", "threads=2")
    home.run("models", "clone", "alpha", "beta:fast")
    assert shown(home, "beta:fast") == {"threads": (2, "model")}
    daemon.chat("alpha")
    assert home.run("models", "rename", "alpha", "gamma", check=False).returncode == 5, "it runs under its name"
    home.run("stop", "alpha")
    home.run("models", "rename", "alpha", "gamma")
    assert home.run("models", "-o", "name").stdout == "beta:fast\ngamma\n"
    assert daemon.chat("beta:fast").json()["model"] == "beta:fast"
    assert home.run("models", "clone", "gamma", "beta:fast", check=False).returncode == 5
