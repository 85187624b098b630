"""Requests through the port, to a fake llama-server that can be made to misbehave."""

import http.client
import json
import socket
import statistics
import time
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import Begin
from tests.e2e.running import Daemon, Home, together, until


def test_a_model_is_loaded_by_the_first_request_for_it(home: Home, daemon: Daemon) -> None:
    home.add("alpha")
    assert daemon.state("alpha") == "stopped"
    answer = daemon.chat("alpha", "are you there?")
    assert answer.status == 200
    assert answer.json()["echo"] == "are you there?"
    assert answer.json()["model"] == "alpha"
    assert daemon.state("alpha") == "ready"


@pytest.mark.parametrize("path", ["chat/completions", "completions", "embeddings"])
@pytest.mark.parametrize("prefix", ["/", "/v1/"])
def test_endpoints(home: Home, daemon: Daemon, prefix: str, path: str) -> None:
    home.add("alpha")
    body = {"model": "alpha", "messages": [], "prompt": "x", "input": "x"}
    assert daemon.ask(prefix + path, body).status == 200
    asked = [request["path"] for request in home.record("alpha", "request")]
    asked = [path for path in asked if path not in ("/health", "/props", "/v1/models")]
    assert set(asked) == {prefix + path}
    assert len(asked) <= 2, "streams of this one have a member that no llama-server's have: it is asked again without"


def test_fifty_first_requests_start_one_process(home: Home, daemon: Daemon) -> None:
    home.add("alpha", load_seconds=0.5)
    answers = together(50, lambda n: daemon.chat("alpha", f"question {n}"))
    assert [answer.json()["echo"] for answer in answers] == [f"question {n}" for n in range(50)]
    assert len(home.record("alpha", "start")) == 1


def test_streams_arrive_as_they_are_said(home: Home, daemon: Daemon) -> None:
    home.add("alpha", tokens=10, token_interval=0.05)
    daemon.chat("alpha")
    began = time.monotonic()
    with daemon.stream("alpha") as answer:
        first = answer.readline()
        assert first.startswith(b"data: {")
        assert time.monotonic() - began < 0.4, "the first event waited for the last"
        events = [line for line in answer if line.strip()]
    assert events[-1] == b"data: [DONE]\n"
    assert time.monotonic() - began >= 0.4


def test_two_models_that_do_not_fit_together_take_turns(home: Home, begin: Begin) -> None:
    daemon = begin(residency_max_models="1")
    for name in ("alpha", "beta"):
        home.add(name, load_seconds=0.05)
    for name in ("alpha", "beta", "alpha"):
        assert daemon.chat(name).json()["model"] == name
    assert len(home.record("alpha", "start")) == 2
    answers = together(12, lambda n: daemon.chat("alpha" if n % 2 else "beta"))
    assert [answer.json()["model"] for answer in answers] == ["beta", "alpha"] * 6
    assert len(home.record("alpha", "start")) + len(home.record("beta", "start")) <= 3 + 2, "more swaps than needed"


def test_a_busy_model_is_not_stopped_for_another(home: Home, begin: Begin) -> None:
    daemon = begin(residency_max_models="1")
    for name in ("alpha", "beta"):
        home.add(name, tokens=30, token_interval=0.02)
    with daemon.stream("alpha") as answer:
        answer.readline()
        later = daemon.chat("beta", max_tokens=1)
        assert answer.read().endswith(b"data: [DONE]\n\n")
    assert later.status == 200
    assert home.record("beta", "start")[0]["at"] >= home.record("alpha", "answered")[-1]["at"]


# --- bad input ----------------------------------------------------------------------------------------


def test_an_unknown_model_is_404(home: Home, daemon: Daemon) -> None:
    home.add("alpha")
    answer = daemon.chat("alhpa")
    assert answer.status == 404
    assert answer.error["code"] == "not_found"
    assert "alpha" in answer.error["message"], "it says what is alike"


def test_no_model_is_400_unless_there_is_a_default(home: Home, begin: Begin) -> None:
    daemon = begin()
    home.add("alpha")
    answer = daemon.ask("/v1/chat/completions", {"messages": []})
    assert answer.status == 400
    assert "default" in answer.error["message"]
    daemon.end()
    daemon = begin(models_default="alpha")
    assert daemon.ask("/v1/chat/completions", {"messages": []}).json()["model"] == "alpha"


def test_a_body_that_is_not_json_is_400(daemon: Daemon) -> None:
    answer = daemon.ask("/v1/chat/completions", b'{"model": ')
    assert answer.status == 400
    assert "not JSON" in answer.error["message"]


