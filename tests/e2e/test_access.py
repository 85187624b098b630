"""Keys, pages, TLS and limits of a daemon that runs."""

import http.client
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anthropic
import jwt
import msgspec
import openai
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from llamactl.rpc.calls import (
    CreateKey,
    ListEvents,
    ListKeys,
    ListRequests,
    NewKey,
    Reload,
    RevokeKey,
    RotateKey,
    StartModel,
    Status,
)
from tests.certificates import Certificate
from tests.e2e.conftest import Begin
from tests.e2e.running import PATIENCE, Daemon, Home, until


def configure(home: Home, text: str) -> None:
    file = home.place / "config" / "llamactl" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def chat(daemon: Daemon, key: str = "", **headers: str) -> int:
    shown = {"Authorization": f"Bearer {key}"} if key else {}
    body = {"model": "alpha", "messages": [{"role": "user", "content": "hello"}]}
    return daemon.ask("/v1/chat/completions", body, **shown, **headers).status


def rpc(daemon: Daemon, method: str, key: str = "", **params: object) -> tuple[int, dict[str, object]]:
    shown = {"Authorization": f"Bearer {key}"} if key else {}
    answer = daemon.ask("/rpc", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, **shown)
    return answer.status, answer.json()


def everything_under(place: Path) -> Iterator[tuple[Path, bytes]]:
    for path in place.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path, path.read_bytes()


def test_keys_from_the_first_to_the_last(home: Home, daemon: Daemon) -> None:
    home.add("alpha")
    assert chat(daemon) == chat(daemon, "sk-whatever") == 200, "nobody needs one, as long as there is none"
    assert rpc(daemon, "models.list")[0] == 401, "but for this"
    made = home.run("keys", "create", "editor", "--scope", "control", "--rate", "100/min")
    text = made.stdout.strip()
    assert chat(daemon) == chat(daemon, "sk-whatever") == 401
    assert chat(daemon, text) == 200 and daemon.ask("/health").status == 200
    assert rpc(daemon, "models.list", text)[1]["result"]
    assert "error" in rpc(daemon, "keys.list", text)[1], "that takes admin"
    path = "/api/model-templates"
    changed = daemon.ask(path, {"model_templates": {}}, Authorization=f"Bearer {text}")
    assert changed.json()["data"] == {"model_templates": {}}, changed
    assert daemon.ask(path, {"model_templates": {}}).status == 401
    said = home.run("chat", "alpha", "hello", check=False)
    assert said.returncode == 6 and "LLAMACTL_API_KEY" in said.stderr
    assert home.run("chat", "alpha", "hello", LLAMACTL_API_KEY=text).stdout.strip()

    other = home.tell(CreateKey("reader", scopes=("infer",), models=("beta*",), expires=time.time() + 3600))
    assert chat(daemon, other.text) == 403
    assert daemon.ask("/v1/models", Authorization=f"Bearer {other.text}").json()["data"] == []
    assert daemon.ask("/v1/models/alpha", Authorization=f"Bearer {other.text}").status == 403
    watcher = home.tell(CreateKey("watcher", scopes=("observe",), models=("beta*",)))
    assert daemon.ask("/api/requests", Authorization=f"Bearer {watcher.text}").status == 403, "of all models"
    sdks(daemon, home.tell(CreateKey("sdk", rate=2.0)).text)
    new = home.tell(RotateKey("editor"))
    assert (chat(daemon, text), chat(daemon, new.text)) == (401, 200)
    ended_with(home, daemon, new)
    assert chat(daemon, new.text) == 401 and chat(daemon) == 401, "there is another one"
    until(lambda: all(key.last_used for key in home.tell(ListKeys(all=True))))

    misused = {(new.key.id, "secret"), (new.key.id, "revoked"), (other.key.id, "model"), (watcher.key.id, "scope")}
    until(lambda: misused <= {(e.event.key, e.event.what) for e in home.tell(ListEvents(types=("key",)))})  # type: ignore[union-attr]
    shown = home.run("events", "--type", "key").stdout
    assert f"the key {other.key.id} was used for a model that it is not for, from 127.0.0.1" in shown

    secrets = [each.rpartition("_")[2].encode() for each in (text, other.text, new.text)]
    daemon.ask("/v1/chat/completions", {"model": text}, Authorization=f"Bearer {text}")
    told = daemon.ask("/v1/models", Authorization=f"Bearer {other.text}").body
    requests, events = home.tell(ListRequests(limit=1000)), home.tell(ListEvents())
    assert {request.key for request in requests} >= {other.key.id, new.key.id} and events
    told += msgspec.json.encode([requests, events])
    told += (home.run("--json", "events").stdout + home.run("config", "show").stdout).encode()
    arguments = b"\0".join(
        " ".join(process.cmdline() + [f"{k}={v}" for k, v in process.environ().items()]).encode()
        for process in psutil.Process(daemon.process.pid).children(recursive=True)
    )
    daemon.end()  # all that is kept is on the disk now
    for secret in secrets:
        assert secret not in arguments + told
        assert [path for path, content in everything_under(home.place) if secret in content] == []
    names = {path.name for path, _ in everything_under(home.place)}
    assert "llamactl.db" in names and any(name.startswith("application-") for name in names)


