"""A daemon over HTTP: its WebSocket through the door, and the command line with `-H http://…`."""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from llamactl.core.errors import Forbidden, NotFound, TimedOut, Unreachable
from llamactl.core.events import CatalogueChanged, Numbered
from llamactl.rpc.calls import AliasModel, CreateKey, ListInstances, StartModel, StopModel, WaitModel, WhyModel
from llamactl.rpc.remote import Remote
from tests.e2e.conftest import Begin
from tests.e2e.running import PATIENCE, Daemon, Home, fake_engine
from tests.e2e.test_workers import free_port
from tests.web import npm


@pytest.fixture(scope="module")
def shared() -> Iterator[Daemon]:
    """For those that leave it as it is, with a model."""
    with tempfile.TemporaryDirectory(prefix="ll") as place:
        daemon = Daemon(Home(Path(place)), **fake_engine()).wait_until_up()
        daemon.home.add("alpha")
        yield daemon
        daemon.end()


def test_the_command_line_over_http(shared: Daemon) -> None:
    home, daemon = shared.home, shared
    away = home.run("-H", daemon.url, "ps", "-a", "-o", "name", XDG_RUNTIME_DIR="/nowhere")
    assert away.stdout == "alpha\n"
    assert home.run("models", "-o", "name", LLAMACTL_HOST=daemon.url, XDG_RUNTIME_DIR="/nowhere").stdout == "alpha\n"
    assert home.json("-H", daemon.url, "events", "--type", "catalogue")["items"][-1]["added"] == ["alpha"]
    refused = home.json("-H", daemon.url, "start", "alpha", code=6)
    assert refused["error"]["code"] == "forbidden" and "control" in refused["error"]["message"]
    assert home.json("-H", daemon.url, "daemon", "run", code=5)["error"]["hint"] == "leave -H out"
    assert home.json("-H", "http://127.0.0.1:1", "daemon", "start", code=5)["error"]["hint"].startswith("leave -H")
    nobody = home.json("-H", "http://127.0.0.1:1", "ps", code=7)
    assert "127.0.0.1:1" in nobody["error"]["message"]


def test_a_key_opens_what_it_is_for(home: Home, daemon: Daemon) -> None:
    home.add("alpha")
    keys = {scope: home.json("keys", "create", scope, "--scope", scope)["text"] for scope in ("infer", "control")}
    asked = ("-H", daemon.url)
    assert home.json(*asked, "ps", code=6)["error"]["code"] in ("unauthorized", "forbidden")
    home.env["LLAMACTL_API_KEY"] = keys["infer"]
    assert home.json(*asked, "ps", code=6)["error"]["code"] == "forbidden"
    home.env["LLAMACTL_API_KEY"] = keys["control"]
    assert home.run(*asked, "start", "alpha").stderr.startswith("alpha is ready")
    assert home.run(*asked, "stop", "alpha").stderr == "alpha is stopped\n"
    assert home.json(*asked, "daemon", "stop", code=6)["error"]["code"] == "forbidden"
    assert home.run(*asked, "config", "get", "residency.ttl").stdout == "15m\n"
    assert home.json(*asked, "config", "set", "residency.ttl", "9m", code=6)["error"]["code"] == "forbidden"
    home.env["LLAMACTL_API_KEY"] = home.tell(CreateKey("owner", scopes=("admin",))).text
    said = home.run(*asked, "config", "set", "residency.ttl", "9m", XDG_CONFIG_HOME="/nowhere").stderr
    assert said.startswith("counts from now on: residency.ttl (")
    shown = home.run(*asked, "config", "show", XDG_CONFIG_HOME="/nowhere").stdout.splitlines()
    assert ["residency.ttl", '"9m"'] in [line.split() for line in shown]
    assert home.json(*asked, "config", "unset", "residency.ttl")["changed"] is True

    logs_over_http(home, daemon)


