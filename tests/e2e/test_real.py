"""The real llama-server, with a model of half a megabyte."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Begin
from tests.e2e.running import Daemon, Home, together, until
from tests.engines.client import ask
from tests.engines.tiny_model import write_tiny_model, write_truncated_model, write_unsupported_model

CHAT = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 12, "temperature": 0, "seed": 1}

SMALL = {
    "llama_server_path": "",
    "llama_server_ctx_size": "512",
    "llama_server_skip_chat_parsing": "true",
    "llama_server_threads": "1",  # with more, a busy machine makes them wait for each other for seconds
}


@pytest.fixture
def real(begin: Begin, real_engine: str, home: Home, tiny: Path) -> Daemon:
    del home  # its directories are the daemon's
    return begin(**SMALL)


def test_chat_completion_embeddings(home: Home, real: Daemon, tiny: Path) -> None:
    home.run("models", "add", str(tiny), "--name", "tiny")
    chat = real.ask("/v1/chat/completions", {"model": "tiny", **CHAT})
    assert chat.status == 200
    assert chat.json()["choices"][0]["message"]["content"]
    assert chat.json()["usage"]["completion_tokens"] == 12
    assert real.ask("/completions", {"model": "tiny", "prompt": "x", "max_tokens": 4}).json()["content"]
    embeddings = real.ask("/v1/embeddings", {"model": "tiny", "input": "x"})
    assert embeddings.status == 501, "this llama-server was started without --embeddings; its own answer comes through"
    with real.stream("tiny", max_tokens=12) as answer:
        events = [line for line in answer.read().decode().split("\n\n") if line]
    assert events[-1] == "data: [DONE]"
    assert len(events) > 10


def test_nobody_is_left_behind_when_many_come_at_once(home: Home, real: Daemon, tiny: Path) -> None:
    home.run("models", "add", str(tiny), "--name", "tiny")
    home.run("start", "tiny")

    def longest(_: int) -> float:
        took = []
        for _ in range(15):
            began = time.monotonic()
            assert real.ask("/v1/completions", {"model": "tiny", "prompt": "x", "max_tokens": 1}).status == 200
            took.append(time.monotonic() - began)
        return max(took)

    assert max(together(30, longest)) < 4.5, "with its own few threads llama-server lets some wait for 5 s and more"


def test_answers_are_those_of_llama_server(home: Home, real: Daemon, tiny: Path) -> None:
    """The same request directly and through the port: status, content type and body."""
    home.run("models", "add", str(tiny), "--name", "tiny")
    home.run("start", "tiny")
    endpoint = str(next((home.runtime / "sockets").glob("*.sock")))
    requests: list[tuple[str, Any]] = [
        ("/v1/chat/completions", CHAT),
        ("/v1/chat/completions", {**CHAT, "stream": True}),
        ("/v1/chat/completions", {"messages": "not a list"}),
        ("/v1/completions", {"prompt": "x", "max_tokens": 3, "temperature": 0, "seed": 1}),
        ("/completions", {"prompt": "x", "n_predict": 3, "temperature": 0, "seed": 1}),
        ("/v1/embeddings", {"input": "x"}),
    ]
    for path, body in requests:
        body = {**body, "model": "tiny", "cache_prompt": False}
        direct = ask(endpoint, path, body)
        through = real.ask(path, body)
        assert through.status == direct.status
        headers = {name.lower(): value for name, value in direct.headers}
        assert through.headers["content-type"] == headers["content-type"]
        assert _stable(through.body) == _stable(direct.body)


def _stable(body: bytes) -> list[Any]:
    """The body without what differs from one answer to the next: ids, times, timings."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            varying = ("id", "created", "timings", "id_slot", "tokens_cached")
            return {key: strip(inner) for key, inner in value.items() if key not in varying}
        return [strip(inner) for inner in value] if isinstance(value, list) else value

    texts = [part.removeprefix("data: ") for part in body.decode().split("\n\n")]
    return [strip(json.loads(text)) if text.startswith("{") else text for text in texts]