def ended_with(home: Home, daemon: Daemon, new: NewKey) -> None:
    """A stream and who watches end when the key does, and are told why."""
    home.add("slow", tokens=1000, token_interval=0.02)
    shown = {"Authorization": f"Bearer {new.text}"}
    with openai.OpenAI(base_url=f"{daemon.url}/v1", api_key=new.text, max_retries=0) as client:
        messages: Any = [{"role": "user", "content": "hello"}]
        stream = iter(client.chat.completions.create(model="slow", messages=messages, stream=True))
        assert next(stream)
        url = f"{daemon.url.replace('http', 'ws', 1)}/llamaproxws"
        watching, following = connect(url, additional_headers=shown), daemon.connect()
        with closing(following), watching:
            following.request("GET", "/api/events", headers=shown)
            events = following.getresponse()
            assert events.readline() and json.loads(watching.recv(PATIENCE))["type"] == "connection"
            began = time.monotonic()
            home.tell(RevokeKey(new.key.id))
            with pytest.raises(openai.APIError, match="the key editor was revoked"):
                list(stream)
            with pytest.raises(http.client.IncompleteRead) as broken:
                events.read()
            assert b"the key editor was revoked" in broken.value.partial
            told = json.loads(watching.recv(PATIENCE))
            assert told["type"] == "error" and told["data"]["code"] == "unauthorized", told
            with pytest.raises(ConnectionClosed) as closed:
                watching.recv(PATIENCE)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008
            assert time.monotonic() - began < 5


def sdks(daemon: Daemon, key: str) -> None:
    """The SDKs of OpenAI and Anthropic raise what they have for a wrong key, and for one that has had enough."""

    def gpt(shown: str) -> object:
        with openai.OpenAI(base_url=f"{daemon.url}/v1", api_key=shown, max_retries=0) as client:
            return client.chat.completions.create(model="alpha", messages=[{"role": "user", "content": "hello"}])

    def claude(shown: str) -> object:
        with anthropic.Anthropic(base_url=daemon.url, api_key=shown, max_retries=0) as client:
            return client.messages.create(model="alpha", messages=[{"role": "user", "content": "hello"}], max_tokens=8)

    assert gpt(key) and gpt(key)
    for ask, sdk in ((gpt, openai), (claude, anthropic)):
        with pytest.raises(sdk.AuthenticationError, match="not known"):
            ask(key[:-1] + ("a" if key[-1] != "a" else "b"))
        with pytest.raises(sdk.RateLimitError) as limited:
            ask(key)
        assert 0 < int(limited.value.response.headers["retry-after"]) <= 60


def test_what_may_be_done_without_one_is_configured_while_it_runs(home: Home, daemon: Daemon) -> None:
    home.add("alpha")
    home.tell(CreateKey("editor"))
    assert chat(daemon) == 401
    configure(home, "access.anonymous = 'infer'\naccess.rate = 2\nhttp.cors_origins = ['https://chat.example']")
    changed = home.tell(Reload()).changed
    assert changed == ("http.cors_origins", "access.anonymous", "access.rate")
    assert [chat(daemon) for _ in range(3)] == [200, 200, 429]
    refused = daemon.ask("/v1/models", Origin="https://chat.example")
    assert refused.status == 429 and refused.headers["access-control-allow-origin"] == "https://chat.example"
    assert int(refused.headers["retry-after"]) <= 60 and refused.headers["x-ratelimit-limit"] == "2"
    assert chat(daemon, Host="evil.example") == 403
    configure(home, "access.anonymous = 'none'\nhttp.allowed_hosts = ['evil.example']")
    home.tell(Reload())
    assert chat(daemon) == 403 and chat(daemon, Host="evil.example") == 401


