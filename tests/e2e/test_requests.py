"""What is remembered of requests, with the real llama-server."""

import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Begin
from tests.e2e.running import Home
from tests.e2e.test_real import CHAT, SMALL


def test_every_request_is_remembered(home: Home, begin: Begin, real_engine: str, tiny: Path) -> None:
    daemon = begin(**SMALL, requests_capture="20")
    home.run("models", "add", str(tiny), "--name", "tiny")
    asked: list[tuple[str, dict[str, Any]]] = [
        ("/v1/chat/completions", CHAT),
        ("/v1/chat/completions", {**CHAT, "stream": True}),
        ("/v1/completions", {"prompt": "x", "max_tokens": 3}),
        ("/v1/completions", {"prompt": "x", "max_tokens": 3, "stream": True}),
        ("/completion", {"prompt": "x", "n_predict": 3}),
        ("/v1/messages", {**CHAT, "stream": True}),
        ("/v1/chat/completions", {"messages": "not a list"}),
    ]
    statuses = []
    for number, (path, body) in enumerate(asked):
        answer = daemon.ask(path, {"model": "tiny", **body}, **{"X-Request-Id": f"test-{number}"})
        assert answer.headers["x-request-id"] == f"test-{number}"
        statuses.append(answer.status)
    assert daemon.ask("/v1/chat/completions", {"model": "nobody"}).status == 404

    refused, *ended = home.json("requests")["items"]
    assert (refused["status"], refused["error"], refused["model"]) == (404, "not_found", "")
    ended.reverse()
    assert [one["id"] for one in ended] == [f"test-{number}" for number in range(len(asked))]
    assert [one["status"] for one in ended] == statuses
    for one in ended[:6]:
        assert one["prompt_tokens"] > 0, one
        assert one["generated_tokens"] == (12 if one["endpoint"] in ("chat/completions", "messages") else 3), one
        assert one["finish"] and one["generation_rate"] > 0, one
        assert one["first"] <= one["duration"], one
    assert ended[0]["loading"] > 0.05, "it was the first to want the model"
    assert ended[1]["loading"] == 0
    assert home.json("requests", "--status", "404")["items"] == [refused]

    shown = home.json("requests", "show", "test-1", "--body")
    assert json.loads(shown["bodies"]["asked"])["stream"] is True
    assert shown["bodies"]["answered"].startswith("data: {") and "[DONE]" in shown["bodies"]["answered"]
    api = daemon.ask("/api/requests?model=tiny&limit=2").json()
    assert [one["id"] for one in api["data"]["requests"]] == ["test-6", "test-5"]

    assert daemon.end() == 0
    daemon = begin()  # with a llama-server that takes its time
    assert [one["id"] for one in home.json("requests", "-n", "2")["items"]] == [refused["id"], "test-6"]
    home.add("slow", tokens=10_000, token_interval=0.02)
    with daemon.stream("slow") as stream:
        name = stream.headers["X-Request-Id"]
        stream.readline()
        first = home.json("requests", "-n", "0")["items"]
        assert [(one["id"], one["state"], one["status"]) for one in first] == [(name, "answering", 200)]
        home.run("requests", "cancel", name)
        with pytest.raises(http.client.IncompleteRead) as broken:
            stream.read()
        assert b'"code":"cancelled"' in broken.value.partial
    shown = home.json("requests", "show", name)
    assert (shown["state"], shown["error"]) == ("ended", "cancelled")

    follow = [sys.executable, "-m", "llamactl", "-o", "jsonl", "requests", "-n", "1", "-f"]
    with subprocess.Popen(follow, env=home.env, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        try:
            assert json.loads(following.stdout.readline())["id"] == name
            daemon.ask("/v1/chat/completions", {"model": "nobody"}, **{"X-Request-Id": "followed"})
            assert json.loads(following.stdout.readline())["id"] == "followed"
        finally:
            following.terminate()
    home.run("daemon", "reexec")
    assert home.json("requests", "show", "followed")["status"] == 404
