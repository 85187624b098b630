"""What scripts do, with a daemon that they share: wait, follow, carry models away and back, ask anything."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from llamactl.rpc.calls import SetModel, StopModel
from tests.cli.conftest import Llamactl, forget_flags
from tests.e2e.running import Daemon, Home, fake_engine


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with tempfile.TemporaryDirectory(prefix="ll") as place:
        home = Home(Path(place))
        daemon = Daemon(home, **fake_engine())
        try:
            daemon.wait_until_up()
            home.add("alpha")
            home.add("org/beta:8b")
            yield daemon
        finally:
            daemon.end()


@pytest.fixture
def llamactl(daemon: Daemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Llamactl]:
    for name, value in daemon.home.env.items():
        monkeypatch.setenv(name, value)
    yield Llamactl(capsys)
    forget_flags()
    for name in ("alpha", "org/beta:8b"):
        daemon.home.tell(StopModel(name, drain=0))


@contextmanager
def following(home: Home, *typed: str) -> Iterator[Iterator[Any]]:
    """The objects that a command writes, a line each, while it runs."""
    command = [sys.executable, "-m", "llamactl", *typed]
    with subprocess.Popen(command, env=home.env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield map(json.loads, process.stdout)
        finally:
            process.terminate()


def test_wait(llamactl: Llamactl, daemon: Daemon) -> None:
    assert llamactl("start", "alpha", "--no-wait", "--json").json()["items"][0]["state"] in ("starting", "loading")
    assert llamactl("wait", "alpha").code == 0
    assert llamactl("wait", "al*", "--for", "idle", "-o", "name").out == "alpha\n"
    late = llamactl("wait", "alpha", "--for", "stopped", "--timeout", "50ms")
    assert late.code == 8 and "alpha is not stopped after 0.05 s: it is ready" in late.err
    some = llamactl("wait", "alpha", "org/beta:8b", "--timeout", "50ms", "--json")
    assert some.code == 10
    assert llamactl("stop", "alpha").code == llamactl("wait", "alpha", "--for", "stopped").code == 0


def test_wait_for_what_has_failed(llamactl: Llamactl, daemon: Daemon) -> None:
    daemon.home.add("broken")
    (daemon.home.place / "broken.gguf").unlink()
    assert llamactl("start", "broken").code == 1
    failed = llamactl("wait", "broken", "--json")
    assert failed.code == 3 and failed.json()["error"]["hint"] == "llamactl why broken"
    assert llamactl("wait", "broken", "--for", "failed").code == 0
    assert llamactl("models", "rm", "broken", "-y").code == 0


def test_events_as_they_come(llamactl: Llamactl, daemon: Daemon) -> None:
    with following(daemon.home, "events", "-f", "-n", "1", "-o", "jsonl") as events:
        first = next(events)
        assert first["schema"] == "llamactl.event/v1"
        assert llamactl("start", "alpha").code == 0
        seen = [first]
        while seen[-1].get("phase", {}).get("type") != "ready":
            seen.append(next(events))
    numbers = [event["id"] for event in seen]
    assert numbers == sorted(set(numbers)) and {"id", "at", "type"} <= seen[-1].keys()


@pytest.mark.parametrize("format", ["json", "ini"])
def test_models_carried_away_and_back(
    llamactl: Llamactl, daemon: Daemon, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    daemon.home.tell(SetModel("org/beta:8b", {"ctx_size": 512, "threads": 2}))
    assert llamactl("presets", "save", "fast", "--from", "org/beta:8b", "-y").code == 0
    before = llamactl("models", "export").json()
    text = llamactl("models", "export", "--format", format).out
    for name in ("alpha", "org/beta:8b"):
        assert llamactl("models", "rm", name, "-y").code == 0
    with (daemon.home.place / "carried").open("w+") as carried:
        carried.write(text)
        carried.seek(0)
        monkeypatch.setattr(sys, "stdin", carried)
        assert llamactl("models", "import", "-").out == "+ alpha\n+ org/beta:8b\n"
    assert llamactl("models", "export").json() == before
    assert llamactl("models", "import", f"{daemon.home.place}/carried", "--json").json()["unchanged"] != []


def test_any_call(llamactl: Llamactl, daemon: Daemon) -> None:
    asked = llamactl("api", "models.show", '{"name": "org/beta:8b"}').json()
    assert asked["name"] == "org/beta:8b"
    assert llamactl("-H", daemon.url, "api", "models.show", '{"name": "org/beta:8b"}').json() == asked
    assert llamactl("api", "models.show", '{"name": "gamma"}').code == 4
    assert llamactl("-H", daemon.url, "api", "daemon.stop").code == 6
    with following(daemon.home, "-H", daemon.url, "api", "watch", '{"types": ["instance"]}') as told:
        assert {"last_event", "instances"} <= next(told).keys()
        assert llamactl("start", "alpha").code == 0
        assert next(told)["event"]["model"] == "alpha"


def test_nothing_is_wrong(llamactl: Llamactl, daemon: Daemon) -> None:
    for named in ([], ["-H", daemon.url]):
        found = llamactl(*named, "doctor", "-o", "name", "--timeout", "20s").out.split()
        assert [code for code in found if not code.startswith(("gpu-", "disk-"))] == []