def test_tokens(home: Home, begin: Begin) -> None:
    secret = home.place / "secret"
    secret.write_text("s" * 40)
    who = "access.jwt_audience = 'llamactl'\naccess.jwt_issuer = 'me'"
    configure(home, f"access.jwt_secret = '{secret}'\naccess.jwt_leeway = 0\n{who}")
    daemon = begin()
    home.add("alpha")
    home.add("slow", tokens=1000, token_interval=0.02)
    claims = {"sub": "x", "aud": "llamactl", "iss": "me", "exp": time.time() + 600, "scope": "infer"}
    token = jwt.encode(claims, "s" * 40)
    assert (chat(daemon), chat(daemon, token), chat(daemon, token + "x")) == (401, 200, 401)
    assert rpc(daemon, "models.list", token)[0] == 403
    home.tell(StartModel("slow"))
    end = int(time.time()) + 2
    with openai.OpenAI(base_url=f"{daemon.url}/v1", api_key=jwt.encode(claims | {"exp": end}, "s" * 40)) as client:
        messages: Any = [{"role": "user", "content": "hello"}]
        stream = iter(client.chat.completions.create(model="slow", messages=messages, stream=True))
        assert next(stream)
        with pytest.raises(openai.APIError, match="the token of x has expired"):
            list(stream)
        assert 0 <= time.time() - end < 3
    secret.write_text("t" * 40)
    assert home.tell(Reload()).changed == (), "nothing but what is in the file"
    assert chat(daemon, token) == 401 and chat(daemon, jwt.encode(claims, "t" * 40)) == 200


def test_tls(home: Home, begin: Begin) -> None:
    certificate = Certificate(home.place)
    socket = home.place / "door.sock"
    configure(
        home,
        f"http.tls_cert = '{certificate.file}'\nhttp.tls_key = '{certificate.key}'\nhttp.listen = ['unix://{socket}']",
    )
    daemon = begin()
    home.add("alpha")
    assert daemon.url.startswith("https://127.0.0.1:")

    def ask(trusted: ssl.SSLContext) -> int:
        connection = http.client.HTTPSConnection(urlsplit(daemon.url).netloc, context=trusted, timeout=20)
        try:
            connection.request("POST", "/v1/completions", json.dumps({"model": "alpha", "prompt": "x" * 1_000_000}))
            return connection.getresponse().status
        finally:
            connection.close()

    before = certificate.trusted()
    assert ask(before) == 200
    assert home.run("chat", "alpha", "hello").stdout.strip()
    certificate.renew()
    home.tell(Reload())
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(before)
    assert ask(certificate.trusted()) == 200


def test_where_others_reach_it(home: Home, begin: Begin) -> None:
    certificate = Certificate(home.place)
    configure(home, f"http.tls_cert = '{certificate.file}'\nhttp.tls_key = '{certificate.key}'")
    refused = home.run("daemon", "start", check=False, LLAMACTL_HTTP_HOST="0.0.0.0")
    assert refused.returncode == 5 and "takes keys and TLS" in refused.stderr
    begin()
    home.tell(CreateKey("editor"))
    home.run("daemon", "stop")
    daemon = begin(http_host="0.0.0.0")
    assert "can be reached" not in daemon.log()
    home.run("daemon", "stop")
    configure(home, "")
    home.run("daemon", "start", "--insecure", LLAMACTL_HTTP_HOST="0.0.0.0")
    try:
        home.run("daemon", "reexec")

        def warned() -> int:
            records = (home.place / "state").rglob("application-*.log")
            return sum(path.read_text().count("without keys or without TLS") for path in records)

        until(lambda: warned() == 2)
        assert home.tell(Status()).http[0].startswith("http://0.0.0.0:")
    finally:
        home.run("daemon", "stop")
    configure(home, "access.insecure = true")
    assert "0.0.0.0" in (log := begin(http_host="0.0.0.0").log()) and "without keys or without TLS" in log