def test_a_body_that_is_too_large_is_413_before_it_is_read(begin: Begin) -> None:
    daemon = begin(http_max_body="1MiB")
    with socket.create_connection(_address(daemon), timeout=10) as client:
        client.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n{")
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert answer.status == 413
        assert json.loads(answer.read())["error"]["code"] == "body_too_large"


def test_large_bodies_arrive_whole(home: Home, daemon: Daemon) -> None:
    home.add("alpha")
    text = "x" * (20 << 20)
    assert daemon.chat("alpha", text).json()["echo"] == text


def test_a_model_that_cannot_load_is_503_with_the_reason(home: Home, daemon: Daemon) -> None:
    reason = "0.00.004.2 E llama_model_load: error loading model: tensor 'output.weight' is not within the file bounds"
    home.add("alpha", crash_at="start", error_lines=[reason])
    answers = together(5, lambda _: daemon.chat("alpha"))
    assert {answer.status for answer in answers} == {503}
    assert all("not within the file bounds" in answer.error["message"] for answer in answers)
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
    assert len(home.record("alpha", "start")) == 1, "what cannot work is not retried"
    failed = home.run("start", "alpha", check=False)
    assert failed.returncode == 1
    assert "not within the file bounds" in failed.stderr
    assert daemon.state("alpha") == "failed"


@pytest.mark.parametrize(("binary", "reason"), [("/bin/true", "llama-server"), ("/nonexistent/llama-server", "exist")])
def test_a_binary_that_is_not_llama_server(home: Home, begin: Begin, binary: str, reason: str) -> None:
    daemon = begin(llama_server_path=binary)
    home.add("alpha")
    answer = daemon.chat("alpha")
    assert answer.status == 503
    assert reason in answer.error["message"]


def test_a_client_that_leaves_a_stream_stops_it_at_once(home: Home, daemon: Daemon) -> None:
    home.add("alpha", tokens=1000, token_interval=0.01)
    left = []
    for _ in range(10):
        with daemon.stream("alpha") as answer:
            answer.readline()
            left.append(time.monotonic())
        until(lambda: len(home.record("alpha", "aborted")) == len(left))
    stopped = [note["at"] for note in home.record("alpha", "aborted")]
    assert statistics.median(at - then for at, then in zip(stopped, left, strict=True)) <= 0.1
    until(lambda: home.instances()[0].leases == 0)


def test_a_client_that_leaves_while_it_waits_starts_nothing(home: Home, begin: Begin) -> None:
    daemon = begin(residency_max_models="1")
    home.add("alpha", tokens=1000, token_interval=0.01)
    home.add("beta")
    with daemon.stream("alpha") as answer:
        answer.readline()
        waiting = daemon.connect()
        waiting.request("POST", "/v1/completions", json.dumps({"model": "beta", "prompt": "x"}))
        until(lambda: any(row.waiting for row in home.instances()))
        waiting.close()
        until(lambda: not any(row.waiting for row in home.instances()))
    until(lambda: home.instances()[0].leases == 0)
    assert not home.record("beta", "start")
    assert daemon.state("alpha") == "ready"


def test_a_llama_server_that_dies_before_it_answers_is_502(home: Home, daemon: Daemon) -> None:
    home.add("alpha", crash_at="before_answer")
    answer = daemon.chat("alpha")
    assert answer.status == 502
    assert answer.error["code"] == "upstream_died"


def test_a_llama_server_that_dies_in_a_stream_is_noticed(home: Home, daemon: Daemon) -> None:
    home.add("alpha", crash_at="mid_stream")
    with daemon.stream("alpha") as answer, pytest.raises(http.client.IncompleteRead) as broken:
        answer.read()
    said = broken.value.partial
    assert b'"error"' in said
    assert b"[DONE]" not in said


# --- stopping -----------------------------------------------------------------------------------------


def test_stopping_under_a_stream_is_quick_and_the_client_is_told(home: Home, daemon: Daemon) -> None:
    home.add("alpha", tokens=1000, token_interval=0.01)
    with daemon.stream("alpha") as answer:
        answer.readline()
        began = time.monotonic()
        home.run("stop", "alpha", "--force")
        took = time.monotonic() - began
        with pytest.raises(http.client.IncompleteRead) as broken:
            answer.read()
    assert b'"error"' in broken.value.partial
    assert took < 3
    assert daemon.state("alpha") == "stopped"


def test_stopping_lets_requests_end_first(home: Home, daemon: Daemon) -> None:
    home.add("alpha", tokens=20, token_interval=0.02)
    with daemon.stream("alpha") as answer:
        answer.readline()
        home.run("stop", "alpha")
        assert answer.read().endswith(b"data: [DONE]\n\n")


def test_one_that_ignores_sigterm_is_killed(home: Home, daemon: Daemon) -> None:
    home.add("alpha", ignore_sigterm=True)
    home.run("start", "alpha")
    home.run("stop", "alpha")
    assert not home.processes("fake_llama_server")


@pytest.mark.parametrize("fork", ["server", "bystander"])
def test_its_children_go_with_it(home: Home, daemon: Daemon, fork: str) -> None:
    home.add("alpha", fork=fork)
    assert daemon.chat("alpha").status == 200
    assert len(home.processes("fake_llama_server")) == 2
    home.run("stop", "alpha")
    assert not home.processes("fake_llama_server")


def test_an_idle_model_goes_after_its_time(home: Home, begin: Begin) -> None:
    daemon = begin(residency_ttl="300ms")
    home.add("alpha", tokens=30, token_interval=0.02)
    with daemon.stream("alpha") as answer:
        assert answer.read().endswith(b"data: [DONE]\n\n"), "a stream longer than the time is not cut"
    until(lambda: daemon.state("alpha") == "stopped", 5)


# --- what else is answered ----------------------------------------------------------------------------


def test_health_and_the_list_of_models(home: Home, daemon: Daemon) -> None:
    assert daemon.ask("/health").json()["status"] == "ok"
    home.add("alpha")
    listed = daemon.ask("/v1/models").json()
    assert listed["object"] == "list"
    assert [(model["id"], model["status"]["value"]) for model in listed["data"]] == [("alpha", "unloaded")]
    daemon.chat("alpha")
    assert daemon.ask("/v1/models").json()["data"][0]["status"]["value"] == "loaded"
    unknown = daemon.ask("/nothing/here")
    assert unknown.status == 404
    assert unknown.error["type"] == "not_found_error"


def _address(daemon: Daemon) -> tuple[str, int]:
    parts = urlsplit(daemon.url)
    assert parts.hostname and parts.port
    return parts.hostname, parts.port