def logs_over_http(home: Home, daemon: Daemon) -> None:
    """As there: from the files of one run to those of the next, without a gap and nothing twice."""
    asked = ("-H", daemon.url, "logs")
    home.tell(AliasModel("alpha", ("al",)))
    there = home.run("logs", "alpha").stdout.splitlines()
    assert home.run(*asked, "al", XDG_STATE_HOME="/nowhere").stdout.splitlines() == there and len(there) > 3
    listening = [line for line in there if re.search("listen.ng", line)][-2:]
    assert (
        listening
        == home.run(*asked, "a*", "-n", "2", "--grep", "listen.ng", XDG_STATE_HOME="/nowhere").stdout.splitlines()
    )
    assert "serves on" in home.run(*asked, "--grep", "serves", XDG_STATE_HOME="/nowhere").stdout
    command = [sys.executable, "-m", "llamactl", *asked, "-f", "-n", "2", "alpha"]
    with subprocess.Popen(
        command, env={**home.env, "XDG_STATE_HOME": "/nowhere"}, stdout=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout
        told = [following.stdout.readline()[:-1] for _ in range(2)]
        home.tell(StartModel("alpha"))
        *_, run = sorted((home.place / "state").rglob("models/alpha/*.log"))
        told += [following.stdout.readline()[:-1] for _ in run.read_text().splitlines()]
        assert told == there[-2:] + run.read_text().splitlines()[: len(told) - 2]
        following.terminate()
        following.stdout.close()


def test_socket_io_over_http(home: Home, daemon: Daemon, pytestconfig: pytest.Config) -> None:
    """The client from npm, through the port and with a key."""
    assert pytestconfig.cache is not None
    home.add("alpha")
    keys = {scope: home.tell(CreateKey(scope, scopes=(scope,))).text for scope in ("infer", "control")}
    for scope, heard in {"infer": ["connect_error"], "control": ["connect", "message", "models"]}.items():
        environment = npm.environment(pytestconfig.cache, KEY=keys[scope])
        command, pipe = npm.command(daemon.url, "polling", "websocket"), subprocess.PIPE
        with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as client:
            assert client.stdin and client.stdout
            for event in heard:
                if event == "models":
                    client.stdin.write('["requestModels", {}]\n')
                    client.stdin.flush()
                # Every 10 s it is told of metrics as well, whatever else it hears.
                told = next(each for line in client.stdout if (each := json.loads(line))["event"] != "metrics")
                assert told["event"] == event, told
            client.stdin.close()
    assert told["data"]["data"][0]["name"] == "alpha"


def test_following_events_over_http(shared: Daemon) -> None:
    home, daemon = shared.home, shared
    command = [sys.executable, "-m", "llamactl", "-H", daemon.url, "events", "-f", "-o", "jsonl", "--type", "catalogue"]
    with subprocess.Popen(command, env=home.env, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout
        assert json.loads(following.stdout.readline())["added"] == ["alpha"], "what there was"
        home.tell(AliasModel("alpha", ("a",)))
        assert json.loads(following.stdout.readline())["changed"] == ["alpha"]
        following.terminate()
        following.stdout.close()


def test_the_topics_of_a_real_daemon(shared: Daemon) -> None:
    """Through the door: what is told of a model from its start to what it writes."""
    home, daemon = shared.home, shared
    with connect(f"{daemon.url.replace('http', 'ws')}/llamaproxws", proxy=None, compression=None) as socket:

        def hear() -> Any:
            return json.loads(socket.recv(PATIENCE))

        last = hear()["data"]["lastEvent"]
        socket.send(json.dumps({"type": "subscribe", "data": {"topics": ["models", "logs", "status"]}}))
        assert hear()["data"]["lastEvent"] == last
        home.tell(StartModel("alpha", wait=False))
        states: list[str] = []
        lines: list[str] = []
        while "ready" not in states or not lines:
            message = hear()
            assert message["type"] in ("models", "logs", "status")
            if message["type"] == "models":
                states += [row["state"] for row in message["data"]["models"] if row["name"] == "alpha"]
            elif message["type"] == "logs":
                for each in message["data"]["lines"]:
                    lines += each["lines"] if each["source"] == "alpha" else []
        assert states[0] == "stopped" and states[-3:] == ["starting", "loading", "ready"]
    home.tell(StopModel("alpha"))


def test_those_who_watch_do_not_hold_up_the_end(daemon: Daemon) -> None:
    with (
        connect(f"{daemon.url.replace('http', 'ws')}/llamaproxws", proxy=None) as socket,
        closing(daemon.connect()) as connection,
    ):
        socket.recv(PATIENCE)
        connection.request("GET", "/api/events")
        answer = connection.getresponse()
        assert answer.status == 200
        began = time.monotonic()
        assert daemon.end() == 0
        assert time.monotonic() - began < 10, "not the 30 s that an answer may take"
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(PATIENCE)
        assert closed.value.rcvd and closed.value.rcvd.code == 1001
        answer.close()


def test_a_watcher_comes_back_by_the_rules(home: Home, begin: Begin) -> None:
    """1, 2, 4, 8, 16 s and then each 30 s; what happened meanwhile is told, once."""
    port = str(free_port())
    daemon = begin(http_port=port)
    home.add("alpha")
    pauses: list[float] = []
    states: list[str] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 7:
            begin(http_port=port)
            home.tell(AliasModel("alpha", ("while-away",)))

    with Remote(daemon.url, PATIENCE, told=states.append, sleep=sleep) as remote:
        snapshot, notices = remote.watch()
        home.tell(AliasModel("alpha", ("before",)))
        seen = [next(notices)]
        daemon.process.kill()
        daemon.process.wait()
        while not isinstance(seen[-1], Numbered) or not isinstance(seen[-1].event, CatalogueChanged) or len(seen) < 2:
            seen.append(next(notices))
    numbers = [notice.id for notice in seen if isinstance(notice, Numbered)]
    assert numbers == [*range(snapshot.last_event + 1, snapshot.last_event + 1 + len(seen))]
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert [state.partition(" to ")[0].partition(" from ")[0] for state in states] == [
        *["reconnecting"] * 5,
        "disconnected",
        "connected",
    ]
    assert "(5/5)" in states[4] and "every 30 s" in states[5]


def test_calls_over_http(shared: Daemon) -> None:
    with Remote(shared.url, PATIENCE) as remote:
        assert [row.name for row in remote.call(ListInstances(all=True))] == ["alpha"]
        assert remote.call(WhyModel("alpha")).instance.name == "alpha"
        with pytest.raises(NotFound):
            remote.call(WhyModel("beta"))
        for call in (StartModel("alpha"), StopModel("alpha")):
            with pytest.raises(Forbidden):
                remote.call(call)
    with Remote(shared.url, 0.3) as remote, pytest.raises(TimedOut, match=r"within 0.3 s"):
        remote.call(WaitModel("alpha", timeout=5.0))


def test_what_is_no_daemon(shared: Daemon) -> None:
    with pytest.raises(Unreachable):
        Remote(shared.url.replace("http://", "https://"), 2.0)
    with pytest.raises(Unreachable):
        Remote("http://no.such.host.invalid:1", 2.0)