def test_fifty_first_requests(home: Home, real: Daemon, tiny: Path) -> None:
    home.run("models", "add", str(tiny), "--name", "tiny")
    answers = together(50, lambda _: real.ask("/v1/completions", {"model": "tiny", "prompt": "x", "max_tokens": 2}))
    assert {answer.status for answer in answers} == {200}
    assert len(home.processes("llama-server")) == 1


def test_stopping_with_an_open_stream(home: Home, real: Daemon, tiny: Path) -> None:
    """llama-server itself would take 30 s: it looks at its streams when it pings them."""
    home.run("models", "add", str(tiny), "--name", "tiny")
    with real.stream("tiny", max_tokens=100000) as answer:
        answer.readline()
        began = time.monotonic()
        home.run("stop", "tiny", "--force")
        assert time.monotonic() - began < 3
    assert not home.processes("llama-server")


def test_leaving_a_stream_frees_the_model(home: Home, real: Daemon, tiny: Path) -> None:
    home.run("models", "add", str(tiny), "--name", "tiny")
    with real.stream("tiny", max_tokens=100000) as answer:
        answer.readline()
    began = time.monotonic()
    home.run("stop", "tiny")  # which waits for leases
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("how", ["truncated", "unsupported", "gone"])
def test_files_it_cannot_load(home: Home, real: Daemon, tmp_path: Path, how: str) -> None:
    path = tmp_path / "broken.gguf"
    write_tiny_model(path) if how == "truncated" else write_unsupported_model(path)
    home.run("models", "add", str(path), "--name", "broken")
    if how == "gone":
        path.unlink()
    elif how == "truncated":
        write_truncated_model(path, 0.7)  # before that it would not have been taken in
    word = {"truncated": "bounds", "unsupported": "nonesuch", "gone": "does not exist"}[how]

    def told() -> bool:
        answer = real.chat("broken")
        assert answer.status == 503
        assert "broken could not be loaded" in answer.error["message"]
        return word in answer.error["message"]

    until(told)  # a llama-server that ends at once loses its last lines now and then


def test_models_that_take_turns(home: Home, begin: Begin, real_engine: str, tiny: Path, tmp_path: Path) -> None:
    daemon = begin(**SMALL, residency_max_models="1")
    for name in ("alpha", "beta"):
        shutil.copy(tiny, tmp_path / f"{name}.gguf")
    home.run("models", "scan", str(tmp_path))
    for name in ("alpha", "beta", "alpha"):
        assert daemon.ask("/v1/chat/completions", {"model": name, **CHAT}).json()["model"] == name
        assert len(home.processes("llama-server")) == 1


def test_quickstart_twice(home: Home, real_engine: str, tiny: Path) -> None:
    home.env |= {f"LLAMACTL_{name.upper()}": value for name, value in SMALL.items()}
    try:
        first = home.run("quickstart", "--model", str(tiny))
        assert first.stdout.strip(), "the answer"
        assert "started (pid" in first.stderr
        pid = home.json("daemon", "status")["pid"]
        second = home.run("quickstart", "--model", str(tiny))
        assert second.stdout.strip()
        assert "runs already" in second.stderr
        assert home.json("daemon", "status")["pid"] == pid
        assert [row.requests for row in home.instances()] == [4], "two loads' leases, two answers, one process"
        assert len(home.processes("llama-server")) == 1
    finally:
        home.run("daemon", "stop")
    assert not home.processes("llama-server")


def test_quickstart_without_network_and_without_a_model(home: Home, real_engine: str) -> None:
    done = home.run("quickstart", check=False, PIP_INDEX_URL="http://127.0.0.1:9/simple")
    assert done.returncode == 1
    assert "--model FILE" in done.stderr
    assert "Traceback" not in done.stderr
    assert not home.processes("llamactl"), "a daemon that it started is stopped again"


def test_quickstart_without_an_engine(home: Home, tiny: Path) -> None:
    done = home.run("quickstart", "--model", str(tiny), check=False, LLAMACTL_LLAMA_SERVER_PATH="/nonexistent")
    assert done.returncode == 4
    assert "/nonexistent" in done.stderr
    assert not home.processes("llamactl")
